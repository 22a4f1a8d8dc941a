package deploy

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"pistack/internal/target"
)

// Apply carries a plan out and tells what became of every host, in name order.
// When ctx ends, hosts at which the new system is being tried are brought back
// first, and all locks are released.
func (r *Run) Apply(ctx context.Context, p Plan) ([]Result, error) {
	hosts := p.changing()
	order, err := waves(p.wanted(), r.Options.Canary)
	if err != nil {
		return nil, err
	}
	work := map[string]*change{}
	for _, h := range hosts {
		work[h.Host.Name] = newChange(r, h)
	}
	r.prepare(ctx, hosts, work)
	r.lockAll(ctx, hosts, work)
	for _, wave := range order {
		r.wave(ctx, wave, work)
		if failed(wave, work) && !r.Options.KeepGoing {
			break // the others are "not reached"
		}
	}
	r.renew(ctx, p, work)
	return r.results(ctx, p, work), nil
}

// together runs do for all hosts that are not finished, a number at once.
func (r *Run) together(hosts []HostPlan, work map[string]*change, do func(*change)) {
	var group errgroup.Group
	group.SetLimit(max(r.Options.Parallel, 1))
	for _, h := range hosts {
		if c := work[h.Host.Name]; c != nil && !c.done {
			group.Go(func() error { do(c); return nil })
		}
	}
	_ = group.Wait() // no function returns an error
}

// prepare brings everything to the machines that is needed there.
func (r *Run) prepare(ctx context.Context, hosts []HostPlan, work map[string]*change) {
	r.together(hosts, work, func(c *change) {
		if err := c.bring(ctx); err != nil {
			c.refuse(ctx, err)
		}
	})
}

// lockAll locks in name order. Where another run is found at work, which was not
// when the machines were asked, all that come later are left to it: of two deploys
// that want the same machines one gets them all, and nobody every other one.
func (r *Run) lockAll(ctx context.Context, hosts []HostPlan, work map[string]*change) {
	var held *target.Held
	for i, h := range hosts {
		if step := max(r.Options.Parallel, 1); i%step == 0 && held == nil {
			r.connect(ctx, hosts[i:min(i+step, len(hosts))], work)
		}
		c := work[h.Host.Name]
		switch {
		case c.done:
		case held != nil:
			c.refuse(ctx, left(h.Host.Name, held))
		default:
			err := c.lock(ctx)
			errors.As(err, &held)
			if err != nil {
				c.refuse(ctx, err)
			}
		}
	}
}

// connect connects to some hosts at once, which are then asked one after another.
func (r *Run) connect(ctx context.Context, hosts []HostPlan, work map[string]*change) {
	if r.Connect != nil && len(hosts) > 1 {
		r.together(hosts, work, func(c *change) { r.Connect(ctx, c.name()) })
	}
}

// left is the error for a machine that is left to another run.
func left(host string, held *target.Held) error {
	return &Error{
		Message: fmt.Sprintf("%s: left to the run that has just begun: %v", host, held),
		Fix:     "run the same command again when that one is over, or wait for it with --lock-wait",
		Err:     held,
	}
}

// wave changes its hosts, a number at once.
func (r *Run) wave(ctx context.Context, hosts []HostPlan, work map[string]*change) {
	r.together(hosts, work, func(c *change) {
		if ctx.Err() == nil {
			c.carryOut(ctx)
		}
	})
}

// failed tells whether a host of a wave is not what it should be, those included
// to which nothing could be done.
func failed(hosts []HostPlan, work map[string]*change) bool {
	return slices.ContainsFunc(hosts, func(h HostPlan) bool {
		c := work[h.Host.Name]
		return c == nil || !c.result.Outcome.Good()
	})
}

// results releases what is still locked, and puts all hosts' results together.
func (r *Run) results(ctx context.Context, p Plan, work map[string]*change) []Result {
	r.together(p.changing(), work, func(c *change) {
		if ctx.Err() != nil {
			c.finish(Interrupted, interruption(ctx))
		} else {
			c.finish(NotReached, errors.New("a host before it failed"))
		}
	})
	var all []Result
	for _, h := range p.Hosts {
		switch c := work[h.Host.Name]; {
		case c != nil:
			all = append(all, c.result)
		case h.Unchanged:
			all = append(all, r.told(Result{Host: h.Host.Name, Outcome: Unchanged, Phase: Evaluate, New: h.System}, h))
		default:
			all = append(all, r.told(Result{Host: h.Host.Name, Outcome: Refused, Phase: Preflight, Err: h.Problem, New: h.System}, h))
		}
	}
	slices.SortFunc(all, func(a, b Result) int { return compareNames(a.Host, b.Host) })
	return all
}

// told completes the result of a host that Apply did nothing to, and says it.
func (r *Run) told(result Result, h HostPlan) Result {
	result.Old, result.Generation, result.Warnings = h.State.Running, h.State.Generation, h.Warnings
	result.Begun, result.Ended = time.Now(), time.Now()
	result.Log = r.Archive.LogFile(result.Host)
	r.event(Event{Host: result.Host, Kind: Finished, Phase: result.Phase, Result: &result})
	return result
}

// lock takes the machine's lock, and looks again; a lock that is held is waited for
// as long as the user said.
func (c *change) lock(ctx context.Context) error {
	c.begin(Lock)
	owner := c.run.Owner
	owner.ID, owner.Since = c.run.ID, time.Now()
	for until := time.Now().Add(c.run.Options.LockWait); ; {
		state, err := c.machine.LockAndProbe(ctx, owner)
		var held *target.Held
		if err == nil || !errors.As(err, &held) || time.Now().After(until) {
			c.locked = err == nil || !errors.As(err, &held) // a lost answer may be a lock
			if err != nil {
				return err
			}
			return c.compare(state)
		}
		if !sleep(ctx, min(c.run.Options.Timing.Sample, time.Until(until)+time.Millisecond)) {
			return interruption(ctx)
		}
	}
}

// compare tells whether the locked machine still is what the plan was made for:
// building takes its time, and so may the wait for the lock.
func (c *change) compare(state target.State) error {
	seen := c.plan.State
	switch {
	case underWay(state.Undo):
		return undoPending(c.name())
	case state.Running == c.plan.System && state.Profile == c.plan.System:
	case state.Running != seen.Running || state.Profile != seen.Profile:
		return &Error{
			Message: fmt.Sprintf("%s: somebody has changed it since the plan was made: it runs %s now, and boots %s", c.name(), state.Running, state.Profile),
			Fix:     "run the same command again, for a plan of what is there now",
		}
	}
	c.plan.State = state
	return nil
}

// sleep waits, and tells whether ctx let it.
func sleep(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return true
	}
}

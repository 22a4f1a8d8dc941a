package deploy

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pistack/internal/nix"
	"pistack/internal/target"
)

// change is one host on its way from the old system to the new one.
type change struct {
	run       *Run
	plan      HostPlan
	machine   Machine
	phase     Phase
	locked    bool // the machine's lock may be ours
	leaveLock bool // an undo that is still to come gives it back
	done      bool // result is final
	result    Result
	before    target.Before // once the timer is armed
}

func newChange(r *Run, h HostPlan) *change {
	return &change{run: r, plan: h, machine: r.Machine(h.Host.Name), phase: Preflight, result: Result{
		Host: h.Host.Name, Old: h.State.Running, New: h.System, Generation: h.State.Generation, Warnings: h.Warnings, Begun: time.Now(),
	}}
}

func (c *change) name() string { return c.plan.Host.Name }

func (c *change) begin(p Phase) {
	c.phase = p
	c.run.Archive.Log(c.name())("== " + string(p))
	c.run.event(Event{Host: c.name(), Kind: Begun, Phase: p})
}

func (c *change) warn(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	c.result.Warnings = append(c.result.Warnings, text)
	c.run.Archive.Log(c.name())("warning: " + text)
	c.run.event(Event{Host: c.name(), Kind: Warning, Phase: c.phase, Text: text})
}

func (c *change) line(text string) { c.run.lines(c.name(), c.phase)(text) }

// bring copies the system and fetches images; what runs is not touched.
func (c *change) bring(ctx context.Context) error {
	c.begin(Copy)
	copying, cancel := context.WithTimeoutCause(ctx, c.run.Options.Timing.Copy, c.late("copying the system", c.run.Options.Timing.Copy))
	defer cancel()
	if err := c.run.Nix.Copy(copying, c.name(), c.plan.System, c.line); err != nil {
		return reason(copying, err)
	}
	if len(c.plan.Images) == 0 || c.run.Options.Action == DryActivate {
		return nil
	}
	return c.pull(ctx)
}

func (c *change) late(what string, limit time.Duration) error { return late(c.name(), what, limit) }

func late(host, what string, limit time.Duration) error {
	return &Error{
		Message: fmt.Sprintf("%s: %s did not end within %s", host, what, limit),
		Fix:     "look at the machine's disk and network, then deploy again: it goes on where it stopped",
	}
}

// carryOut does what the action says, with the lock held.
func (c *change) carryOut(ctx context.Context) {
	switch {
	case c.run.Options.Action == DryActivate:
		c.direct(ctx, DryActivate, Dry)
	case c.run.Options.Action == Boot:
		c.direct(ctx, Boot, Staged)
	case c.run.Options.NoGate:
		c.direct(ctx, c.run.Options.Action, c.wanted())
	default:
		c.guarded(ctx)
	}
}

// wanted is the outcome of the action when all goes well.
func (c *change) wanted() Outcome {
	if c.run.Options.Action == Test {
		return Tested
	}
	return Deployed
}

// direct is nixos-rebuild alone. What became of the machine is read from it. An
// interrupt waits for its end, for nothing would bring half of it back.
func (c *change) direct(ctx context.Context, action Action, good Outcome) {
	c.begin(Activate)
	err := c.rebuild(context.WithoutCancel(ctx), action)
	if action == DryActivate {
		if err != nil {
			c.refuse(ctx, err)
			return
		}
		c.finish(good, nil)
		return
	}
	if needsReboot(err) && action == Switch {
		c.stage(ctx)
		return
	}
	c.judge(ctx, action, good, err)
}

// judge finds out what a machine runs after a nixos-rebuild that nobody guarded.
func (c *change) judge(ctx context.Context, action Action, good Outcome, failure error) {
	state, err := c.look(ctx)
	switch {
	case err != nil:
		c.finish(Unknown, errors.Join(failure, err))
	case runs(action, forgiving(state), c.plan.System):
		c.result.Generation = state.Generation
		if failure != nil {
			c.finish(Degraded, failure)
			return
		}
		c.finish(good, nil)
	case state.Running == c.plan.State.Running && state.Profile == c.plan.State.Profile:
		c.finish(Refused, orElse(failure, "nixos-rebuild changed nothing"))
	default:
		c.finish(Unknown, orElse(failure, "the machine runs neither the old system nor the new one"))
	}
}

// forgiving is a state in which only the systems count.
func forgiving(s target.State) target.State {
	s.Failed, s.Undo = nil, ""
	return s
}

func orElse(err error, text string) error {
	if err != nil {
		return err
	}
	return errors.New(text)
}

// stage makes the new system the one that boots, for one that cannot be
// switched to while the machine runs.
func (c *change) stage(ctx context.Context) {
	c.begin(Commit)
	err := c.rebuild(context.WithoutCancel(ctx), Boot)
	if err == nil {
		c.warn("the new system runs after a reboot: pistack reboot %s", c.name())
	}
	c.judge(ctx, Boot, Staged, err)
}

func needsReboot(err error) bool { return statusOf(err) == nix.NeedsReboot }

// statusOf is how nixos-rebuild ended; -1 when it did not run or was broken off.
func statusOf(err error) nix.Status {
	var failed *nix.RebuildError
	if errors.As(err, &failed) {
		return failed.Status
	}
	if err == nil {
		return 0
	}
	return -1
}

func (c *change) rebuild(ctx context.Context, action Action) error {
	limit := c.run.Options.Timing.Activate
	ctx, cancel := context.WithTimeoutCause(ctx, limit, c.late("nixos-rebuild "+string(action), limit))
	defer cancel()
	return c.run.Nix.Rebuild(ctx, nix.Rebuild{Action: string(action), Host: c.name(), System: c.plan.System, Sudo: c.run.Sudo(c.name())}, c.line)
}

// look asks what the machine runs, and gives it time to be reachable again, or
// to restart. It does so even when the run was interrupted.
func (c *change) look(ctx context.Context) (target.State, error) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 5*c.run.Options.Timing.Link)
	defer cancel()
	for {
		state, err := c.machine.Probe(ctx)
		if err == nil {
			return state, nil
		}
		if !sleep(ctx, c.run.Options.Timing.Sample) {
			return state, err
		}
	}
}

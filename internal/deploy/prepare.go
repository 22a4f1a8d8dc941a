package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"time"

	"golang.org/x/sync/errgroup"

	"pistack/internal/fleet"
	"pistack/internal/nix"
	"pistack/internal/target"
)

// Plan asks all hosts what they run, finds out which system the repository says
// for each, and builds those that differ. A host to which nothing can be done
// has a Problem, and stops no other; the error is for what ends the whole run.
func (r *Run) Plan(ctx context.Context, hosts []fleet.Host) (Plan, error) {
	p := Plan{Action: r.Options.Action, Hosts: make([]HostPlan, len(hosts))}
	for i, h := range hosts {
		p.Hosts[i].Host = h
	}
	if err := r.survey(ctx, p.Hosts); err != nil {
		return p, err
	}
	p.Revision, p.Dirty = r.Revision, r.Dirty // which Ready may have found out
	for i, h := range hosts {
		p.Hosts[i].dirty = r.edited(ctx, h)
	}
	if r.Surveyed != nil {
		r.Surveyed(p.Hosts)
	}
	for _, step := range []func(context.Context, []HostPlan) error{r.build, r.inspect} {
		if err := step(ctx, p.Hosts); err != nil {
			return p, err
		}
	}
	return p, nil
}

// each calls do for every host that something can still be done to, a number of
// them at once. What do returns is the host's problem.
func each(ctx context.Context, limit int, hosts []HostPlan, do func(*HostPlan) error) error {
	var group errgroup.Group
	group.SetLimit(max(limit, 1))
	for i := range hosts {
		h := &hosts[i]
		if h.Problem != nil || h.Unchanged {
			continue
		}
		if ctx.Err() != nil {
			break
		}
		group.Go(func() error {
			h.Problem = do(h)
			return nil
		})
	}
	if err := group.Wait(); err != nil {
		return err
	}
	return interruption(ctx)
}

// survey asks every host what it runs, and evaluates the system of each that can
// be deployed to as soon as that is known, and Ready has nothing against it. Nothing
// is built before all have answered.
func (r *Run) survey(ctx context.Context, hosts []HostPlan) error {
	ctx, ready, end := r.getReady(ctx)
	defer end()
	asking, evaluating := newSlots(r.Options.Parallel), newSlots(r.Options.EvalJobs)
	err := each(ctx, len(hosts), hosts, func(h *HostPlan) error {
		if err := asking.use(ctx, func() error { return r.probe(ctx, h) }); err != nil {
			return err
		}
		if <-ready; ctx.Err() != nil {
			return interruption(ctx)
		}
		return evaluating.use(ctx, func() error { return r.evaluate(ctx, h) })
	})
	<-ready // though no host may have waited for it
	return cmp.Or(err, interruption(ctx))
}

// getReady calls Ready, and closes ready when it is over. The context ends with its
// error.
func (r *Run) getReady(ctx context.Context) (_ context.Context, ready <-chan struct{}, end func()) {
	ctx, cancel := context.WithCancelCause(ctx)
	over := make(chan struct{})
	go func() {
		defer close(over)
		if r.Ready == nil {
			return
		}
		if err := r.Ready(ctx); err != nil {
			cancel(err)
		}
	}()
	return ctx, over, func() { cancel(nil) }
}

// slots bound how many do something at once.
type slots chan struct{}

func newSlots(n int) slots { return make(slots, max(n, 1)) }

// use waits for a slot, and gives it back after do.
func (s slots) use(ctx context.Context, do func() error) error {
	select {
	case s <- struct{}{}:
	case <-ctx.Done():
		return interruption(ctx)
	}
	defer func() { <-s }()
	return do()
}

// probe connects before the host is evaluated: a wrong key, an unreachable host or
// another architecture is then known at once.
func (r *Run) probe(ctx context.Context, h *HostPlan) error {
	r.event(Event{Host: h.Host.Name, Kind: Begun, Phase: Preflight})
	state, err := r.Machine(h.Host.Name).Probe(ctx)
	if err != nil {
		return err
	}
	h.State = state
	h.Since = revisionOf(state.Receipt)
	if state.Lock != nil && r.Options.LockWait == 0 {
		return &target.Held{Host: h.Host.Name, Owner: *state.Lock}
	}
	problem, warnings := fit(h.Host, state, time.Now())
	for _, w := range warnings {
		h.Warnings = append(h.Warnings, w)
		r.event(Event{Host: h.Host.Name, Kind: Warning, Phase: Preflight, Text: w})
	}
	return problem
}

// revisionOf reads the revision of a receipt that a machine gave; it is only
// ever compared with revisions of the repository.
func revisionOf(receipt []byte) string {
	var r Receipt
	if len(receipt) == 0 || json.Unmarshal(receipt, &r) != nil || len(r.Revision) > 64 || r.Dirty {
		return ""
	}
	return r.Revision
}

// evaluate finds out the host's new system, in a process of its own, so that memory
// is bounded by how many there are at once.
func (r *Run) evaluate(ctx context.Context, h *HostPlan) error {
	name := h.Host.Name
	r.event(Event{Host: name, Kind: Begun, Phase: Evaluate})
	s, err := r.Nix.Evaluate(ctx, name, r.lines(name, Evaluate))
	if err != nil {
		return err
	}
	h.System, h.Derivation = s.Path, s.Derivation
	h.Unchanged = runs(r.Options.Action, h.State, s.Path)
	return nil
}

// build builds all systems that are not running yet, in one go.
func (r *Run) build(ctx context.Context, hosts []HostPlan) error {
	var todo []*HostPlan
	var systems []nix.System
	for i := range hosts {
		if h := &hosts[i]; h.Problem == nil && !h.Unchanged {
			todo = append(todo, h)
			systems = append(systems, nix.System{Host: h.Host.Name, Derivation: h.Derivation, Path: h.System})
			r.event(Event{Host: h.Host.Name, Kind: Begun, Phase: Build})
		}
	}
	if len(todo) == 0 {
		return nil
	}
	built, err := r.Nix.Build(ctx, systems, r.lines("", Build))
	if ctx.Err() != nil {
		return interruption(ctx)
	}
	for i, h := range todo {
		if !built[i] {
			h.Problem = notBuilt(h.Host.Name, err)
		}
	}
	return nil
}

func notBuilt(host string, err error) error {
	return &Error{
		Message: fmt.Sprintf("%s: its system could not be built: %v", host, err),
		Fix:     "see the lines of the build above; pistack doctor tells whether this workstation can build for the host",
		Err:     err,
	}
}

// inspect compares what was built with what the machine has.
func (r *Run) inspect(ctx context.Context, hosts []HostPlan) error {
	return each(ctx, r.Options.Parallel, hosts, func(h *HostPlan) error {
		if err := r.compare(ctx, h); err != nil {
			return err
		}
		return room(*h)
	})
}

// manyPaths is how many times as long as another step the question for all paths
// of a system may take.
const manyPaths = 2

// compare asks the machine for all in one session.
func (r *Run) compare(ctx context.Context, h *HostPlan) error {
	closure, err := r.Nix.Closure(ctx, h.System)
	if err != nil {
		return err
	}
	units, err := r.Nix.Units(h.System)
	if err != nil {
		return err
	}
	if h.allImages, err = r.Nix.Images(h.System); err != nil {
		return err
	}
	wanted := target.Wanted{Images: h.allImages, Running: h.State.Running}
	for _, p := range closure {
		wanted.Paths = append(wanted.Paths, p.Path)
	}
	limit := manyPaths * r.Options.Timing.Step
	asking, cancel := context.WithTimeoutCause(ctx, limit, late(h.Host.Name, "comparing with what it has", limit))
	defer cancel()
	lacks, err := r.Machine(h.Host.Name).Compare(asking, wanted)
	if err != nil {
		return reason(asking, err)
	}
	h.countPaths(closure, lacks.Paths)
	h.Images = r.sized(ctx, h.Host, lacks.Images)
	if h.State.Running != "" { // else it is not a NixOS yet: there is nothing to compare with
		h.Units = unitChanges(lacks.Units, units)
		boots := r.Nix.Boots(h.System)
		h.Reboot = boots != "" && h.State.BootedKernel != "" && boots != h.State.BootedKernel
	}
	return nil
}

// countPaths adds up the closure, and what of it is missing.
func (p *HostPlan) countPaths(closure []nix.Path, missing []string) {
	sizes := make(map[string]int64, len(closure))
	for _, c := range closure {
		sizes[c.Path] = c.Size
		p.Closure += c.Size
	}
	for _, path := range missing {
		p.NewPaths++
		p.NewBytes += sizes[path]
	}
}

// sized asks how large images are.
func (r *Run) sized(ctx context.Context, h fleet.Host, references []string) []Image {
	var all []Image
	for _, reference := range references {
		image := Image{Reference: reference}
		if r.ImageSize != nil {
			image.Bytes = r.ImageSize(ctx, h, reference)
		}
		all = append(all, image)
	}
	return all
}

// references lists the images that the machine lacks.
func (p HostPlan) references() []string {
	var all []string
	for _, i := range p.Images {
		all = append(all, i.Reference)
	}
	return all
}

// wanted lists the hosts that are not as they should be, in name order: those that
// Apply will work on, and those to which nothing can be done.
func (p Plan) wanted() []HostPlan {
	all := slices.DeleteFunc(slices.Clone(p.Hosts), func(h HostPlan) bool { return h.Unchanged })
	slices.SortFunc(all, func(a, b HostPlan) int { return compareNames(a.Host.Name, b.Host.Name) })
	return all
}

// changing lists the hosts that Apply will work on, in name order.
func (p Plan) changing() []HostPlan {
	var all []HostPlan
	for _, h := range p.Hosts {
		if h.Problem == nil && !h.Unchanged {
			all = append(all, h)
		}
	}
	slices.SortFunc(all, func(a, b HostPlan) int { return compareNames(a.Host.Name, b.Host.Name) })
	return all
}

package deploy

import (
	"context"
	"errors"
	"fmt"

	"pistack/internal/nix"
	"pistack/internal/target"
)

// guarded tries the new system under the dead-man timer, and makes it the one
// that boots once it has proved itself.
func (c *change) guarded(ctx context.Context) {
	c.begin(Activate)
	before, err := c.machine.Arm(ctx, c.run.ID, c.run.Options.Timing.Deadline, c.plan.System)
	if err != nil {
		c.notArmed(ctx, err)
		return
	}
	c.before, c.result.Old = before, before.Running
	renewed, stop := c.keepRenewing(ctx)
	if err = c.attempt(renewed); err != nil {
		err = reason(renewed, err)
	}
	stop()
	switch {
	case err == nil:
		c.settle(ctx)
	case c.phase == Activate && untouched(err):
		c.standDown(ctx, err)
	default:
		c.undo(ctx, err)
	}
}

// notArmed ends a change before anything was changed. When the answer of Arm
// was lost, the timer may run: it would go back to what runs anyway.
func (c *change) notArmed(ctx context.Context, err error) {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.run.Options.Timing.Link)
	defer cancel()
	if failure := c.machine.Disarm(detached, c.run.ID); failure != nil && !errors.Is(failure, target.ErrNotArmed) && !errors.Is(failure, target.ErrLockLost) {
		c.warn("an undo timer may be armed; it goes back to what runs already: %v", failure)
	}
	c.refuse(ctx, err)
}

// attempt runs the new system, has a look at it, and commits to it.
func (c *change) attempt(ctx context.Context) error {
	err := c.rebuild(ctx, Test)
	if status := statusOf(err); status != 0 && status != nix.UnitsFailed {
		return err
	}
	if err := c.gate(ctx, err); err != nil {
		return err
	}
	if c.run.Options.Action == Test {
		return nil
	}
	return c.commit(ctx)
}

// untouched tells whether the machine certainly runs what it ran before.
func untouched(err error) bool {
	status := statusOf(err)
	return status > 0 && status.NothingChanged()
}

// standDown ends a change that nixos-rebuild refused before it changed anything:
// its exit status says so, and the machine is asked, for it may be another's.
func (c *change) standDown(ctx context.Context, err error) {
	if state, failure := c.look(ctx); failure != nil || state.Running != c.before.Running {
		c.undo(ctx, errors.Join(err, failure))
		return
	}
	if failure := c.disarm(ctx); failure != nil {
		c.undo(ctx, errors.Join(err, failure))
		return
	}
	if needsReboot(err) && c.run.Options.Action == Switch {
		c.stage(ctx)
		return
	}
	c.refuse(ctx, err)
}

// commitTries is how often a commit is tried that did not say how it ended.
// nixos-rebuild resumes where it was.
const commitTries = 3

// commit makes the system that passed the gate the one that boots. From here on
// an interrupt waits: the step is short, and half of it is worth nothing. Before
// each try the timer is renewed, over a new connection: never is a system made
// the one that boots after the timer has gone back to the old one.
func (c *change) commit(ctx context.Context) error {
	if ctx.Err() != nil {
		return interruption(ctx)
	}
	c.begin(Commit)
	lasting, cancel := lastingContext(ctx)
	defer cancel()
	var failure error
	for range commitTries {
		again := true
		if failure = c.machine.Renew(lasting, c.run.ID); failure == nil {
			failure = c.rebuild(lasting, Switch)
			again = tryAgain(statusOf(failure))
		}
		if !again || final(failure) || !sleep(lasting, c.run.Options.Timing.Sample) {
			break
		}
	}
	if status := statusOf(failure); status != 0 && status != nix.UnitsFailed {
		return reason(lasting, failure)
	}
	return c.committed(lasting, failure)
}

// lastingContext ends when the timer of ctx has fired or the lock is lost, and
// not when the user interrupts.
func lastingContext(ctx context.Context) (context.Context, func()) {
	lasting, end := context.WithCancelCause(context.WithoutCancel(ctx))
	stop := context.AfterFunc(ctx, func() {
		if cause := context.Cause(ctx); final(cause) {
			end(cause)
		}
	})
	return lasting, func() {
		stop()
		end(nil)
	}
}

// final tells whether the timer or the lock is certainly no longer ours.
func final(err error) bool {
	return errors.Is(err, target.ErrFired) || errors.Is(err, target.ErrLockLost) || errors.Is(err, target.ErrNotArmed)
}

func tryAgain(s nix.Status) bool {
	return s == nix.ConnectionLost || s == nix.Panicked || s == nix.AlreadyRunning
}

// committed asks the machine whether it is so.
func (c *change) committed(ctx context.Context, failure error) error {
	state, err := c.look(ctx)
	if err != nil {
		return err
	}
	if state.Running != c.plan.System || state.Profile != c.plan.System {
		return fmt.Errorf("%s: after nixos-rebuild switch it runs %s, and boots %s", c.name(), state.Running, state.Profile)
	}
	if units := newlyFailed(c.before, state.Failed); failure != nil && len(units) > 0 {
		return c.unitsFailed(ctx, units)
	}
	c.result.Generation = state.Generation
	return nil
}

// settle disarms the timer; when that was faster, the deploy is undone.
func (c *change) settle(ctx context.Context) {
	c.begin(Record)
	if err := c.disarm(ctx); err != nil {
		c.undo(ctx, err)
		return
	}
	if c.run.Options.Action == Test && !c.tested(ctx) {
		return
	}
	c.finish(c.wanted(), nil)
}

// tested makes sure of a test: a machine that restarted meanwhile knows of no
// timer either, and is back on the old system.
func (c *change) tested(ctx context.Context) bool {
	state, err := c.look(ctx)
	if err == nil && state.Running == c.plan.System {
		return true
	}
	c.unclear(ctx, errors.Join(errors.New("it does not run the new system any more: it may have restarted"), err))
	return false
}

// disarm tries until the timer is certainly off or has certainly fired.
func (c *change) disarm(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.run.Options.Timing.Deadline)
	defer cancel()
	for answered := true; ; answered = false {
		err := c.machine.Disarm(ctx, c.run.ID)
		switch {
		case errors.Is(err, target.ErrNotArmed) && !answered:
			return nil // it was disarmed before, and the answer was lost
		case err == nil || final(err) || !sleep(ctx, c.run.Options.Timing.Sample):
			return err
		}
	}
}

// keepRenewing renews the timer until stop is called. The context ends when the
// timer has fired or the lock is somebody else's; a machine that cannot be
// reached is left to the timer.
func (c *change) keepRenewing(ctx context.Context) (renewed context.Context, stop func()) {
	renewed, end := context.WithCancelCause(ctx)
	renewing, quit := context.WithCancel(context.WithoutCancel(ctx))
	stopped := make(chan struct{})
	go func() {
		defer close(stopped)
		for sleep(renewing, c.run.Options.Timing.Renew) {
			if err := c.machine.Renew(renewing, c.run.ID); final(err) {
				end(err)
				return
			}
		}
	}()
	return renewed, func() {
		quit()
		<-stopped
		end(nil)
	}
}

// undo brings the machine back to exactly what it ran before, and finds out
// whether it is there.
func (c *change) undo(ctx context.Context, why error) {
	c.begin(Undo)
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.run.Options.Timing.Undo)
	defer cancel()
	outcome, err := c.machine.Undo(ctx, c.run.ID, c.line)
	if err != nil {
		c.line(fmt.Sprintf("undo: %v; asking what the timer on the machine did", err))
		outcome, err = c.machine.Await(ctx, c.run.ID)
	}
	if err != nil { // the machine knows of no undo: it rebooted, or somebody took the lock
		c.unclear(ctx, errors.Join(why, err))
		return
	}
	c.returned(ctx, outcome, why)
}

// returned ends a change whose undo has ended. What the undo found is not enough:
// a nixos-rebuild that slept through it may have gone on afterwards.
func (c *change) returned(ctx context.Context, outcome target.Outcome, why error) {
	state, err := c.look(ctx)
	switch {
	case err != nil:
		c.finish(Unknown, errors.Join(why, err))
	case !c.isBack(state):
		c.finish(Unknown, &Error{
			Message: fmt.Sprintf("%s: was brought back, and then changed again: it runs %s, and boots %s", c.name(), state.Running, state.Profile),
			Fix:     fmt.Sprintf("pistack status %s; then deploy again, or pistack rollback %s", c.name(), c.name()),
			Err:     why,
		})
	case outcome.Status != 0 && outcome.Status != int(nix.UnitsFailed):
		c.finish(Unknown, &Error{
			Message: fmt.Sprintf("%s: %v; it runs and names the old system again, but a step of the way back failed (exit status %d): it may not boot as it should", c.name(), why, outcome.Status),
			Fix:     "see /run/pistack-deploy/undo/log on the machine; deploy again, which writes the boot loader, before it reboots",
			Err:     why,
		})
	default:
		if units := newlyFailed(c.before, state.Failed); len(units) > 0 {
			c.warn("units that fail on the old system, too: %s", join(units))
		}
		c.finish(RolledBack, why)
	}
}

// isBack tells whether a machine runs and boots what it did before.
func (c *change) isBack(s target.State) bool {
	return s.Running == c.before.Running && s.Profile == c.before.Profile
}

// unclear ends a change whose undo could not be asked about: only what the
// machine runs counts. Where an undo is still to come, the lock is left to it.
func (c *change) unclear(ctx context.Context, why error) {
	state, err := c.look(ctx)
	switch {
	case err != nil:
		c.leaveLock = true
		c.finish(Unknown, errors.Join(why, err))
	case state.Lock != nil && state.Lock.ID != c.run.ID:
		c.finish(Unknown, fmt.Errorf("%w; the machine is in the hands of another run (%s from %s)", why, state.Lock.User, state.Lock.From))
	case state.UndoID == c.run.ID && underWay(state.Undo):
		c.leaveLock = true
		c.finish(Unknown, fmt.Errorf("%w; the machine is still on its way back", why))
	case c.isBack(state):
		c.finish(RolledBack, why)
	default:
		c.finish(Unknown, fmt.Errorf("%w; it runs %s, and boots %s", why, state.Running, state.Profile))
	}
}

// underWay tells whether an undo is still to come, or at work.
func underWay(undo string) bool { return undo == "armed" || undo == "fired" }

package deploy

import (
	"context"
	"encoding/json"
	"errors"
	"time"

	"pistack/internal/nix"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// refuse ends a change that changed nothing.
func (c *change) refuse(ctx context.Context, err error) {
	if ctx.Err() != nil {
		c.finish(Interrupted, interruption(ctx))
		return
	}
	c.finish(Refused, err)
}

// finish makes a result final: receipts are written, and the lock is released,
// whatever happened to the run.
func (c *change) finish(outcome Outcome, err error) {
	c.result.Outcome, c.result.Err, c.result.Phase = outcome, err, c.phase
	c.result.Ended = time.Now()
	if len(c.result.Last) == 0 {
		c.result.Last = lastOf(err)
	}
	if c.locked {
		c.closing(c.record)
		if c.locked && !c.leaveLock {
			c.closing(c.unlock)
		}
	}
	c.done = true
	c.result.Log = c.run.Archive.LogFile(c.name())
	c.run.event(Event{Host: c.name(), Kind: Finished, Phase: c.phase, Result: &c.result})
}

// closing is a step that the end of the run does not end. Each has time of its
// own: a machine that takes no receipt still gets its lock back.
func (c *change) closing(do func(context.Context)) {
	ctx, cancel := context.WithTimeout(context.Background(), 2*c.run.Options.Timing.Step)
	defer cancel()
	do(ctx)
}

// record writes the receipt: on the machine when it runs or boots the new
// system, which gives the lock back, too, and here whenever something was tried.
func (c *change) record(ctx context.Context) {
	receipt, err := json.MarshalIndent(c.receipt(), "", "  ")
	if err != nil {
		c.warn("no receipt was written: %v", err)
		return
	}
	switch c.result.Outcome {
	case Deployed, Degraded, Staged, Tested, Recorded:
		if err := c.machine.Conclude(ctx, c.run.ID, receipt); err != nil {
			c.warn("no receipt was written on the machine: %v", err)
		} else {
			c.locked = false
		}
	case Refused, Interrupted, NotReached, Dry, Unchanged:
		return
	}
	if err := c.run.Archive.Receipt(c.name(), receipt); err != nil {
		c.warn("no receipt was written here: %v", err)
	}
}

func (c *change) receipt() Receipt {
	r := Receipt{
		Schema: 1, Run: c.run.ID, Host: c.name(), By: c.run.Owner.User, From: c.run.Owner.From,
		Revision: c.run.Revision, Dirty: c.plan.dirty, Action: c.run.Options.Action,
		Old: c.result.Old, New: c.result.New, Generation: c.result.Generation, Images: c.plan.allImages,
		Outcome: c.result.Outcome, Begun: c.result.Begun.UTC(), Ended: c.result.Ended.UTC(),
	}
	if c.result.Err != nil {
		r.Reason = c.result.Err.Error()
	}
	if c.result.Outcome == Recorded {
		return c.renewed(r)
	}
	return r
}

// unlock tries for as long as ctx lets it: a lock that stays is a nuisance.
func (c *change) unlock(ctx context.Context) {
	for {
		err := c.machine.Unlock(ctx, c.run.ID)
		var held *target.Held
		if err == nil || errors.As(err, &held) { // another's lock: ours is gone
			c.locked = false
			return
		}
		if !remote.Is(err, remote.Unreachable) && !remote.Is(err, remote.Lost) || !sleep(ctx, c.run.Options.Timing.Sample) {
			c.warn("the lock may be left on the machine (pistack unlock %s): %v", c.name(), err)
			return
		}
	}
}

// lastOf gives what a child process said last before it failed.
func lastOf(err error) []string {
	var rebuild *nix.RebuildError
	var other *nix.Error
	var exit *remote.ExitError
	switch {
	case errors.As(err, &rebuild):
		return rebuild.Last
	case errors.As(err, &other):
		return other.Last
	case errors.As(err, &exit):
		return exit.Last
	}
	return nil
}

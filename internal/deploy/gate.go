package deploy

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"pistack/internal/remote"
	"pistack/internal/target"
)

// gate has a look at the machine, over new connections, until everything has
// been healthy for a while. failure is how nixos-rebuild test ended: nil, or
// that units failed.
func (c *change) gate(ctx context.Context, failure error) error {
	c.begin(Gate)
	t := c.run.Options.Timing
	watch := watch{before: c.before}
	begun, seen, healthy := time.Now(), time.Now(), time.Time{}
	for {
		health, err := c.machine.Health(ctx, c.before.Running, c.plan.System)
		now := time.Now()
		switch {
		case ctx.Err() != nil:
			return interruption(ctx)
		case err != nil:
			if healthy = (time.Time{}); now.Sub(seen) > t.Link {
				return c.cutOff(err)
			}
		default:
			seen = now
			v := watch.judge(health)
			if v.failed() {
				return c.unhealthy(ctx, v)
			}
			if healthy = since(healthy, now, v.pending == ""); !healthy.IsZero() && now.Sub(healthy) >= t.Window {
				c.tolerate(failure, health)
				return nil
			}
			if v.pending != "" && now.Sub(begun) > t.GateLimit {
				return &Error{Message: fmt.Sprintf("%s: after %s %s", c.name(), t.GateLimit, v.pending), Fix: c.seeLogs(v)}
			}
		}
		if !sleep(ctx, t.Sample) {
			return interruption(ctx)
		}
	}
}

// since is when a condition that holds now began to.
func since(began, now time.Time, holds bool) time.Time {
	switch {
	case !holds:
		return time.Time{}
	case began.IsZero():
		return now
	}
	return began
}

// tolerate says which units failed as they had before.
func (c *change) tolerate(failure error, h target.Health) {
	if failure != nil {
		c.warn("units that had failed before, and still do: %s", join(h.Failed))
	}
}

// cutOff is the error for a machine that could not be looked at for too long.
func (c *change) cutOff(err error) error {
	if !remote.Is(err, remote.Unreachable) && !remote.Is(err, remote.Lost) && !remote.Is(err, remote.TimedOut) {
		return &Error{Message: fmt.Sprintf("%s: how its units and containers are could not be found out: %v", c.name(), err), Err: err}
	}
	return &Error{
		Message: fmt.Sprintf("%s: the new system cannot be reached by ssh: %v", c.name(), err),
		Fix:     "look at what the change does to network, firewall and ssh",
		Err:     err,
	}
}

// verdict is what one look at a machine says.
type verdict struct {
	units      []string           // failed, and had not before
	containers []target.Container // that are not as they should be, for good
	pending    string             // what is not healthy yet; "" when all is
	stack      string             // of pending
}

func (v verdict) failed() bool { return len(v.units) > 0 || len(v.containers) > 0 }

// watch compares one look with those before.
type watch struct {
	before   target.Before
	restarts map[string]int // of each container, by ID, when it was seen first
}

// judge looks at the units, and at the containers of the stacks that changed.
func (w *watch) judge(h target.Health) verdict {
	v := verdict{units: newlyFailed(w.before, h.Failed)}
	if w.restarts == nil {
		w.restarts = map[string]int{}
	}
	for _, container := range h.Containers {
		if !slices.Contains(h.Changed, container.Stack) {
			continue
		}
		first, known := w.restarts[container.ID]
		if !known {
			w.restarts[container.ID] = container.Restarts
			first = container.Restarts
		}
		switch standing(container, first) {
		case bad:
			v.containers = append(v.containers, container)
		case soon:
			v.pending = fmt.Sprintf("container %s is %s", container.Name, strings.TrimSpace(container.State+" "+container.Health))
			v.stack = container.Stack
		}
	}
	return v
}

type condition int

const (
	fine condition = iota
	soon           // it is on its way
	bad
)

// standing judges one container. A one-shot service may have ended with 0.
func standing(c target.Container, restartsBefore int) condition {
	switch {
	case c.Restarts > restartsBefore, c.Health == "unhealthy":
		return bad
	case c.State == "running" && (c.Health == "" || c.Health == "healthy"):
		return fine
	case c.State == "running" || c.State == "created":
		return soon
	case c.State == "exited" && c.ExitCode == 0:
		return fine
	}
	return bad // restarting, paused, dead, exited with something
}

// newlyFailed lists the units that had not failed before.
func newlyFailed(before target.Before, now []string) []string { return without(now, before.Failed) }

func without(all, some []string) []string {
	return slices.DeleteFunc(slices.Clone(all), func(s string) bool { return slices.Contains(some, s) })
}

func join(words []string) string { return strings.Join(words, ", ") }

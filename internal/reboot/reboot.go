// Package reboot restarts machines, one after another, and sees them come back:
// with another boot id, on the system that their profile names, and without units
// that fail and had not failed before. The first that does not ends the run.
package reboot

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"pistack/internal/target"
)

// Machine is one machine, as target.Machine reaches it over ssh.
type Machine interface {
	Probe(ctx context.Context) (target.State, error)
	Boot(ctx context.Context, limit time.Duration) (target.Boot, error)
	Lock(ctx context.Context, owner target.Owner) error
	Unlock(ctx context.Context, id string) error
	Reboot(ctx context.Context) error
}

// Timing is how long things may take.
type Timing struct {
	Back   time.Duration // until the machine answers after a reboot
	Settle time.Duration // from then on, until all units have started
	Ask    time.Duration // for one answer while it reboots
	Pause  time.Duration // between two questions
}

// DefaultTiming suits a Raspberry Pi that checks its SD card.
func DefaultTiming() Timing {
	return Timing{Back: 10 * time.Minute, Settle: 10 * time.Minute, Ask: 20 * time.Second, Pause: 2 * time.Second}
}

// Run is one run over some machines.
type Run struct {
	Owner   target.Owner // whose lock keeps deploys away until the machine goes down
	Machine func(host string) Machine
	Timing  Timing
	Say     func(host, text string) // what is being done
	Now     func() time.Time
	Wait    func(ctx context.Context, d time.Duration) bool // false when ctx ended
}

// Result is what became of a machine.
type Result struct {
	Host string
	Done bool          // it is back, and as it should be
	Took time.Duration // 0 when it was not rebooted
	Err  error         // why it is not done; nil for one whose turn never came
}

// Error is a reboot that did not happen, or did not end well.
type Error struct {
	Message string
	Fix     string
	Err     error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next.
func (e *Error) Hint() string { return e.Fix }

// All reboots hosts in order. A result stands for each of them.
func (r Run) All(ctx context.Context, hosts []string) []Result {
	results := make([]Result, len(hosts))
	stopped := false
	for i, host := range hosts {
		results[i].Host = host
		if stopped || ctx.Err() != nil {
			continue
		}
		begun := r.Now()
		sent, err := r.one(ctx, host)
		if sent {
			results[i].Took = r.Now().Sub(begun)
		}
		results[i].Done, results[i].Err = err == nil, err
		stopped = err != nil
	}
	return results
}

// one reboots a machine; sent tells whether the machine may have been told to.
func (r Run) one(ctx context.Context, host string) (sent bool, err error) {
	m := r.Machine(host)
	r.Say(host, "asking what it runs")
	before, err := m.Probe(ctx)
	if err != nil {
		return false, err
	}
	if before.Undo == "armed" || before.Undo == "fired" {
		return false, &Error{Message: fmt.Sprintf("%s: the undo timer of a deploy is armed, or at work; a reboot would forget it", host), Fix: "wait for that deploy: pistack status " + host}
	}
	if err := r.down(ctx, m, host); err != nil {
		return false, err
	}
	r.Say(host, "rebooting")
	if err := r.back(ctx, m, host, before); err != nil {
		return true, errors.Join(err, r.giveBack(ctx, m, host))
	}
	r.Say(host, "is back; waiting for its units")
	return true, r.settle(ctx, m, host, before)
}

// giveBack takes the lock from a machine that may never have gone down.
func (r Run) giveBack(ctx context.Context, m Machine, host string) error {
	detached, cancel := context.WithTimeout(context.WithoutCancel(ctx), r.Timing.Ask)
	defer cancel()
	if err := m.Unlock(detached, r.Owner.ID); err != nil {
		return &Error{Message: fmt.Sprintf("%s: the lock may be left: %v", host, err), Fix: "a reboot clears it; or: pistack unlock " + host, Err: err}
	}
	return nil
}

// down takes the lock, which a reboot clears, and sends the machine into it. When
// that failed for certain, the lock is given back.
func (r Run) down(ctx context.Context, m Machine, host string) error {
	owner := r.Owner
	owner.Since = r.Now()
	if err := m.Lock(ctx, owner); err != nil {
		var held *target.Held
		if errors.As(err, &held) {
			return err
		}
		return errors.Join(err, r.giveBack(ctx, m, host)) // the answer may be lost, and the lock taken
	}
	if err := m.Reboot(ctx); err != nil {
		return errors.Join(err, r.giveBack(ctx, m, host))
	}
	return nil
}

// back waits for another boot id.
func (r Run) back(ctx context.Context, m Machine, host string, before target.State) error {
	last := error(nil)
	for until := r.Now().Add(r.Timing.Back); r.Now().Before(until); {
		boot, err := m.Boot(ctx, r.Timing.Ask)
		if err == nil && boot.ID != before.BootID {
			return nil
		}
		last = err
		if ctx.Err() != nil || !r.Wait(ctx, r.Timing.Pause) {
			return ctx.Err()
		}
	}
	if last == nil {
		return &Error{Message: fmt.Sprintf("%s: was told to reboot, and still has not after %s", host, r.Timing.Back), Fix: fmt.Sprintf("see what it waits for: pistack exec %s -- systemctl list-jobs", host)}
	}
	return &Error{
		Message: fmt.Sprintf("%s: did not come back within %s: %v", host, r.Timing.Back, last),
		Fix:     "look at its screen or serial console; its boot menu offers the generation before", Err: last,
	}
}

// settle waits until all units have been started, no unit fails that had not
// failed before, and the system of the profile runs. What is still wrong at the end
// is the error.
func (r Run) settle(ctx context.Context, m Machine, host string, before target.State) error {
	for until := r.Now().Add(r.Timing.Settle); ; {
		wrong := r.look(ctx, m, host, before)
		if ctx.Err() != nil {
			return ctx.Err()
		}
		if wrong == nil || !r.Now().Before(until) {
			return wrong
		}
		if !r.Wait(ctx, r.Timing.Pause) {
			return ctx.Err()
		}
	}
}

// look tells what is wrong with a machine that came back.
func (r Run) look(ctx context.Context, m Machine, host string, before target.State) error {
	boot, err := m.Boot(ctx, r.Timing.Ask)
	if err != nil {
		return err
	}
	if boot.Starting {
		return &Error{Message: fmt.Sprintf("%s: came back, and is still starting units", host), Fix: fmt.Sprintf("see which: pistack exec %s -- systemctl list-jobs", host)}
	}
	state, err := m.Probe(ctx)
	if err != nil {
		return err
	}
	return judge(host, before, state)
}

// judge compares a machine after its reboot with before.
func judge(host string, before, after target.State) error {
	if after.Running != after.Profile {
		return &Error{
			Message: fmt.Sprintf("%s: came back, and runs %s, not the system that its profile names: %s", host, after.Running, after.Profile),
			Fix:     "somebody chose another entry of the boot menu, or the boot loader was not updated: pistack deploy " + host,
		}
	}
	var failed []string
	for _, unit := range after.Failed {
		if !slices.Contains(before.Failed, unit) {
			failed = append(failed, unit)
		}
	}
	if len(failed) > 0 {
		return &Error{
			Message: fmt.Sprintf("%s: came back, and units fail that did not before: %s", host, strings.Join(failed, ", ")),
			Fix:     fmt.Sprintf("pistack exec %s -- journalctl -b -n 30 -u %s", host, failed[0]),
		}
	}
	return nil
}

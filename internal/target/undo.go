package target

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"
)

// Arm remembers what the machine runs and what its profile names, and starts the
// dead-man timer, which brings it back to exactly these after deadline, unless
// Disarm or Renew come first. next is the system that is about to be tried. The
// run must hold the lock. Arming again starts the deadline anew and says the same.
func (m Machine) Arm(ctx context.Context, id string, deadline time.Duration, next string) (Before, error) {
	if err := checkID(id); err != nil {
		return Before{}, err
	}
	seconds := max(1, int64((deadline+time.Second-1)/time.Second))
	var b Before
	s := step{script: "arm.sh", says: "arming the undo timer", args: []string{id, fmt.Sprint(seconds), next}, stdin: strings.NewReader(text("undo.sh"))}
	err := m.ask(ctx, s, func(a *answer) {
		for _, own := range []string{"id", "seconds", "next", "path"} { // the undo's own
			a.text(own)
		}
		b = Before{Running: a.path("running"), Profile: a.path("profile"), Generation: int(a.number("generation", true)), Failed: a.sorted("failed")}
	})
	if err != nil {
		return Before{}, err
	}
	return b, nil
}

// Renew starts the deadline anew, over a connection of its own, so that a machine
// that cannot be reached any more is not renewed. ErrFired when the undo has begun.
func (m Machine) Renew(ctx context.Context, id string) error {
	_, err := m.run(ctx, step{script: "renew.sh", says: "renewing the undo timer", args: []string{id}, fresh: true})
	return err
}

// Disarm takes the new system for good: the undo will not happen. ErrFired when
// it has begun already: the machine is, or will be, on the old system. Disarming
// again is no error.
func (m Machine) Disarm(ctx context.Context, id string) error {
	_, err := m.run(ctx, step{script: "disarm.sh", says: "disarming the undo timer", args: []string{id}})
	return err
}

// Undo brings the machine back now, by the very unit that the timer would start,
// and waits for the end like Await, through connections that break. line gets what
// it writes; nil for nobody.
func (m Machine) Undo(ctx context.Context, id string, line func(string)) (Outcome, error) {
	for {
		_, err := m.run(ctx, step{script: "fire.sh", says: "starting the undo", args: []string{id}})
		if err == nil {
			return m.await(ctx, id, line)
		}
		if !isLost(err) {
			return Outcome{}, err
		}
		if err := pause(ctx); err != nil { // it may have begun, and may be what broke the connection
			return Outcome{}, err
		}
	}
}

// pause waits before the next attempt.
func pause(ctx context.Context) error {
	select {
	case <-ctx.Done():
		return ctx.Err()
	case <-time.After(awaitPause):
		return nil
	}
}

// Await waits until the undo of a run, which somebody or the timer starts, is
// over. Connections may break meanwhile: it goes on until ctx ends. ErrNotArmed
// when there is no such undo, as after a reboot.
func (m Machine) Await(ctx context.Context, id string) (Outcome, error) {
	return m.await(ctx, id, nil)
}

const (
	awaitSeconds = 20 // how long one script waits
	logLines     = 30 // how many lines an Outcome keeps
	awaitPause   = time.Second
)

func (m Machine) await(ctx context.Context, id string, line func(string)) (Outcome, error) {
	w := &watch{line: line}
	for {
		before := w.seen
		over, err := m.look(ctx, id, w)
		switch {
		case err != nil && !isLost(err):
			return Outcome{}, err
		case err == nil && over && w.seen == before:
			return w.outcome, nil
		case err == nil && w.seen > before:
			continue
		}
		if err := pause(ctx); err != nil {
			return Outcome{}, err
		}
	}
}

// watch is how much of an undo's log was seen.
type watch struct {
	line    func(string)
	seen    int
	last    []string
	outcome Outcome
}

// ErrDied is an undo that ended without a result: somebody killed it.
var ErrDied = errors.New("the undo ended without a result; what runs is not known")

// look reads on in an undo's log. It is over when there is a result.
func (m Machine) look(ctx context.Context, id string, w *watch) (over bool, err error) {
	s := step{script: "await.sh", says: "waiting for the undo", args: []string{id, fmt.Sprint(w.seen), fmt.Sprint(awaitSeconds)}, output: 16 << 20}
	state := ""
	err = m.ask(ctx, s, func(a *answer) {
		w.read(a.list("log"))
		if state = a.text("state"); state == "over" {
			w.outcome = Outcome{Status: int(a.number("status", false)), Running: a.path("running"), Profile: a.path("profile"), Failed: a.sorted("failed"), Log: w.last}
		}
	})
	if err == nil && state == "died" {
		err = m.because(ErrDied, s)
	}
	return state == "over", err
}

func (w *watch) read(log []string) {
	for _, text := range log {
		w.seen++
		w.last = slices.Clone(append(w.last, text)[max(0, len(w.last)+1-logLines):])
		if w.line != nil {
			w.line(text)
		}
	}
}

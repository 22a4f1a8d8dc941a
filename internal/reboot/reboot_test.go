package reboot_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pistack/internal/reboot"
	"pistack/internal/target"
)

// machine is one whose answers are a list: the last is repeated.
type machine struct {
	states                                 []target.State
	boots                                  []target.Boot
	bootErr, lockErr, rebootErr, unlockErr error
	calls                                  []string
}

func next[T any](list *[]T) (first T) {
	if len(*list) == 0 {
		return first
	}
	first = (*list)[0]
	if len(*list) > 1 {
		*list = (*list)[1:]
	}
	return first
}

func (m *machine) Probe(context.Context) (target.State, error) {
	m.calls = append(m.calls, "probe")
	return next(&m.states), nil
}

func (m *machine) Boot(context.Context, time.Duration) (target.Boot, error) {
	if m.bootErr != nil {
		return target.Boot{}, m.bootErr
	}
	return next(&m.boots), nil
}

func (m *machine) Lock(_ context.Context, o target.Owner) error {
	m.calls = append(m.calls, "lock "+o.ID)
	return m.lockErr
}

func (m *machine) Unlock(_ context.Context, id string) error {
	m.calls = append(m.calls, "unlock "+id)
	return m.unlockErr
}

func (m *machine) Reboot(context.Context) error {
	m.calls = append(m.calls, "reboot")
	return m.rebootErr
}

// newRun is a run whose clock is moved by its waits alone.
func newRun(machines map[string]*machine) reboot.Run {
	clock := time.Unix(0, 0)
	return reboot.Run{
		Owner: target.Owner{ID: "run"}, Timing: reboot.Timing{Back: 10 * time.Second, Settle: 5 * time.Second, Ask: time.Second, Pause: time.Second},
		Machine: func(host string) reboot.Machine { return machines[host] },
		Say:     func(string, string) {},
		Now:     func() time.Time { return clock },
		Wait: func(ctx context.Context, d time.Duration) bool {
			clock = clock.Add(d)
			return ctx.Err() == nil
		},
	}
}

// good is a machine that comes back.
func good(change func(*machine)) *machine {
	state := target.State{BootID: "1", Running: "/new", Profile: "/new", Failed: []string{"old.service"}}
	m := &machine{states: []target.State{state}, boots: []target.Boot{{ID: "1"}, {ID: "2", Starting: true}, {ID: "2", Starting: true}, {ID: "2"}}}
	if change != nil {
		change(m)
	}
	return m
}

func TestOne(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*machine)
		want   string // in the error; "" for none
		calls  string
	}{
		{"comes back", nil, "", "probe lock run reboot probe"},
		{"runs the old system, boots the new", func(m *machine) {
			m.states = []target.State{{BootID: "1", Running: "/old", Profile: "/new"}, {Running: "/new", Profile: "/new"}}
		}, "", "probe lock run reboot probe"},
		{"a failed unit is mended in time", func(m *machine) {
			m.states = append(m.states, target.State{Running: "/new", Profile: "/new", Failed: []string{"x.service"}}, target.State{Running: "/new", Profile: "/new"})
		}, "", "probe lock run reboot probe probe"},
		{"a unit fails", func(m *machine) {
			m.states = append(m.states, target.State{Running: "/new", Profile: "/new", Failed: []string{"old.service", "x.service"}})
		}, "units fail that did not before: x.service", ""},
		{"another system", func(m *machine) {
			m.states = append(m.states, target.State{Running: "/old", Profile: "/new"})
		}, "runs /old, not the system that its profile names: /new", ""},
		{"starts for ever", func(m *machine) { m.boots = []target.Boot{{ID: "2", Starting: true}} }, "still starting units", ""},
		{"does not come back", func(m *machine) { m.bootErr = errors.New("no route") }, "did not come back within 10s: no route", "probe lock run reboot unlock run"},
		{"never goes down", func(m *machine) { m.boots = []target.Boot{{ID: "1"}} }, "still has not after 10s", "probe lock run reboot unlock run"},
		{"is locked", func(m *machine) { m.lockErr = &target.Held{Host: "pi", Owner: target.Owner{User: "bob"}} }, "locked by bob", "probe lock run"},
		{"is not told", func(m *machine) { m.rebootErr = errors.New("refused") }, "refused", "probe lock run reboot unlock run"},
		{"is not told, and keeps the lock", func(m *machine) { m.rebootErr, m.unlockErr = errors.New("refused"), errors.New("gone") }, "the lock may be left: gone", ""},
		{"an undo is armed", func(m *machine) { m.states[0].Undo = "armed" }, "a reboot would forget it", "probe"},
		{"an undo is at work", func(m *machine) { m.states[0].Undo = "fired" }, "a reboot would forget it", "probe"},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := good(c.change)
			results := newRun(map[string]*machine{"pi": m}).All(t.Context(), []string{"pi"})
			r := results[0]
			if c.want == "" && (!r.Done || r.Err != nil || r.Took == 0) || c.want != "" && (r.Done || !strings.Contains(fmt.Sprint(r.Err), c.want)) {
				t.Errorf("%+v, want %q", r, c.want)
			}
			if calls := strings.Join(m.calls, " "); c.calls != "" && calls != c.calls {
				t.Errorf("calls %s, want %s", calls, c.calls)
			}
		})
	}
}

// TestAll: one after another, and none after one that fails.
func TestAll(t *testing.T) {
	machines := map[string]*machine{"a": good(nil), "b": good(func(m *machine) { m.bootErr = errors.New("gone") }), "c": good(nil)}
	results := newRun(machines).All(t.Context(), []string{"a", "b", "c"})
	if !results[0].Done || results[1].Done || results[1].Err == nil || results[2].Done || results[2].Err != nil || len(machines["c"].calls) > 0 {
		t.Errorf("%+v, calls %q", results, machines["c"].calls)
	}
}

// TestInterrupted: the lock of a machine that may not go down is given back, and
// the others are left alone.
func TestInterrupted(t *testing.T) {
	machines := map[string]*machine{"a": good(func(m *machine) { m.boots = []target.Boot{{ID: "1"}} }), "b": good(nil)}
	ctx, cancel := context.WithCancel(t.Context())
	run := newRun(machines)
	run.Wait = func(context.Context, time.Duration) bool { cancel(); return false }
	results := run.All(ctx, []string{"a", "b"})
	if !errors.Is(results[0].Err, context.Canceled) || !slices.Contains(machines["a"].calls, "unlock run") || len(machines["b"].calls) > 0 {
		t.Errorf("%+v, calls %q", results, machines["a"].calls)
	}
}

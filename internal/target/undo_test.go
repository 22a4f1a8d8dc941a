package target_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pistack/internal/fleettest"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// arm locks and arms, with a timer that runs out only when a test says so.
func (r *rig) arm(t *testing.T, id string) target.Before {
	t.Helper()
	r.host.Scale(t, 1e6)
	ok(t, r.Lock(t.Context(), owner(id)))
	before, err := r.Arm(t.Context(), id, time.Minute, r.new)
	ok(t, err)
	return before
}

// commit is what nixos-rebuild switch does.
func (r *rig) commit(t *testing.T, id string) {
	t.Helper()
	ok(t, r.SetProfile(t.Context(), id, r.new))
	ok(t, r.Activate(t.Context(), id, r.new, "switch", nil))
}

// restored checks that the machine is as it was, down to the profile's link.
func (r *rig) restored(t *testing.T, generation int) {
	t.Helper()
	s := r.probe(t)
	if s.Running != r.old || s.Profile != r.old || s.Generation != generation || s.Lock != nil || s.Undo != "done" {
		t.Errorf("not restored: %+v", s)
	}
	if got := r.host.State(t); len(got.Containers) != 1 || got.Containers[0].ID != "c1old" || len(got.Timers) != 0 {
		t.Errorf("%+v", got)
	}
	if left := r.host.Shell(t, "ls /nix/var/nix/gcroots"); left != "" {
		t.Errorf("roots of the garbage collector: %s", left)
	}
}

func TestArm(t *testing.T) {
	r := newRig(t)
	r.host.Change(t, func(s *fleettest.State) { s.Units["x.service"] = fleettest.Unit{State: "failed"} })
	before := r.arm(t, "run-1")
	want := target.Before{Running: r.old, Profile: r.old, Generation: 1, Failed: []string{"x.service"}}
	if !reflect.DeepEqual(before, want) {
		t.Errorf("%+v, want %+v", before, want)
	}
	if got := r.host.Shell(t, "cd /nix/var/nix/gcroots/pistack-deploy && readlink running profile next"); got != strings.Join([]string{r.old, r.old, r.new}, "\n") {
		t.Errorf("roots %s", got)
	}
	if s := r.probe(t); s.Undo != "armed" || s.UndoID != "run-1" {
		t.Errorf("%+v", s)
	}
	// The answer was lost: what was recorded stays, whatever runs meanwhile.
	ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil))
	again, err := r.Arm(t.Context(), "run-1", time.Minute, r.new)
	if err != nil || !reflect.DeepEqual(again, want) {
		t.Errorf("%+v, %v", again, err)
	}
	calls := r.host.Calls(t, "systemd-run")
	for _, word := range []string{"--on-active=60", "--collect", "--unit=pistack-undo", "--property=Type=oneshot"} {
		if !slices.Contains(calls[0].Args, word) {
			t.Errorf("%s is missing: %q", word, calls[0].Args)
		}
	}
}

// TestArmFails: a machine whose timer does not start is not armed.
func TestArmFails(t *testing.T) {
	r := newRig(t)
	ok(t, r.Lock(t.Context(), owner("run-1")))
	r.host.Fail(t, fleettest.Fault{Program: "systemd-run", Exit: 1, Stderr: "no bus", Times: 1})
	if _, err := r.Arm(t.Context(), "run-1", time.Minute, r.new); err == nil || !strings.Contains(err.Error(), "cannot be started") {
		t.Errorf("error %v", err)
	}
	if s := r.probe(t); s.Undo != "" {
		t.Errorf("%+v", s)
	}
	_, err := r.Arm(t.Context(), "run-1", time.Minute, r.new)
	ok(t, err)
}

// TestFires: nobody comes back, and the machine goes back by itself, from wherever
// the deploy was.
func TestFires(t *testing.T) {
	for _, c := range []struct {
		name   string
		change func(*fleettest.System)
		deploy func(t *testing.T, r *rig)
	}{
		{"before anything", nil, func(*testing.T, *rig) {}},
		{"after test", nil, func(t *testing.T, r *rig) { ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil)) }},
		{"after the profile was set", nil, func(t *testing.T, r *rig) { ok(t, r.SetProfile(t.Context(), "run-1", r.new)) }},
		{"after switch", nil, func(t *testing.T, r *rig) { r.commit(t, "run-1") }},
		{"a system that cuts the link", func(s *fleettest.System) { s.CutsLink = true }, func(t *testing.T, r *rig) {
			if err := r.Activate(t.Context(), "run-1", r.new, "test", nil); !remote.Is(err, remote.Lost) {
				t.Errorf("the link was cut: %v", err)
			}
		}},
		{"in the middle of a switch", func(s *fleettest.System) { s.Takes = map[string]time.Duration{"test": time.Hour} }, func(t *testing.T, r *rig) {
			ctx, cancel := context.WithCancel(t.Context())
			err := r.Activate(ctx, "run-1", r.new, "test", func(string) { cancel() })
			if !errors.Is(err, context.Canceled) {
				t.Errorf("error %v", err)
			}
		}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if c.change == nil {
				c.change = func(*fleettest.System) {}
			}
			r := newRig(t, c.change)
			r.arm(t, "run-1")
			c.deploy(t, r)
			r.host.Expire(t)
			outcome, err := r.Await(t.Context(), "run-1")
			ok(t, err)
			if outcome.Status != 0 || outcome.Running != r.old || outcome.Profile != r.old || len(outcome.Failed) != 0 || !slices.Contains(outcome.Log, "going back to "+r.old) {
				t.Errorf("%+v", outcome)
			}
			r.restored(t, 1)
			is(t, r.Disarm(t.Context(), "run-1"), target.ErrFired)
			is(t, r.Renew(t.Context(), "run-1"), target.ErrFired)
			is(t, r.Activate(t.Context(), "run-1", r.new, "switch", nil), target.ErrLockLost)
		})
	}
}

// TestExactly: the profile comes back to its path, not to one generation back.
func TestExactly(t *testing.T) {
	between := func(t *testing.T, r *rig) string {
		t.Helper()
		path := r.host.Install(t, web("between"))
		r.host.Shell(t, "nix-env -p /nix/var/nix/profiles/system --set "+path)
		return path
	}
	t.Run("the profile is ahead of what runs", func(t *testing.T) {
		r := newRig(t)
		ahead := between(t, r)
		before := r.arm(t, "run-1")
		if before.Running != r.old || before.Profile != ahead || before.Generation != 2 {
			t.Errorf("%+v", before)
		}
		r.commit(t, "run-1")
		outcome, err := r.Undo(t.Context(), "run-1", nil)
		if err != nil || outcome.Running != r.old || outcome.Profile != ahead {
			t.Errorf("%+v, %v", outcome, err)
		}
		if s := r.probe(t); s.Running != r.old || s.Profile != ahead || s.Generation != 2 || r.host.State(t).Default != ahead {
			t.Errorf("%+v", s)
		}
	})
	t.Run("its generation was deleted meanwhile", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		r.commit(t, "run-1")
		r.host.Shell(t, "rm /nix/var/nix/profiles/system-1-link")
		_, err := r.Undo(t.Context(), "run-1", nil)
		ok(t, err)
		r.restored(t, 3)
	})
	t.Run("its number is another system's now", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		r.commit(t, "run-1")
		r.host.Shell(t, "cd /nix/var/nix/profiles; rm system-1-link; ln -s "+r.new+" system-1-link")
		_, err := r.Undo(t.Context(), "run-1", nil)
		ok(t, err)
		r.restored(t, 3)
	})
	t.Run("there was no profile", func(t *testing.T) {
		f := fleettest.Start(t, 1)
		r := &rig{host: f.Hosts[0], Machine: target.New(connect(t, f), "h001")}
		r.new = r.host.Install(t, web("new"))
		if before := r.arm(t, "run-1"); before.Running != "" || before.Profile != "" {
			t.Errorf("%+v", before)
		}
		r.commit(t, "run-1")
		outcome, err := r.Undo(t.Context(), "run-1", nil)
		if err != nil || outcome.Status == 0 || outcome.Running != r.new {
			t.Errorf("%+v, %v", outcome, err)
		}
		if s := r.probe(t); s.Undo != "failed" || s.Lock != nil {
			t.Errorf("%+v", s)
		}
	})
}

// TestUndo: asked for, with what it writes.
func TestUndo(t *testing.T) {
	r := newRig(t)
	r.arm(t, "run-1")
	r.commit(t, "run-1")
	var lines []string
	outcome, err := r.Undo(t.Context(), "run-1", func(text string) { lines = append(lines, text) })
	ok(t, err)
	if !slices.Equal(lines, outcome.Log) || !slices.Contains(lines, "switch-to-configuration test: exit status 0") {
		t.Errorf("lines %q, log %q", lines, outcome.Log)
	}
	r.restored(t, 1)
	again, err := r.Undo(t.Context(), "run-1", nil)
	if err != nil || !reflect.DeepEqual(again, outcome) {
		t.Errorf("again: %+v, %v", again, err)
	}
	_, err = r.Undo(t.Context(), "run-9", nil)
	is(t, err, target.ErrNotArmed)
}

// TestUndoInTrouble: what an undo meets.
func TestUndoInTrouble(t *testing.T) {
	t.Run("units of the old system fail", func(t *testing.T) {
		r := newRig(t)
		failing := r.host.Install(t, web("failing", func(s *fleettest.System) { s.Failed = []string{"x.service"} }))
		r.host.Boot(t, failing)
		r.arm(t, "run-1")
		ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil))
		outcome, err := r.Undo(t.Context(), "run-1", nil)
		if err != nil || outcome.Status != 4 || outcome.Running != failing || !slices.Equal(outcome.Failed, []string{"x.service"}) || r.probe(t).Undo != "done" {
			t.Errorf("%+v, %v", outcome, err)
		}
	})
	t.Run("the old system does not start", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil))
		r.host.Fail(t, fleettest.Fault{Program: "switch-to-configuration", Exit: 1, Stderr: "activation script snippet failed"})
		outcome, err := r.Undo(t.Context(), "run-1", nil)
		if err != nil || outcome.Status != 1 || outcome.Running != r.new || !slices.Contains(outcome.Log, "activation script snippet failed") || r.probe(t).Undo != "failed" {
			t.Errorf("%+v, %v", outcome, err)
		}
	})
	t.Run("another switch has the lock for a while", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil))
		r.host.Fail(t, fleettest.Fault{Program: "switch-to-configuration", Exit: 11, Times: 2})
		outcome, err := r.Undo(t.Context(), "run-1", nil)
		if err != nil || outcome.Status != 0 || outcome.Running != r.old {
			t.Errorf("%+v, %v", outcome, err)
		}
	})
	t.Run("the timer was stopped by hand", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil))
		r.host.Shell(t, "systemctl stop pistack-undo.timer")
		_, err := r.Undo(t.Context(), "run-1", nil)
		ok(t, err)
		r.restored(t, 1)
	})
	t.Run("it is killed", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		r.host.Fail(t, fleettest.Fault{Program: "switch-to-configuration", Delay: time.Hour})
		ctx, cancel := context.WithCancel(t.Context())
		_, err := r.Undo(ctx, "run-1", func(string) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Fatal(err)
		}
		r.host.Shell(t, "systemctl stop pistack-undo.service")
		_, err = r.Await(t.Context(), "run-1")
		is(t, err, target.ErrDied)
		if s := r.probe(t); s.Undo != "failed" {
			t.Errorf("%+v", s)
		}
	})
	t.Run("a reboot", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil))
		r.host.Reboot(t)
		_, err := r.Await(t.Context(), "run-1")
		is(t, err, target.ErrNotArmed)
		if s := r.probe(t); s.Running != r.old || s.Undo != "" || s.Lock != nil {
			t.Errorf("%+v", s)
		}
	})
	t.Run("connections break while it is waited for", func(t *testing.T) {
		r := newRig(t)
		r.arm(t, "run-1")
		ok(t, r.Activate(t.Context(), "run-1", r.new, "test", nil))
		r.host.Fail(t, fleettest.Fault{Program: "systemctl", Args: "list-units", Cut: true, Times: 1})
		_, err := r.Undo(t.Context(), "run-1", nil)
		ok(t, err)
		r.restored(t, 1)
	})
}

func TestDisarm(t *testing.T) {
	r := newRig(t)
	r.arm(t, "run-1")
	r.commit(t, "run-1")
	ok(t, r.Disarm(t.Context(), "run-1"))
	ok(t, r.Disarm(t.Context(), "run-1"))
	r.host.Expire(t)
	if s := r.probe(t); s.Undo != "" || s.Running != r.new || s.Profile != r.new || s.Lock == nil {
		t.Errorf("%+v", s)
	}
	if got := r.host.State(t); len(got.Timers) != 0 {
		t.Errorf("%+v", got.Timers)
	}
	is(t, r.Renew(t.Context(), "run-1"), target.ErrNotArmed)
	_, err := r.Undo(t.Context(), "run-1", nil)
	is(t, err, target.ErrNotArmed)
	is(t, r.Disarm(t.Context(), "run-9"), target.ErrNotArmed)
	ok(t, r.Unlock(t.Context(), "run-1"))
	r.arm(t, "run-2") // and over again
}

// TestRace: whoever moves the file has won, and the other one is told.
func TestRace(t *testing.T) {
	r := newRig(t)
	won := map[bool]int{}
	for i := range 12 {
		id := fmt.Sprint("run-", i)
		r.arm(t, id)
		ok(t, r.Activate(t.Context(), id, r.new, "test", nil))
		var wait sync.WaitGroup
		wait.Go(func() { r.host.Expire(t) })
		err := r.Disarm(t.Context(), id)
		wait.Wait()
		won[err == nil]++
		if err != nil {
			is(t, err, target.ErrFired)
			_, err := r.Await(t.Context(), id)
			ok(t, err)
			r.restored(t, 1)
			continue
		}
		if s := r.probe(t); s.Running != r.new || s.Undo != "" {
			t.Errorf("disarmed, and yet %+v", s)
		}
		ok(t, r.Activate(t.Context(), id, r.old, "test", nil))
		ok(t, r.Unlock(t.Context(), id))
	}
	t.Logf("disarmed %d times, too late %d times", won[true], won[false])
}

// TestRenew: the deadline starts anew, over a connection of its own.
func TestRenew(t *testing.T) {
	r := newRig(t)
	r.arm(t, "run-1")
	first := r.host.State(t).Timers["pistack-undo"].Deadline
	before := r.host.Connections(t)
	ok(t, r.Renew(t.Context(), "run-1"))
	if got := r.host.State(t).Timers["pistack-undo"].Deadline; !got.After(first) {
		t.Errorf("deadline %v, before %v", got, first)
	}
	if r.host.Connections(t) != before+1 {
		t.Error("it took no connection of its own")
	}
	t.Run("the timer was stopped by hand", func(t *testing.T) {
		r.host.Shell(t, "systemctl stop pistack-undo.timer")
		ok(t, r.Renew(t.Context(), "run-1"))
		if len(r.host.State(t).Timers) != 1 {
			t.Error("it was not started again")
		}
	})
	t.Run("at the very time", func(t *testing.T) {
		var wait sync.WaitGroup
		wait.Go(func() { r.host.Expire(t) })
		err := r.Renew(t.Context(), "run-1")
		wait.Wait()
		if err == nil { // it came first; then the timer is, or was, a new one
			_, err = r.Undo(t.Context(), "run-1", nil)
			ok(t, err)
		} else {
			is(t, err, target.ErrFired)
			_, err = r.Await(t.Context(), "run-1")
			ok(t, err)
		}
		r.restored(t, 1)
	})
}

// TestAwaitEnds: an undo that nobody starts is not waited for longer than ctx.
func TestAwaitEnds(t *testing.T) {
	r := newRig(t)
	r.arm(t, "run-1")
	ctx, cancel := context.WithTimeout(t.Context(), 300*time.Millisecond)
	defer cancel()
	if _, err := r.Await(ctx, "run-1"); !errors.Is(err, context.DeadlineExceeded) {
		t.Errorf("error %v", err)
	}
}

// TestBreaks: a connection that breaks at any call of any step leaves nothing that
// a second attempt does not bring to its end.
func TestBreaks(t *testing.T) {
	for _, program := range []string{"systemctl", "systemd-run", "nix-env"} {
		for _, after := range []bool{false, true} {
			t.Run(fmt.Sprint(program, " after=", after), func(t *testing.T) {
				r := newRig(t)
				r.host.Scale(t, 1e6)
				ok(t, r.Lock(t.Context(), owner("run-1")))
				steps := []func() error{
					func() error { _, err := r.Arm(t.Context(), "run-1", time.Minute, r.new); return err },
					func() error { return r.SetProfile(t.Context(), "run-1", r.new) },
					func() error { return r.Renew(t.Context(), "run-1") },
					func() error { return r.Disarm(t.Context(), "run-1") },
				}
				for i, step := range steps {
					r.host.Fail(t, fleettest.Fault{Program: program, Kill: true, After: after, Times: 1})
					if err := step(); err != nil && !remote.Is(err, remote.Lost) {
						t.Errorf("step %d: %v", i, err)
					}
					r.host.Heal(t)
					if err := step(); err != nil {
						t.Errorf("step %d again: %v", i, err)
					}
					s := r.probe(t)
					timers := r.host.State(t).Timers
					if armed := i < 3; (s.Undo == "armed") != armed || (len(timers) == 1) != armed {
						t.Errorf("after step %d: %q, timers %v", i, s.Undo, timers)
					}
				}
			})
		}
	}
}

// TestNothingLeft: a whole deploy leaves nothing in the folder but its own undo.
func TestNothingLeft(t *testing.T) {
	r := newRig(t)
	for i := range 3 {
		id := fmt.Sprint("run-", i)
		r.arm(t, id)
		ok(t, r.Disarm(t.Context(), id))
		ok(t, r.Unlock(t.Context(), id))
	}
	entries, err := os.ReadDir(r.host.Inside("/run/pistack-deploy"))
	if err != nil || len(entries) != 1 || entries[0].Name() != "undo" {
		t.Errorf("%v, %v", entries, err)
	}
}

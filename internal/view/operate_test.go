package view_test

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"
	"time"
	"unicode"

	"pistack/internal/deploy"
	"pistack/internal/doctor"
	"pistack/internal/fleet"
	"pistack/internal/reboot"
	"pistack/internal/rollback"
	"pistack/internal/status"
	"pistack/internal/target"
	"pistack/internal/view"
)

func moment() time.Time { return time.Date(2026, 11, 24, 18, 0, 0, 0, time.UTC) }

// shownBy is what a renderer writes.
func shownBy(t *testing.T, render func(io.Writer) error) string {
	t.Helper()
	var out bytes.Buffer
	if err := render(&out); err != nil {
		t.Fatal(err)
	}
	return out.String()
}

const (
	running = "/nix/store/aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa-nixos-system-rpi-box-01"
	before  = "/nix/store/bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb-nixos-system-rpi-box-01"
	head    = "4f2c1aa90b124f2c1aa90b124f2c1aa90b124f2c"
)

// surveyed are the facts of a host whose containers, lock and so on a test changes.
func surveyed(name string, change func(*status.Facts)) status.Host {
	receipt, _ := json.Marshal(deploy.Receipt{Schema: 1, Host: name, By: "ann", From: "desk", Revision: head, Old: before, New: running, Outcome: deploy.Deployed, Ended: moment().Add(-3 * time.Hour)})
	f := status.Facts{
		Host: fleet.Host{Name: name}, Now: moment(), Work: status.Work{Commit: head, Revision: head},
		Survey: target.Survey{
			State:  target.State{Now: moment(), Running: running, Profile: running, Booted: running, Generation: 41, Receipt: receipt, Kernel: "6.12.1", BootID: "b", StoreFree: 1 << 30},
			Docker: "26.1.5", Stacks: []string{"chat"}, Counted: true,
			Containers: []target.StackContainer{{Container: target.Container{Stack: "chat", Service: "web", Name: "chat-web-1", Image: "nginx:1", State: "running", Health: "healthy"}}},
		},
	}
	change(&f)
	return status.Judge(f)
}

func statusSample() status.Report {
	return status.Report{Time: moment(), Hosts: []status.Host{
		surveyed("rpi-box-01", func(*status.Facts) {}),
		surveyed("rpi-box-02", func(f *status.Facts) {
			f.Work.Behind, f.Survey.Reboot = 2, true
			f.Survey.Containers[0].State = "restarting"
			f.Survey.Lock = &target.Owner{ID: "RUN", User: "bob", From: "laptop", Revision: head, Since: moment().Add(-time.Minute)}
		}),
		surveyed("rpi-box-03", func(f *status.Facts) {
			f.Err = errors.New("rpi-box-03: cannot be reached at 10.0.0.3 port 22: no route")
		}),
		surveyed("vps-01", func(f *status.Facts) { f.Survey.Receipt = nil }),
	}}
}

func TestStatusText(t *testing.T) {
	plain := shownBy(t, func(w io.Writer) error { return view.StatusText(w, statusSample(), false, 0) })
	golden(t, "status.txt", plain)
	coloured := shownBy(t, func(w io.Writer) error { return view.StatusText(w, statusSample(), true, 0) })
	if uncoloured(coloured) != plain || coloured == plain {
		t.Error("colours say what words do not, or there are none")
	}
	cut := shownBy(t, func(w io.Writer) error { return view.StatusText(w, statusSample(), false, 7) })
	if lines := strings.Split(cut, "\n"); len(lines) != 7 || !strings.HasPrefix(plain, strings.Join(lines[:6], "\n")) || !strings.HasPrefix(lines[6], "… and ") {
		t.Errorf("cut: %q", cut)
	}
	if got := shownBy(t, func(w io.Writer) error { return view.StatusText(w, status.Report{}, false, 0) }); got != "0 hosts\n" {
		t.Errorf("none: %q", got)
	}
}

func TestStatusJSON(t *testing.T) {
	golden(t, "status.json", shownBy(t, func(w io.Writer) error { return view.StatusJSON(w, statusSample()) }))
}

func doctorSample() []doctor.Check {
	return []doctor.Check{
		{Name: "nix", Level: doctor.OK, Text: "nix (Nix) 2.24.1", Fix: "never shown"},
		{Name: "builds for aarch64-linux", Level: doctor.Problem, Text: "no remote builder\nis configured", Fix: "name one"},
		{Subject: "rpi-box-01", Name: "clock", Level: doctor.Warning, Text: "is off by 2m", Fix: "timedatectl"},
	}
}

func TestDoctor(t *testing.T) {
	golden(t, "doctor.txt", shownBy(t, func(w io.Writer) error { return view.DoctorText(w, doctorSample(), false) }))
	golden(t, "doctor.json", shownBy(t, func(w io.Writer) error { return view.DoctorJSON(w, doctorSample()) }))
}

func ranSample() []view.Ran {
	return []view.Ran{
		{Host: "a", Lines: []string{"one", "two"}, Took: 1500 * time.Millisecond},
		{Host: "b", Status: 3, Err: errors.New("b: running x: exit status 3"), Cut: true},
		{Host: "c", Status: -1, Err: advised{"c: cannot be reached", "look"}},
	}
}

func TestRan(t *testing.T) {
	golden(t, "exec.txt", shownBy(t, func(w io.Writer) error { return view.RanText(w, ranSample()) }))
	golden(t, "exec.json", shownBy(t, func(w io.Writer) error { return view.RanJSON(w, []string{"df", "-h"}, ranSample()) }))
	if got := shownBy(t, func(w io.Writer) error { return view.RanText(w, ranSample()[:1]) }); got != "" {
		t.Errorf("all is well: %q", got)
	}
}

func TestReboots(t *testing.T) {
	results := []reboot.Result{
		{Host: "a", Done: true, Took: 65 * time.Second},
		{Host: "b", Took: 10 * time.Minute, Err: &reboot.Error{Message: "b: did not come back", Fix: "look at its screen"}},
		{Host: "c"},
	}
	golden(t, "reboot.txt", shownBy(t, func(w io.Writer) error { return view.RebootText(w, results, false) }))
	golden(t, "reboot.json", shownBy(t, func(w io.Writer) error { return view.RebootJSON(w, results) }))
}

func TestRollbackText(t *testing.T) {
	all := rollback.List([]target.Generation{{Number: 38, Path: before, Date: moment().Add(-48 * time.Hour)}, {Number: 41, Path: running, Date: moment(), Current: true}}, running,
		[][]byte{[]byte(`{"schema":1,"new":"` + before + `","revision":"` + head + `","by":"ann"}`)})
	h := deploy.HostPlan{
		Host: fleet.Host{Name: "rpi-box-01"}, Reboot: true, Warnings: []string{"its clock is off by 2m"},
		Images: []deploy.Image{{Reference: "nginx:1"}},
		Units:  []deploy.UnitChange{{Unit: "a.service", Action: deploy.UnitStop}, {Unit: "pistack-chat.service", Action: deploy.UnitRestart}},
	}
	text := func(h deploy.HostPlan) string {
		return shownBy(t, func(w io.Writer) error { return view.RollbackText(w, all, all[0], h, false) })
	}
	golden(t, "rollback.txt", text(h))
	h.Unchanged = true
	if got := text(h); !strings.Contains(got, "nothing to do") || strings.Contains(got, "nginx") {
		t.Errorf("unchanged: %s", got)
	}
	h.Problem = advised{"rpi-box-01: is locked", "wait"}
	if got := text(h); !strings.Contains(got, "  is locked\n    hint: wait\n") {
		t.Errorf("problem: %s", got)
	}
}

func TestLockText(t *testing.T) {
	o := target.Owner{ID: "RUN", User: "bob", From: "laptop", Revision: head, Dirty: true, Since: moment()}
	for want, s := range map[string]target.State{
		"pi: is not locked\n": {},
		"pi: locked by bob from laptop, since 2026-11-24T18:00:00Z\n  run RUN, at 4f2c1aa90b12+changes\n":                                      {Lock: &o},
		"pi: is not locked\n  an undo timer is armed (run RUN): unless that run renews it, the machine soon goes back to what it ran before\n": {Undo: "armed", UndoID: "RUN"},
		"pi: is not locked\n  an undo is at work (run RUN): the machine is going back to what it ran before\n":                                 {Undo: "fired", UndoID: "RUN"},
		"pi: is not locked\n  the undo of run RUN failed: deploy again\n":                                                                      {Undo: "failed", UndoID: "RUN"},
	} {
		if got := shownBy(t, func(w io.Writer) error { return view.LockText(w, "pi", s) }); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestOutput(t *testing.T) {
	for _, c := range []struct {
		terminal   bool
		name, text string
		want       string
	}{
		{true, "", "plain", "plain\n"},
		{true, "a", "x", "a   | x\n"},
		{true, "abc", "col\tumn", "abc | col\tumn\n"},
		{true, "", "\x1b[31mred\x1b[0m \x1b]0;title\x07", "red \\x1b]0;title\\a\n"},
		{true, "", "over\rwritten\x1b[2J", "over\\rwritten\n"},
		{true, "", "\xff\u202e", "\ufffd\\u202e\n"},
		{false, "", "\x1b[31mred\x1b[0m\t\xff ", "\x1b[31mred\x1b[0m\t\xff \n"},
	} {
		var out bytes.Buffer
		view.NewOutput(&out, c.terminal, "a", "abc").Line(c.name, c.text)
		if got := out.String(); got != c.want {
			t.Errorf("%q: %q, want %q", c.text, got, c.want)
		}
	}
}

// FuzzOperate: nothing that a machine says has an effect on a terminal, and JSON is
// JSON.
func FuzzOperate(f *testing.F) {
	f.Add("name\x1b[2J", "text\r\n\x07", 3)
	f.Add("\xff", "\u2028\u202e", -1)
	f.Add(strings.Repeat("日", 5000), "\x1b[31m\x1b[\x1b[m", 1<<60)
	f.Fuzz(func(t *testing.T, name, text string, n int) {
		r := status.Report{Time: time.Unix(int64(n), 0), Hosts: []status.Host{surveyed(name, func(f *status.Facts) {
			s := &f.Survey
			s.Running, s.Failed, s.Undo, s.Generation = text, []string{text}, name, n
			s.Containers[0].Name, s.Containers[0].State = text, name
			s.Lock = &target.Owner{ID: text, User: name, From: text, Revision: text, Since: time.Unix(int64(n), 0)}
			f.Work.Changed = []string{text}
		}), surveyed(name, func(f *status.Facts) { f.Err = errors.New(text) })}}
		checks := []doctor.Check{{Subject: name, Name: text, Level: doctor.Problem, Text: text, Fix: name}}
		all := []view.Ran{{Host: name, Status: n, Err: advised{text, name}, Lines: []string{text}}}
		generations := rollback.List([]target.Generation{{Number: n, Path: text, Date: time.Unix(int64(n), 0)}}, text, [][]byte{fmt.Appendf(nil, `{"schema":1,"new":%q,"by":%q}`, text, name)})
		for what, render := range map[string]func(io.Writer) error{
			"status": func(w io.Writer) error { return view.StatusText(w, r, false, 0) },
			"doctor": func(w io.Writer) error { return view.DoctorText(w, checks, false) },
			"exec":   func(w io.Writer) error { return view.RanText(w, all) },
			"reboot": func(w io.Writer) error {
				return view.RebootText(w, []reboot.Result{{Host: name, Err: advised{text, name}}}, false)
			},
			"rollback": func(w io.Writer) error {
				return view.RollbackText(w, generations, generations[0], deploy.HostPlan{Problem: advised{text, name}, Warnings: []string{text}}, false)
			},
			"lock": func(w io.Writer) error { return view.LockText(w, name, r.Hosts[0].Survey.State) },
			"line": func(w io.Writer) error { view.NewOutput(w, true).Line("", text); return nil },
		} {
			got := shownBy(t, render)
			if i := strings.IndexFunc(got, func(r rune) bool { return r != '\n' && r != '\t' && !unicode.IsPrint(r) }); i >= 0 {
				t.Errorf("%s writes %q", what, got[i:min(len(got), i+20)])
			}
		}
		for what, render := range map[string]func(io.Writer) error{
			"status": func(w io.Writer) error { return view.StatusJSON(w, r) },
			"doctor": func(w io.Writer) error { return view.DoctorJSON(w, checks) },
			"exec":   func(w io.Writer) error { return view.RanJSON(w, []string{text}, all) },
			"reboot": func(w io.Writer) error {
				return view.RebootJSON(w, []reboot.Result{{Host: name, Err: advised{text, name}}})
			},
		} {
			if got := shownBy(t, render); !json.Valid([]byte(got)) || strings.ContainsFunc(got, func(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }) {
				t.Errorf("%s: %q", what, got)
			}
		}
	})
}

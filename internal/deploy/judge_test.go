package deploy

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pistack/internal/fleet"
	"pistack/internal/nix"
	"pistack/internal/target"
)

func TestFit(t *testing.T) {
	now := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	host := fleet.Host{Name: "pi", System: "aarch64-linux"}
	good := target.State{Hostname: "pi", Arch: "aarch64", Now: now, StoreFree: 1 << 30}
	for _, c := range []struct {
		name     string
		change   func(*target.State)
		problem  string
		warnings string
	}{
		{"fit", func(*target.State) {}, "", ""},
		{"architecture", func(s *target.State) { s.Arch = "x86_64" }, `hosts/pi/host.toml: system is "aarch64-linux", but the machine says it is "x86_64"`, ""},
		{"clock far off", func(s *target.State) { s.Now = now.Add(-11 * time.Minute) }, "pi: its clock is off by 11m0s", ""},
		{"clock a little off", func(s *target.State) { s.Now = now.Add(90 * time.Second) }, "", "its clock is off by 1m30s"},
		{"full disk", func(s *target.State) { s.StoreFree = 1 << 20 }, "pi: /nix/store has 1 MiB free, and the deploy needs 64 MiB", ""},
		{"unknown disk", func(s *target.State) { s.StoreFree = -1 }, "", ""},
		{"another name", func(s *target.State) { s.Hostname = "nixos" }, "", `it calls itself "nixos" until the new system runs`},
		{"failed units", func(s *target.State) { s.Failed = []string{"a.service", "b.timer"} }, "", "units that have failed already: a.service, b.timer"},
	} {
		s := good
		c.change(&s)
		problem, warnings := fit(host, s, now)
		if text := words(problem); text != c.problem || strings.Join(warnings, "|") != c.warnings {
			t.Errorf("%s: problem %q, warnings %q", c.name, text, warnings)
		}
	}
}

func words(err error) string {
	if err == nil {
		return ""
	}
	return err.Error()
}

func TestRoom(t *testing.T) {
	for _, c := range []struct {
		name          string
		store, docker int64
		bring, pull   int64
		want          string
	}{
		{"enough", 1 << 30, 1 << 30, 100 << 20, 100 << 20, ""},
		{"store", 100 << 20, 1 << 30, 100 << 20, 0, "pi: /nix/store has 100 MiB free, and the deploy needs 164 MiB"},
		{"docker", 1 << 30, 100 << 20, 0, 100 << 20, "pi: Docker's data folder has 100 MiB free, and the deploy needs 364 MiB"},
		{"not said", -1, -1, 1 << 40, 1 << 40, ""},
		{"no image", 1 << 30, 0, 0, 0, ""},
	} {
		p := HostPlan{Host: fleet.Host{Name: "pi"}, State: target.State{StoreFree: c.store, DockerFree: c.docker}, NewBytes: c.bring}
		if c.pull > 0 {
			p.Images = []Image{{Bytes: c.pull}}
		}
		if got := words(room(p)); got != c.want {
			t.Errorf("%s: %q", c.name, got)
		}
	}
}

func TestRuns(t *testing.T) {
	for _, c := range []struct {
		action  Action
		s       target.State
		already bool
	}{
		{Switch, target.State{Running: newSystem, Profile: newSystem}, true},
		{Switch, target.State{Running: newSystem, Profile: newSystem, Failed: []string{"other.service"}}, true},
		{Switch, target.State{Running: newSystem, Profile: newSystem, Failed: []string{"pistack-web.service"}}, false},
		{Switch, target.State{Running: newSystem, Profile: newSystem, Undo: "armed"}, false},
		{Switch, target.State{Running: newSystem, Profile: newSystem, Undo: "failed"}, false},
		{Switch, target.State{Running: newSystem, Profile: newSystem, Undo: "done"}, true},
		{Switch, target.State{Running: newSystem, Profile: oldSystem}, false},
		{Boot, target.State{Running: oldSystem, Profile: newSystem}, true},
		{Test, target.State{Running: newSystem, Profile: oldSystem}, true},
		{DryActivate, target.State{Running: oldSystem, Profile: oldSystem}, false},
	} {
		if got := runs(c.action, c.s, newSystem); got != c.already {
			t.Errorf("%s of %+v: %t", c.action, c.s, got)
		}
	}
}

func TestWaves(t *testing.T) {
	var hosts []HostPlan
	for _, name := range []string{"a", "b", "c"} {
		hosts = append(hosts, HostPlan{Host: fleet.Host{Name: name}})
	}
	for canary, want := range map[string]string{"": "abc", "1": "a bc", "2": "ab c", "9": "abc ", "b": "b ac"} {
		order, err := waves(hosts, canary)
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, w := range order {
			text := ""
			for _, h := range w {
				text += h.Host.Name
			}
			got = append(got, text)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("canary %q: %q, want %q", canary, got, want)
		}
	}
	if _, err := waves(hosts, "0"); err == nil {
		t.Error("no host as canary was accepted")
	}
}

func TestJudge(t *testing.T) {
	web := target.Container{Stack: "web", Name: "web-1", ID: "1", State: "running"}
	with := func(change func(*target.Container)) target.Container {
		c := web
		change(&c)
		return c
	}
	for _, c := range []struct {
		name      string
		container target.Container
		want      condition
	}{
		{"running", web, fine},
		{"healthy", with(func(c *target.Container) { c.Health = "healthy" }), fine},
		{"starting", with(func(c *target.Container) { c.Health = "starting" }), soon},
		{"created", with(func(c *target.Container) { c.State = "created" }), soon},
		{"one-shot", with(func(c *target.Container) { c.State = "exited" }), fine},
		{"failed", with(func(c *target.Container) { c.State, c.ExitCode = "exited", 1 }), bad},
		{"unhealthy", with(func(c *target.Container) { c.Health = "unhealthy" }), bad},
		{"restarting", with(func(c *target.Container) { c.State = "restarting" }), bad},
		{"dead", with(func(c *target.Container) { c.State = "dead" }), bad},
		{"another stack's", with(func(c *target.Container) { c.Stack, c.Health = "other", "unhealthy" }), fine},
	} {
		w := watch{before: target.Before{Failed: []string{"old.service"}}}
		v := w.judge(target.Health{Changed: []string{"web"}, Containers: []target.Container{c.container}, Failed: []string{"old.service"}})
		got := fine
		if v.failed() {
			got = bad
		} else if v.pending != "" {
			got = soon
		}
		if got != c.want {
			t.Errorf("%s: %v, want %v", c.name, got, c.want)
		}
	}

	// What restarts between two looks does not stay up, however often it had before.
	w := watch{}
	first := with(func(c *target.Container) { c.Restarts = 7 })
	again := with(func(c *target.Container) { c.Restarts = 8 })
	if v := w.judge(target.Health{Changed: []string{"web"}, Containers: []target.Container{first}}); v.failed() {
		t.Errorf("first look: %+v", v)
	}
	if v := w.judge(target.Health{Changed: []string{"web"}, Containers: []target.Container{again}}); !v.failed() {
		t.Error("a restart went unnoticed")
	}
	if v := w.judge(target.Health{Failed: []string{"new.service"}}); !reflect.DeepEqual(v.units, []string{"new.service"}) {
		t.Errorf("units %q", v.units)
	}
}

func TestUnitChanges(t *testing.T) {
	before := map[string]string{"same.service": "/1", "changed.service": "/1", "reloads.service": "/1", "left.service": "/1", "gone.service": "/1", "x@.service": "/1",
		"gone.target": "/1", "same.service.d/overrides.conf": "/1"}
	after := map[string]nix.Unit{
		"same.service":    {Hash: "/1", Active: true},
		"changed.service": {Hash: "/2", Active: true},
		"reloads.service": {Hash: "/2", Switch: nix.Reload},
		"left.service":    {Hash: "/2", Switch: nix.Leave},
		"new.service":     {Hash: "/2", Active: true},
		"idle.service":    {Hash: "/2"},
		"x@.service":      {Hash: "/2"},
	}
	want := []UnitChange{{"changed.service", UnitRestart}, {"gone.service", UnitStop}, {"new.service", UnitStart}, {"reloads.service", UnitReload}}
	if got := unitChanges(before, after); !reflect.DeepEqual(got, want) {
		t.Errorf("got %v", got)
	}
}

// TestFolder: what a run leaves here, and that it does not grow for ever.
func TestFolder(t *testing.T) {
	dir := t.TempDir()
	begun := time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)
	for i := range keptRuns + 3 {
		f := NewFolder(dir, "ABCDEFGHIJ", begun.Add(time.Duration(i)*time.Minute))
		if f.LogFile("pi") != "" {
			t.Fatal("a log that nothing was written to")
		}
		f.Log("pi")("a line")
		if err := f.Receipt("pi", []byte("{}")); err != nil {
			t.Fatal(err)
		}
		text, err := os.ReadFile(f.LogFile("pi"))
		if err != nil || !strings.HasSuffix(string(text), " a line\n") {
			t.Fatalf("log %q, error %v", text, err)
		}
		if err := f.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for _, folder := range []string{"logs", "receipts/pi"} {
		entries, err := os.ReadDir(filepath.Join(dir, folder))
		if err != nil || len(entries) != keptRuns || !strings.HasPrefix(entries[len(entries)-1].Name(), "20261124T125200Z-ABCDEFGH") {
			t.Errorf("%s: %d entries, error %v", folder, len(entries), err)
		}
	}
	// A disk that is full here ends no deploy there.
	full := NewFolder("/dev/null/nowhere", "ABCDEFGHIJ", begun)
	full.Log("pi")("lost")
	if full.LogFile("pi") != "" || full.Close() != nil {
		t.Error("a folder that cannot be made")
	}
}

func TestHints(t *testing.T) {
	var all []error
	for _, h := range []error{noSpace("pi", "/nix/store", 2, 1), notBuilt("pi", errors.New("x"))} {
		all = append(all, h)
	}
	if slices.ContainsFunc(all, func(err error) bool { return err.(*Error).Hint() == "" }) {
		t.Error("an error that does not say what to do")
	}
}

// TestLockAllLeaves: where another run has a lock by now, the machines after it
// are left to that run, and those before are deployed.
func TestLockAllLeaves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSimFleet([]string{"a", "b", "c"}, rand.New(rand.NewPCG(1, 1)), 0)
		run, hosts, _ := f.run("run1", Options{Action: Switch, Parallel: 2, EvalJobs: 1, Timing: DefaultTiming()})
		var connected sync.Map
		run.Connect = func(_ context.Context, host string) { connected.Store(host, true) }
		plan, err := run.Plan(t.Context(), hosts)
		if err != nil {
			t.Fatal(err)
		}
		f.machines["b"].lock = &target.Owner{ID: "other", User: "eve"}
		results, err := run.Apply(t.Context(), plan)
		if err != nil {
			t.Fatal(err)
		}
		for i, want := range []Outcome{Deployed, Refused, Refused} {
			if results[i].Outcome != want {
				t.Errorf("%s: %s (%v), want %s", results[i].Host, results[i].Outcome, results[i].Err, want)
			}
		}
		if f.machines["b"].lock.ID != "other" || f.machines["c"].lock != nil {
			t.Errorf("locks %v, %v", f.machines["b"].lock, f.machines["c"].lock)
		}
		for host, want := range map[string]bool{"a": true, "b": true, "c": false} {
			if _, got := connected.Load(host); got != want {
				t.Errorf("connected to %s: %t", host, got)
			}
		}
	})
}

package target_test

import (
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"time"

	"pistack/internal/fleettest"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// rig is one machine, and how a deploy reaches it.
type rig struct {
	target.Machine
	host     *fleettest.Host
	old, new string // systems; old runs
}

// web is what the old and the new system differ in.
func web(name string, change ...func(*fleettest.System)) fleettest.System {
	s := fleettest.System{
		Name: name, Kernel: "6.12",
		Units: map[string]string{"pistack-web.service": "web of " + name, "pistack-db.service": "the same", "pistack-secrets.service": name, "sshd.service": name},
		Containers: []fleettest.Container{{
			Project: "web", Service: "app", Name: "web-app-1", ID: "c1" + name, Image: "app@sha256:1", Health: "healthy", Log: []string{"hello", "world"},
		}},
	}
	for _, c := range change {
		c(&s)
	}
	return s
}

func newRig(t *testing.T, change ...func(*fleettest.System)) *rig {
	t.Helper()
	t.Parallel() // most of a test is waiting for a machine
	f := fleettest.Start(t, 1)
	r := &rig{host: f.Hosts[0]}
	r.old = r.host.Install(t, web("old"))
	r.host.Boot(t, r.old)
	r.new = r.host.Install(t, web("new", change...))
	r.Machine = target.New(connect(t, f), "h001")
	return r
}

func connect(t *testing.T, f *fleettest.Fleet) *remote.Connections {
	t.Helper()
	config, err := remote.NewConfig(f.Remote(), remote.Options{Dir: t.TempDir(), IdentityFile: f.Identity})
	if err != nil {
		t.Fatal(err)
	}
	if err := config.Write(); err != nil {
		t.Fatal(err)
	}
	cs, err := config.Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cs.Close)
	return cs
}

func owner(id string) target.Owner {
	return target.Owner{ID: id, User: "ada", From: "desk", Revision: "abc123", Dirty: true, Since: time.Unix(1_700_000_000, 0).UTC()}
}

func ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

func is(t *testing.T, err, want error) {
	t.Helper()
	if !errors.Is(err, want) || !strings.HasPrefix(err.Error(), "h001: ") {
		t.Fatalf("error %v, want %v", err, want)
	}
}

func (r *rig) probe(t *testing.T) target.State {
	t.Helper()
	s, err := r.Probe(t.Context())
	ok(t, err)
	return s
}

func TestProbe(t *testing.T) {
	r := newRig(t)
	before := r.host.Sessions(t)
	s := r.probe(t)
	if got := r.host.Sessions(t) - before; got != 1 {
		t.Errorf("%d sessions", got)
	}
	if s.Hostname != "h001" || s.Arch == "" || s.Kernel == "" || s.BootID == "" || s.Now.Year() < 2020 || s.Uptime <= 0 || s.StoreFree <= 0 || s.DockerFree <= 0 {
		t.Errorf("%+v", s)
	}
	s.Hostname, s.Arch, s.Kernel, s.BootID, s.Now, s.Uptime, s.StoreFree, s.DockerFree = "", "", "", "", time.Time{}, 0, 0, 0
	want := target.State{Running: r.old, Booted: r.old, Profile: r.old, Generation: 1, BootedKernel: r.old + "/kernel-6.12"}
	if !reflect.DeepEqual(s, want) {
		t.Errorf("got  %+v\nwant %+v", s, want)
	}
}

// TestProbeChanges: each part of the answer follows what is so.
func TestProbeChanges(t *testing.T) {
	r := newRig(t, func(s *fleettest.System) {
		s.Kernel, s.Failed = "6.18", []string{"pistack-web.service", "a.mount"}
	})
	ok(t, r.Lock(t.Context(), owner("run-1")))
	r.Activate(t.Context(), "run-1", r.new, "test", nil)
	ok(t, r.Conclude(t.Context(), "run-1", []byte("{\"a\": \"ä\"}\n")))
	ok(t, r.Lock(t.Context(), owner("run-1")))
	r.host.Program(t, "df", "echo Avail; echo '   4096'; echo 8192")
	r.host.Program(t, "uname", "case $1 in -m) echo riscv64 ;; *) /usr/bin/uname $1 ;; esac")
	s := r.probe(t)
	held := owner("run-1")
	if s.Running != r.new || s.Booted != r.old || s.Profile != r.old || !s.Reboot || s.StoreFree != 4096 || s.DockerFree != 8192 || s.Arch != "riscv64" ||
		!slices.Equal(s.Failed, []string{"a.mount", "pistack-web.service"}) || !reflect.DeepEqual(s.Lock, &held) || string(s.Receipt) != "{\"a\": \"ä\"}\n" {
		t.Errorf("%+v, lock %+v", s, s.Lock)
	}
	t.Run("a machine without any system", func(t *testing.T) {
		f := fleettest.Start(t, 1)
		s, err := target.New(connect(t, f), "h001").Probe(t.Context())
		if err != nil || s.Running != "" || s.Profile != "" || s.Generation != 0 || s.Reboot {
			t.Errorf("%+v, %v", s, err)
		}
	})
	t.Run("a system manager that does not answer", func(t *testing.T) {
		r.host.Fail(t, fleettest.Fault{Program: "systemctl", Exit: 1, Stderr: "Failed to connect to bus"})
		if _, err := r.Probe(t.Context()); err == nil || !strings.Contains(err.Error(), "Failed to connect to bus") {
			t.Errorf("error %v: no failed units were seen where none could be asked for", err)
		}
	})
}

func TestLock(t *testing.T) {
	r := newRig(t)
	ok(t, r.Lock(t.Context(), owner("run-1")))
	ok(t, r.Lock(t.Context(), owner("run-1"))) // the answer was lost
	err := r.Lock(t.Context(), owner("run-2"))
	var held *target.Held
	if !errors.As(err, &held) || held.Owner != owner("run-1") || err.Error() != "h001: locked by ada from desk since 2023-11-14T22:13:20Z" || !strings.Contains(held.Hint(), "pistack unlock h001") {
		t.Errorf("error %v", err)
	}
	if err := r.Unlock(t.Context(), "run-2"); !errors.As(err, &held) || held.Owner.ID != "run-1" {
		t.Errorf("another's lock: %v", err)
	}
	ok(t, r.Unlock(t.Context(), "run-1"))
	ok(t, r.Unlock(t.Context(), "run-1"))
	ok(t, r.Lock(t.Context(), owner("run-2")))
	got, err := r.BreakLock(t.Context())
	if err != nil || got != owner("run-2") {
		t.Errorf("broken lock of %+v, %v", got, err)
	}
	if got, err := r.BreakLock(t.Context()); err != nil || got != (target.Owner{}) {
		t.Errorf("nobody's lock: %+v, %v", got, err)
	}
	if left := r.host.Shell(t, "ls /run/pistack-deploy; stat -c %a /run/pistack-deploy"); left != "700" {
		t.Errorf("left: %s", left)
	}
	r.host.Shell(t, "true")
	ok(t, r.Lock(t.Context(), owner("run-3")))
	r.host.Reboot(t)
	if r.probe(t).Lock != nil {
		t.Error("a reboot did not clear the lock")
	}
}

// TestLockAndProbe: one session, whose state is that of the locked machine.
func TestLockAndProbe(t *testing.T) {
	r := newRig(t)
	before := r.host.Sessions(t)
	s, err := r.LockAndProbe(t.Context(), owner("run-1"))
	if err != nil || s.Running != r.old || s.Lock == nil || *s.Lock != owner("run-1") || r.host.Sessions(t)-before != 1 {
		t.Errorf("%+v, %v", s, err)
	}
	if s, err = r.LockAndProbe(t.Context(), owner("run-1")); err != nil || s.Running != r.old {
		t.Errorf("again: %+v, %v", s, err)
	}
	var held *target.Held
	if s, err = r.LockAndProbe(t.Context(), owner("run-2")); !errors.As(err, &held) || held.Owner != owner("run-1") || s.Running != "" {
		t.Errorf("another's: %+v, %v", s, err)
	}
	ok(t, r.Unlock(t.Context(), "run-1"))
	r.host.Fail(t, fleettest.Fault{Program: "systemctl", Exit: 1, Times: 1})
	if _, err := r.LockAndProbe(t.Context(), owner("run-3")); err == nil || errors.As(err, &held) {
		t.Errorf("a machine that does not say what it is: %v", err)
	}
	if lock := r.probe(t).Lock; lock == nil || lock.ID != "run-3" {
		t.Errorf("lock %+v", lock)
	}
	if _, err := r.LockAndProbe(t.Context(), owner("a b")); err == nil {
		t.Error("an id that is none")
	}
}

// TestLockNames: whatever somebody is called.
func TestLockNames(t *testing.T) {
	r := newRig(t)
	o := owner("run-1")
	o.User, o.From, o.Revision, o.Dirty = "a\nid\tx\x00\xff ö $(id)'", strings.Repeat("x", 1000), "", false
	ok(t, r.Lock(t.Context(), o))
	lock := r.probe(t).Lock
	if lock.ID != "run-1" || lock.User != "aidx ö $(id)'" || len(lock.From) != 200 || lock.Revision != "" {
		t.Errorf("%+v", lock)
	}
	for _, id := range []string{"", "a b", "../x", "-a", strings.Repeat("a", 65), "a\n"} {
		if r.Lock(t.Context(), owner(id)) == nil || r.Unlock(t.Context(), id) == nil {
			t.Errorf("id %q was taken", id)
		}
	}
}

// TestLockRace: of many at once, one has it.
func TestLockRace(t *testing.T) {
	r := newRig(t)
	const n = 8
	errs := make(chan error, n)
	for i := range n {
		go func() { errs <- r.Lock(t.Context(), owner(fmt.Sprint("run-", i))) }()
	}
	won := 0
	for range n {
		err := <-errs
		var held *target.Held
		if err == nil {
			won++
		} else if !errors.As(err, &held) || held.Owner.User != "ada" {
			t.Errorf("error %v", err)
		}
	}
	if won != 1 {
		t.Errorf("%d have the lock", won)
	}
}

// TestLockLost: every step that changes something asks whose the lock is.
func TestLockLost(t *testing.T) {
	r := newRig(t)
	for name, step := range map[string]func(ctx context.Context) error{
		"arm":        func(ctx context.Context) error { _, err := r.Arm(ctx, "run-1", time.Minute, r.new); return err },
		"activate":   func(ctx context.Context) error { return r.Activate(ctx, "run-1", r.new, "test", nil) },
		"profile":    func(ctx context.Context) error { return r.SetProfile(ctx, "run-1", r.new) },
		"generation": func(ctx context.Context) error { return r.SwitchGeneration(ctx, "run-1", 1) },
		"receipt":    func(ctx context.Context) error { return r.Conclude(ctx, "run-1", nil) },
	} {
		is(t, step(t.Context()), target.ErrLockLost)
		ok(t, r.Lock(t.Context(), owner("run-2")))
		if err := step(t.Context()); !errors.Is(err, target.ErrLockLost) {
			t.Errorf("%s: %v", name, err)
		}
		ok(t, r.Unlock(t.Context(), "run-2"))
	}
	if s := r.probe(t); s.Running != r.old || s.Profile != r.old || s.Undo != "" || s.Receipt != nil {
		t.Errorf("%+v", s)
	}
	t.Run("while armed", func(t *testing.T) {
		ok(t, r.Lock(t.Context(), owner("run-1")))
		_, err := r.Arm(t.Context(), "run-1", time.Hour, r.new)
		ok(t, err)
		_, err = r.BreakLock(t.Context())
		ok(t, err)
		is(t, r.Renew(t.Context(), "run-1"), target.ErrLockLost)
		is(t, r.Disarm(t.Context(), "run-1"), target.ErrLockLost)
		ok(t, r.Lock(t.Context(), owner("run-2")))
		_, err = r.Arm(t.Context(), "run-2", time.Hour, r.new)
		is(t, err, target.ErrPending)
		if s := r.probe(t); s.Undo != "armed" || s.UndoID != "run-1" || s.Lock.ID != "run-2" {
			t.Errorf("%+v", s)
		}
		_, err = r.Undo(t.Context(), "run-1", nil)
		ok(t, err)
		if s := r.probe(t); s.Undo != "done" || s.Lock.ID != "run-2" {
			t.Errorf("another's lock was given back: %+v", s)
		}
		_, err = r.Arm(t.Context(), "run-2", time.Hour, r.new)
		ok(t, err)
	})
}

func TestHealth(t *testing.T) {
	r := newRig(t, func(s *fleettest.System) {
		s.Failed = []string{"pistack-web.service"}
		s.Units["pistack-more.service"] = "a new one"
		s.Containers = append(s.Containers, fleettest.Container{Project: "web", Service: "job", Name: "web-job-1", ID: "c2", Image: "job", State: "exited", ExitCode: 137, Restarts: 3})
	})
	before := r.host.Connections(t)
	h, err := r.Health(t.Context(), r.old, r.new)
	if err != nil || len(h.Failed) != 0 || !slices.Equal(h.Changed, []string{"more", "web"}) || len(h.Containers) != 1 {
		t.Errorf("%+v, %v", h, err)
	}
	ok(t, r.Lock(t.Context(), owner("run-1")))
	_ = r.Activate(t.Context(), "run-1", r.new, "test", nil)
	h, err = r.Health(t.Context(), "", "")
	want := target.Health{Failed: []string{"pistack-web.service"}, Containers: []target.Container{
		{Stack: "web", Service: "app", Name: "web-app-1", ID: "c1new", Image: "app@sha256:1", State: "running", Health: "healthy"},
		{Stack: "web", Service: "job", Name: "web-job-1", ID: "c2", Image: "job", State: "exited", ExitCode: 137, Restarts: 3},
	}}
	if err != nil || !reflect.DeepEqual(h, want) {
		t.Errorf("got  %+v, %v\nwant %+v", h, err, want)
	}
	if got := r.host.Connections(t) - before; got != 3 {
		t.Errorf("%d connections: health is asked over new ones", got)
	}
	t.Run("one goes away", func(t *testing.T) {
		r.host.Fail(t, fleettest.Fault{Program: "docker", Args: "inspect", Exit: 1, Times: 1}, fleettest.Fault{Program: "docker", Args: "c1new", Exit: 1})
		h, err := r.Health(t.Context(), "", "")
		if err != nil || len(h.Containers) != 1 {
			t.Errorf("%+v, %v", h.Containers, err)
		}
		r.host.Heal(t)
	})
	t.Run("no Docker", func(t *testing.T) {
		r.host.Change(t, func(s *fleettest.State) { s.NoDocker = true })
		if _, err := r.Health(t.Context(), "", ""); err == nil || !strings.Contains(err.Error(), "Docker daemon") {
			t.Errorf("error %v: no containers where none could be asked for", err)
		}
	})
}

func TestLogs(t *testing.T) {
	r := newRig(t)
	lines, err := r.Journal(t.Context(), "pistack-web.service", 20)
	if err != nil || len(lines) != 2 || lines[1] != "pistack-web.service: something went wrong" {
		t.Errorf("%q, %v", lines, err)
	}
	lines, err = r.ContainerLog(t.Context(), "c1old", 20)
	if err != nil || !slices.Equal(lines, []string{"hello", "world"}) {
		t.Errorf("%q, %v", lines, err)
	}
	if _, err := r.ContainerLog(t.Context(), "none", 20); err == nil {
		t.Error("the log of no container")
	}
}

func TestImages(t *testing.T) {
	r := newRig(t)
	r.host.Change(t, func(s *fleettest.State) { s.Images, s.Absent = []string{"here@sha256:1"}, []string{"gone@sha256:3"} })
	all := []string{"here@sha256:1", "new@sha256:2", "gone@sha256:3"}
	missing, err := r.Missing(t.Context(), all)
	if err != nil || !slices.Equal(missing, all[1:]) {
		t.Errorf("%q, %v", missing, err)
	}
	ok(t, os.MkdirAll(r.host.Inside("/run/pistack/current/docker"), 0o700))
	var lines []string
	err = r.Pull(t.Context(), []string{"gone@sha256:3", "new@sha256:2"}, func(text string) { lines = append(lines, text) })
	if err == nil || !slices.Contains(lines, "not pulled: gone@sha256:3") || !slices.Contains(lines, "credentials of /run/pistack/current/docker") {
		t.Errorf("%q, %v", lines, err)
	}
	missing, err = r.Missing(t.Context(), all)
	if err != nil || !slices.Equal(missing, all[2:]) {
		t.Errorf("after the pull: %q, %v", missing, err)
	}
	if missing, err := r.Missing(t.Context(), nil); err != nil || missing != nil {
		t.Errorf("of none: %q, %v", missing, err)
	}
	for _, image := range []string{"--all", "a\nb", "", "a b"} {
		if r.Pull(t.Context(), []string{image}, nil) == nil {
			t.Errorf("%q was pulled", image)
		}
	}
	r.host.Change(t, func(s *fleettest.State) { s.NoDocker = true })
	if _, err := r.Missing(t.Context(), all); err == nil {
		t.Error("images of no Docker")
	}
}

// TestCompare: one session for all.
func TestCompare(t *testing.T) {
	r := newRig(t)
	var paths, want []string
	for i := range 3000 {
		paths = append(paths, fmt.Sprintf("/nix/store/%032d-a-package-with-a-name-of-usual-length-%d", i, i))
	}
	want = slices.Clone(paths)
	paths = append(paths, r.old)
	sessions := r.host.Sessions(t)
	got, err := r.Compare(t.Context(), target.Wanted{Paths: paths, Images: []string{"none@sha256:1"}, Running: r.old})
	if err != nil || !slices.Equal(got.Paths, want) || !slices.Equal(got.Images, []string{"none@sha256:1"}) || len(got.Units) != 4 {
		t.Errorf("%d of %d paths, images %q, units %q, %v", len(got.Paths), len(want), got.Images, got.Units, err)
	}
	if n := r.host.Sessions(t) - sessions; n != 1 {
		t.Errorf("%d sessions", n)
	}
	if n := len(r.host.Calls(t, "nix-store")); n > 12 {
		t.Errorf("nix-store was called %d times", n)
	}
	if got, err := r.Compare(t.Context(), target.Wanted{Paths: []string{r.old}}); err != nil || len(got.Paths) != 0 || got.Units != nil {
		t.Errorf("what is there: %+v, %v", got, err)
	}
	for _, w := range []string{"", "-x", "/a b", "/a\n/b", "/'", "/\\"} {
		if _, err := r.Compare(t.Context(), target.Wanted{Paths: []string{w}}); err == nil {
			t.Errorf("%q was asked for", w)
		}
	}
	r.host.Fail(t, fleettest.Fault{Program: "nix-store", Exit: 1, Stderr: "error: the database is broken", Times: 1})
	if _, err := r.Compare(t.Context(), target.Wanted{Paths: []string{r.old}, Running: r.old}); err == nil || !strings.Contains(err.Error(), "the database is broken") {
		t.Errorf("a store that does not answer: %v", err)
	}
}

func TestUnits(t *testing.T) {
	r := newRig(t)
	units, err := r.Units(t.Context(), r.new)
	want := map[string]string{}
	for _, name := range []string{"pistack-web.service", "pistack-db.service", "pistack-secrets.service", "sshd.service"} {
		want[name], _, _ = strings.Cut(r.host.Shell(t, "sha256sum "+r.new+"/etc/systemd/system/"+name), " ")
	}
	if err != nil || !reflect.DeepEqual(units, want) {
		t.Errorf("%q, %v", units, err)
	}
	if _, err := r.Units(t.Context(), "/nix/store/none"); err == nil {
		t.Error("units of no system")
	}
	t.Run("links, drop-ins and what is none", func(t *testing.T) {
		r.host.Shell(t, "mkdir -p /nix/store/x/etc/systemd/system /nix/store/u && cd /nix/store/x/etc/systemd/system && mkdir a.service.d m.wants && echo >/nix/store/u/a && ln -s /nix/store/u/a a.service && ln -s /nix/store/u/a a.service.d/overrides.conf && ln -s ../a.service m.wants/a.service && ln -s /none dangling.service && ln -s /dev/null masked.service && echo >'var-lib-a\\x2db.mount'")
		units, err := r.Units(t.Context(), "/nix/store/x")
		line, nothing := fmt.Sprintf("%x", sha256.Sum256([]byte("\n"))), fmt.Sprintf("%x", sha256.Sum256(nil))
		want := map[string]string{"a.service": line, "a.service.d/overrides.conf": line, "masked.service": nothing, `var-lib-a\x2db.mount`: line}
		if err != nil || !reflect.DeepEqual(units, want) {
			t.Errorf("%q, %v", units, err)
		}
	})
}

func TestGenerations(t *testing.T) {
	r := newRig(t)
	ok(t, r.Lock(t.Context(), owner("run-1")))
	ok(t, r.SetProfile(t.Context(), "run-1", r.new))
	ok(t, r.SetProfile(t.Context(), "run-1", r.new))
	ok(t, r.SwitchGeneration(t.Context(), "run-1", 1))
	all, err := r.Generations(t.Context())
	if err != nil || len(all) != 2 || all[0].Number != 1 || all[0].Path != r.old || !all[0].Current || all[1].Number != 2 || all[1].Path != r.new || all[1].Current || all[0].Date.Year() < 2020 {
		t.Errorf("%+v, %v", all, err)
	}
	if err := r.SwitchGeneration(t.Context(), "run-1", 7); err == nil {
		t.Error("a generation that is not there")
	}
	if err := r.SetProfile(t.Context(), "run-1", "/nix/store/none"); err == nil {
		t.Error("a path that is not there")
	}
	if s := r.probe(t); s.Profile != r.old || s.Generation != 1 {
		t.Errorf("%+v", s)
	}
}

func TestActivate(t *testing.T) {
	for _, c := range []struct {
		change  func(*fleettest.System)
		code    int
		running bool // the new system, after it
	}{
		{func(*fleettest.System) {}, 0, true},
		{func(s *fleettest.System) { s.Failed = []string{"x.service"} }, 4, true},
		{func(s *fleettest.System) { s.Exit = map[string]int{"test": 100} }, 100, true},
		{func(s *fleettest.System) { s.Early = map[string]int{"test": 1} }, 1, false},
	} {
		t.Run(fmt.Sprint(c.code), func(t *testing.T) {
			r := newRig(t, c.change, func(s *fleettest.System) { s.Says = []string{"says"} })
			ok(t, r.Lock(t.Context(), owner("run-1")))
			var lines []string
			err := r.Activate(t.Context(), "run-1", r.new, "test", func(text string) { lines = append(lines, text) })
			var exit *remote.ExitError
			if c.code == 0 && err != nil || c.code != 0 && (!errors.As(err, &exit) || exit.Code != c.code) {
				t.Errorf("error %v", err)
			}
			if got := r.probe(t).Running == r.new; got != c.running || lines[0] != "says" {
				t.Errorf("the new system runs: %v; lines %q", got, lines)
			}
			if r.Activate(t.Context(), "run-1", r.new, "test; reboot", nil) == nil {
				t.Error("no action")
			}
		})
	}
}

func TestReceipts(t *testing.T) {
	r := newRig(t)
	for i := range 25 {
		id := fmt.Sprintf("run-%02d", i)
		r.host.Program(t, "date", fmt.Sprintf("case $* in *%%s) exec /usr/bin/date +%%s ;; esac; echo 20260101T0000%02dZ", i))
		ok(t, r.Lock(t.Context(), owner(id)))
		ok(t, r.Conclude(t.Context(), id, []byte("older")))
		ok(t, r.Lock(t.Context(), owner(id))) // the answer was lost
		ok(t, r.Conclude(t.Context(), id, []byte(id)))
	}
	if got := string(r.probe(t).Receipt); got != "run-24" {
		t.Errorf("receipt %s", got)
	}
	kept := strings.Fields(r.host.Shell(t, "for f in /var/lib/pistack/.receipts/*.json; do cat $f; echo; done; ls -A /var/lib/pistack; stat -c %a /var/lib/pistack"))
	if len(kept) != 23 || kept[0] != "run-05" || kept[20] != ".receipts" || kept[21] != "receipt.json" || kept[22] != "755" || !slices.Contains(kept, "run-24") || slices.Contains(kept, "run-01") {
		t.Errorf("%q", kept)
	}
	if r.Conclude(t.Context(), "run-24", make([]byte, 2_000_000)) == nil {
		t.Error("a receipt of 2 MB")
	}
	if r.probe(t).Lock != nil {
		t.Error("the lock was not given back")
	}
	t.Run("a disk that takes none", func(t *testing.T) {
		ok(t, r.Lock(t.Context(), owner("run-25")))
		r.host.Program(t, "ln", "echo 'No space left on device' >&2; exit 1")
		if err := r.Conclude(t.Context(), "run-25", []byte("lost")); err == nil || !strings.Contains(err.Error(), "No space left") {
			t.Errorf("error %v", err)
		}
		if s := r.probe(t); s.Lock == nil || string(s.Receipt) != "run-24" {
			t.Errorf("%+v", s)
		}
	})
}

func TestReboot(t *testing.T) {
	r := newRig(t)
	before := r.probe(t)
	ok(t, r.Reboot(t.Context()))
	for {
		s, err := r.Probe(t.Context())
		if err == nil && s.BootID != before.BootID {
			break
		}
		if t.Context().Err() != nil {
			t.Fatal(err)
		}
	}
}

// TestScriptsAreWhole: every script is called, and each reads the common part.
func TestScriptsAreWhole(t *testing.T) {
	files, err := filepath.Glob("script/*.sh")
	ok(t, err)
	var code strings.Builder
	sources, err := filepath.Glob("*.go")
	ok(t, err)
	for _, file := range sources {
		if !strings.HasSuffix(file, "_test.go") {
			data, err := os.ReadFile(file)
			ok(t, err)
			code.Write(data)
		}
	}
	for _, file := range files {
		data, err := os.ReadFile(file)
		ok(t, err)
		name := filepath.Base(file)
		if !strings.Contains(code.String(), `"`+name+`"`) {
			t.Errorf("%s is not called", name)
		}
		if alone := name == "common.sh" || name == "undo.sh"; strings.Contains(string(data), "\n. ./common.sh\n") == alone {
			t.Errorf("%s: common.sh", name)
		}
		if info, err := os.Stat(file); err != nil || !strings.HasPrefix(string(data), "#!/bin/sh\n") {
			t.Errorf("%s: %v, %v", name, info.Mode(), err)
		}
	}
}

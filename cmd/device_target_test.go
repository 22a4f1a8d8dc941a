//go:build device

package cmd_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"pistack/internal/remote"
	"pistack/internal/target"
)

// trial is a virtual Pi with two systems to go to and fro between.
type trial struct {
	target.Machine
	lab      *lab
	machine  machine
	old, new string // store paths; old runs
	runs     int
}

// newTrial boots a virtual Pi and gives it two small systems.
func newTrial(t *testing.T) *trial {
	t.Helper()
	l := newLab(t)
	x := &trial{lab: l, machine: machine{number: "1", host: "rpi-box-01"}}
	l.vpi(t, "up", "1")
	x.connect(t)
	x.old = x.system(t, "old", "/bin/true")
	x.new = x.system(t, "new", "/bin/true")
	l.ssh(t, x.machine, "nix-env -p /nix/var/nix/profiles/system --set "+x.old+" && "+x.old+"/bin/switch-to-configuration switch")
	return x
}

// connect reaches the machine over ssh from the lab's network.
func (x *trial) connect(t *testing.T) {
	t.Helper()
	ssh, err := exec.LookPath("ssh")
	if err != nil {
		t.Fatal(err)
	}
	bin := t.TempDir()
	script := fmt.Sprintf("#!/bin/sh\nexec %s in %s \"$@\"\n", x.lab.script, ssh)
	if err := os.WriteFile(filepath.Join(bin, "ssh"), []byte(script), 0o755); err != nil {
		t.Fatal(err)
	}
	for _, v := range x.lab.env {
		if name, value, _ := strings.Cut(v, "="); strings.HasPrefix(name, "VPI") {
			t.Setenv(name, value)
		}
	}
	t.Setenv("PATH", bin+":"+os.Getenv("PATH"))
	key := strings.TrimSpace(string(must(os.ReadFile(x.lab.info(t, x.machine, "host_key_file")))))
	host := remote.Host{Name: x.machine.host, Address: x.lab.info(t, x.machine, "address"), User: "root", PublicKey: key}
	config := must(remote.NewConfig([]remote.Host{host}, remote.Options{Dir: t.TempDir(), IdentityFile: filepath.Join(vpiFolder(), "id")}))
	if err := config.Write(); err != nil {
		t.Fatal(err)
	}
	connections := must(config.Open())
	t.Cleanup(connections.Close)
	x.Machine = target.New(connections, x.machine.host)
}

func must[T any](value T, err error) T {
	if err != nil {
		panic(err)
	}
	return value
}

// system puts a system with one unit, trial.service, into the machine's store.
func (x *trial) system(t *testing.T, name, start string) string {
	t.Helper()
	for _, file := range []string{"switch-to-configuration", "activate"} {
		x.lab.sshStdin(t, x.machine, string(must(os.ReadFile(filepath.Join("../testdata/vpi/system", file)))), "cat >/root/"+file)
	}
	unit := "[Unit]\nDescription=" + name + "\n[Service]\nType=oneshot\nRemainAfterExit=yes\nExecStart=" + start + "\n"
	x.lab.sshStdin(t, x.machine, unit, "cat >/root/trial.service")
	return x.lab.ssh(t, x.machine, `set -e; d=/root/nixos-system-`+name+`; rm -rf $d; mkdir -p $d/bin $d/etc/systemd/system/multi-user.target.wants
install -m 755 /root/switch-to-configuration $d/bin/; install -m 755 /root/activate $d/activate; echo 26.05 >$d/nixos-version
cp /root/trial.service $d/etc/systemd/system/; ln -s ../trial.service $d/etc/systemd/system/multi-user.target.wants/
printf '[Unit]\nDescription=reactivation\n' >$d/etc/systemd/system/sysinit-reactivation.target
nix-store --add $d`)
}

// begin locks and arms.
func (x *trial) begin(t *testing.T, deadline time.Duration) (id string, before target.Before) {
	t.Helper()
	x.runs++
	id = fmt.Sprint("run-", x.runs)
	x.ok(t, x.Lock(t.Context(), target.Owner{ID: id, User: "ada", From: "desk"}))
	before, err := x.Arm(t.Context(), id, deadline, x.new)
	x.ok(t, err)
	return id, before
}

func (x *trial) ok(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatalf("%v\n%s", err, x.lab.ssh(t, x.machine, "journalctl -n 40 --no-pager; ls -lR /run/pistack-deploy"))
	}
}

// is checks what runs, what the profile names, and that the unit of that system is
// the one that systemd knows.
func (x *trial) is(t *testing.T, path, profile string) target.State {
	t.Helper()
	s, err := x.Probe(t.Context())
	x.ok(t, err)
	name := strings.TrimPrefix(path[strings.LastIndex(path, "-"):], "-")
	if unit := x.lab.ssh(t, x.machine, "systemctl show -P Description trial.service; systemctl is-active trial.service"); s.Running != path || s.Profile != profile || unit != name+"\nactive" {
		t.Errorf("runs %s, profile %s, unit %q; want %s and %s", s.Running, s.Profile, unit, path, profile)
	}
	return s
}

// TestDeviceUndo: the dead-man timer with a real systemd.
func TestDeviceUndo(t *testing.T) {
	x := newTrial(t)
	t.Run("what the machine says", func(t *testing.T) { x.asks(t) })
	t.Run("the timer runs out after a test", func(t *testing.T) {
		id, before := x.begin(t, 4*time.Second)
		if before.Running != x.old || before.Profile != x.old || before.Generation != 1 {
			t.Errorf("%+v", before)
		}
		x.ok(t, x.Activate(t.Context(), id, x.new, "test", nil))
		x.is(t, x.new, x.old)
		x.goneBack(t, id)
	})
	t.Run("the timer runs out after a commit", func(t *testing.T) {
		id, _ := x.begin(t, 4*time.Second)
		x.ok(t, x.SetProfile(t.Context(), id, x.new))
		x.ok(t, x.Activate(t.Context(), id, x.new, "switch", nil))
		x.goneBack(t, id)
	})
	t.Run("it outlives everything that a switch does", func(t *testing.T) { x.outlives(t) })
	t.Run("renewed", func(t *testing.T) { x.renewed(t) })
	t.Run("asked for", func(t *testing.T) { x.askedFor(t) })
	t.Run("in the middle of a switch", func(t *testing.T) { x.inTheMiddle(t) })
	t.Run("against the timer", func(t *testing.T) { x.races(t) })
	t.Run("a reboot", func(t *testing.T) {
		id, _ := x.begin(t, time.Hour)
		x.ok(t, x.Activate(t.Context(), id, x.new, "test", nil))
		x.lab.vpi(t, "reboot", "1")
		if s := x.is(t, x.old, x.old); s.Lock != nil || s.Undo != "" {
			t.Errorf("%+v", s)
		}
		if _, err := x.Await(t.Context(), id); !errors.Is(err, target.ErrNotArmed) {
			t.Errorf("error %v", err)
		}
	})
}

// asks checks every question against what is so.
func (x *trial) asks(t *testing.T) {
	s, err := x.Probe(t.Context())
	x.ok(t, err)
	if s.Hostname != "pi1" || s.BootID == "" || s.Running != x.old || s.Generation != 1 || s.StoreFree <= 0 || s.DockerFree <= 0 || s.Undo != "" || s.Lock != nil {
		t.Errorf("%+v", s)
	}
	h, err := x.Health(t.Context(), x.old, x.new)
	x.ok(t, err)
	if !slices.Equal(h.Failed, s.Failed) || len(h.Changed) != 0 {
		t.Errorf("%+v", h)
	}
	none := "/nix/store/00000000000000000000000000000000-none"
	lacks, err := x.Compare(t.Context(), target.Wanted{Paths: []string{x.old, none, x.new}})
	if err != nil || !slices.Equal(lacks.Paths, []string{none}) {
		t.Errorf("%q, %v", lacks.Paths, err)
	}
	units, err := x.Units(t.Context(), x.new)
	old, failed := x.Units(t.Context(), x.old)
	if err != nil || failed != nil || len(units) != 2 || len(units["trial.service"]) != 64 || units["trial.service"] == old["trial.service"] {
		t.Errorf("%q, %v", units, err)
	}
	missing, err := x.Missing(t.Context(), []string{"none@sha256:" + strings.Repeat("0", 64)})
	if err != nil || len(missing) != 1 {
		t.Errorf("%q, %v", missing, err)
	}
	if lines, err := x.Journal(t.Context(), "trial.service", 5); err != nil || len(lines) == 0 {
		t.Errorf("%q, %v", lines, err)
	}
	all, err := x.Generations(t.Context())
	if err != nil || len(all) != 1 || !all[0].Current || all[0].Path != x.old {
		t.Errorf("%+v, %v", all, err)
	}
}

// goneBack waits for the undo, and checks that nothing is left of the deploy.
func (x *trial) goneBack(t *testing.T, id string) {
	t.Helper()
	outcome, err := x.Await(t.Context(), id)
	x.ok(t, err)
	if outcome.Status != 0 && outcome.Status != 4 {
		t.Errorf("%+v", outcome)
	}
	if s := x.is(t, x.old, x.old); s.Lock != nil || s.Undo != "done" || s.Generation != 1 {
		t.Errorf("%+v", s)
	}
	if err := x.Disarm(t.Context(), id); !errors.Is(err, target.ErrFired) {
		t.Errorf("disarmed afterwards: %v", err)
	}
	if left := x.lab.ssh(t, x.machine, "systemctl list-units --all --plain --no-legend 'pistack-undo*'; ls /nix/var/nix/gcroots"); strings.Contains(left, "pistack") {
		t.Errorf("left: %s", left)
	}
}

// outlives: systemd keeps the timer, and the service that it starts, over a switch
// and whatever else is restarted.
func (x *trial) outlives(t *testing.T) {
	id, _ := x.begin(t, 12*time.Second)
	next := func() string {
		return x.lab.ssh(t, x.machine, "systemctl show -P NextElapseUSecMonotonic pistack-undo.timer; systemctl is-active pistack-undo.timer; systemctl show -P LoadState pistack-undo.service")
	}
	before := next()
	if !strings.HasSuffix(before, "\nactive\nloaded") {
		t.Fatalf("%q", before)
	}
	x.ok(t, x.Activate(t.Context(), id, x.new, "test", nil))
	x.lab.ssh(t, x.machine, "systemctl daemon-reload && systemctl daemon-reexec && systemctl restart docker systemd-journald && systemctl reset-failed && systemctl restart ssh")
	// After a daemon-reload systemd counts anew, so that the undo comes later, and never sooner or not at all.
	if after := next(); !strings.HasSuffix(after, "\nactive\nloaded") {
		t.Errorf("%q, before %q", after, before)
	}
	x.is(t, x.new, x.old)
	x.goneBack(t, id)
}

// renewed: each renewal starts the deadline anew, and none stops the timer.
func (x *trial) renewed(t *testing.T) {
	id, _ := x.begin(t, 6*time.Second)
	x.ok(t, x.Activate(t.Context(), id, x.new, "test", nil))
	first := x.lab.ssh(t, x.machine, "cat /proc/uptime")
	last := ""
	for range 4 {
		x.lab.ssh(t, x.machine, "sleep 2")
		x.ok(t, x.Renew(t.Context(), id))
		next := x.lab.ssh(t, x.machine, "systemctl show -P NextElapseUSecMonotonic pistack-undo.timer; systemctl is-active pistack-undo.timer")
		if next == last || !strings.HasSuffix(next, "\nactive") {
			t.Errorf("next %q, before %q", next, last)
		}
		last = next
	}
	x.is(t, x.new, x.old) // more than the deadline later
	t.Logf("uptime %s, then %s", first, x.lab.ssh(t, x.machine, "cat /proc/uptime"))
	x.ok(t, x.Disarm(t.Context(), id))
	x.lab.ssh(t, x.machine, "sleep 7")
	x.is(t, x.new, x.old)
	x.ok(t, x.Activate(t.Context(), id, x.old, "test", nil))
	x.ok(t, x.Unlock(t.Context(), id))
}

// askedFor: the same unit, started by hand.
func (x *trial) askedFor(t *testing.T) {
	id, _ := x.begin(t, time.Hour)
	x.ok(t, x.Activate(t.Context(), id, x.new, "test", nil))
	var lines []string
	_, err := x.Undo(t.Context(), id, func(text string) { lines = append(lines, text) })
	x.ok(t, err)
	if !slices.Contains(lines, "going back to "+x.old) {
		t.Errorf("%q", lines)
	}
	x.goneBack(t, id)
}

// inTheMiddle: the switch that is at work is stopped before the undo begins.
func (x *trial) inTheMiddle(t *testing.T) {
	slow := x.system(t, "slow", "/bin/sleep 600")
	id, _ := x.begin(t, 6*time.Second)
	ctx, cancel := context.WithCancel(t.Context())
	err := x.Activate(ctx, id, slow, "test", func(text string) {
		if strings.Contains(text, "starting the following units") || strings.Contains(text, "activating the configuration") {
			cancel()
		}
	})
	if !errors.Is(err, context.Canceled) {
		t.Fatalf("error %v", err)
	}
	x.goneBack(t, id)
}

// races: the timer, of one second, and Disarm at about the same time. The first
// Disarm certainly wins, and the last one does not.
func (x *trial) races(t *testing.T) {
	won := 0
	pauses := []string{"0", "0.3", "0.6", "0.9", "2"}
	for i, pause := range pauses {
		deadline := time.Second
		if i == 0 {
			deadline = 3 * time.Second
		}
		id, _ := x.begin(t, deadline)
		x.lab.ssh(t, x.machine, "sleep "+pause)
		err := x.Disarm(t.Context(), id)
		switch {
		case err == nil:
			won++
			x.lab.ssh(t, x.machine, fmt.Sprint("sleep ", deadline.Seconds()+0.5))
			if s := x.is(t, x.old, x.old); s.Undo != "" {
				t.Errorf("disarmed, and yet %+v", s)
			}
			x.ok(t, x.Unlock(t.Context(), id))
		case errors.Is(err, target.ErrFired):
			x.goneBack(t, id)
		default:
			t.Fatal(err)
		}
	}
	if won == 0 || won == len(pauses) {
		t.Errorf("disarmed %d of %d times", won, len(pauses))
	}
}

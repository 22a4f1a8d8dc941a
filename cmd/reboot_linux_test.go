package cmd_test

import (
	"strings"
	"testing"

	"pistack/internal/fleettest"
)

func TestReboot(t *testing.T) {
	d := newDesk(t, 3)
	head := d.git(t, "rev-parse", "HEAD")
	for _, h := range d.Hosts {
		d.deployed(t, h, stackSystem("one"), head)
	}
	a, b, c := d.Hosts[0], d.Hosts[1], d.Hosts[2]
	d.want(t, 2, []string{"there is no terminal"}, "reboot", "@lab")
	d.want(t, 2, []string{"usage: pistack reboot"}, "reboot", "--yes")
	boots := a.State(t).Boots
	d.want(t, 0, []string{"h001: rebooting", "h001: is back", "2 of 2 hosts rebooted"}, "reboot", "h001", "h002", "--yes")
	if a.State(t).Boots != boots+1 || a.Shell(t, "ls -A /run/pistack-deploy 2>/dev/null || true") != "" {
		t.Error("it did not reboot, or is locked")
	}

	// The second comes back with a unit that fails: the third is left alone.
	failing := b.Install(t, stackSystem("failing", func(s *fleettest.System) { s.Failed = []string{"nginx.service"} }))
	b.Shell(t, "nix-env -p /nix/var/nix/profiles/system --set "+failing)
	boots = c.State(t).Boots
	b.Program(t, "systemctl", `case "$*" in *is-system-running*) echo degraded; exit 1 ;; *reboot*) touch /fleettest/reboot ;; *list-units*) [ "$(readlink -f /run/current-system)" != `+failing+` ] || echo nginx.service ;; *) echo inactive ;; esac`)
	r := d.startReboot(t)
	for _, want := range []string{"h001: is back after", "h002: came back, and units fail that did not before: nginx.service", "h003: not rebooted", "1 of 3 hosts rebooted"} {
		if !strings.Contains(r.out, want) {
			t.Errorf("does not say %q:\n%s%s", want, r.out, r.errOut)
		}
	}
	if r.status != 3 || c.State(t).Boots != boots {
		t.Errorf("exit status %d; the third had %d boots, and %d", r.status, boots, c.State(t).Boots)
	}
}

// startReboot reboots all three with a short patience.
func (d *desk) startReboot(t *testing.T) ran {
	t.Helper()
	return d.pistack(t, "reboot", "h00*", "--yes", "--settle", "2s")
}

// TestRebootRefused: one that is not told to, or never goes down.
func TestRebootRefused(t *testing.T) {
	d := newDesk(t, 2)
	for _, h := range d.Hosts {
		d.deployed(t, h, stackSystem("one"), "")
	}
	stays, armed := d.Hosts[0], d.Hosts[1]
	stays.Program(t, "systemctl", "exit 0")
	d.want(t, 3, []string{"was told to reboot, and still has not after 2s"}, "reboot", stays.Name, "--yes", "--limit", "2s")
	if got := stays.Shell(t, "ls /run/pistack-deploy"); strings.Contains(got, "lock") {
		t.Errorf("the lock is left: %s", got)
	}
	armed.Shell(t, "mkdir -p /run/pistack-deploy/undo && touch /run/pistack-deploy/undo/armed && printf 'id\\tX\\n' >/run/pistack-deploy/undo/before")
	d.want(t, 3, []string{"the undo timer of a deploy is armed"}, "reboot", armed.Name, "--yes")
	d.want(t, 2, []string{"h002: is not locked", "an undo timer is armed (run X)", "say --yes"}, "unlock", armed.Name)
	d.want(t, 3, []string{"undo pending"}, "status", armed.Name)
}

package fleettest_test

import (
	"strings"
	"testing"

	"pistack/internal/fleettest"
)

// TestMachine: what other tests rely on.
func TestMachine(t *testing.T) {
	f := fleettest.Start(t, 2)
	a, b := f.Hosts[0], f.Hosts[1]
	system := fleettest.System{Name: "a", Units: map[string]string{"pistack-web.service": "x"}, Containers: []fleettest.Container{{Project: "web", ID: "1"}}}
	path := a.Install(t, system)
	if path != fleettest.Path(system) {
		t.Errorf("path %s", path)
	}
	if a.Shell(t, "uname -n") != "h001" || b.Shell(t, "uname -n") != "h002" {
		t.Error("machines have no names of their own")
	}
	if got := b.Shell(t, "ls /nix/store"); got != "" {
		t.Errorf("the other machine has %s", got)
	}
	boot := a.Shell(t, "cat /proc/sys/kernel/random/boot_id; touch /run/here")
	a.Boot(t, path)
	if after := a.Shell(t, "cat /proc/sys/kernel/random/boot_id; ls /run"); strings.HasPrefix(after, boot) || strings.Contains(after, "here") {
		t.Errorf("after the reboot: %s", after)
	}
	if got := a.Shell(t, "readlink /run/current-system; docker ps"); got != path+"\n1" {
		t.Errorf("runs %s", got)
	}
	if n := len(a.Calls(t, "nix-env")); n != 1 {
		t.Errorf("nix-env was called %d times", n)
	}
}

// TestCounts: sshd's own log tells connections and sessions.
func TestCounts(t *testing.T) {
	h := fleettest.Start(t, 1).Hosts[0]
	before := h.Connections(t)
	h.Shell(t, "true")
	h.Shell(t, "true")
	if got := h.Connections(t) - before; got != 2 {
		t.Errorf("%d connections", got)
	}
	h.Link(t, false)
	h.Link(t, true)
	if got := h.Sessions(t); got != 2 {
		t.Errorf("%d sessions", got)
	}
}

package fleettest_test

import (
	"fmt"
	"os"
	"path/filepath"
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

// TestWorkstation: the stand-ins deploy a system, and each call is recorded.
func TestWorkstation(t *testing.T) {
	f := fleettest.Start(t, 1)
	h, w := f.Hosts[0], f.NewWorkstation(t)
	s := fleettest.System{Name: "new", Images: []string{"example.org/web:1"}}
	w.Want(t, h.Name, s)
	config := filepath.Join(t.TempDir(), "ssh_config")
	text := fmt.Sprintf("Host %s\n HostName %s\n Port %d\n User root\n IdentityFile %s\n StrictHostKeyChecking no\n UserKnownHostsFile /dev/null\n", h.Name, h.Address, h.Port, f.Identity)
	if err := os.WriteFile(config, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	run := func(argv ...string) string {
		t.Helper()
		cmd := w.Command(argv...)
		cmd.Env = append(cmd.Env, "NIX_SSHOPTS=-F "+config)
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Fatalf("%v: %v\n%s", argv, err, out)
		}
		return string(out)
	}
	path := fleettest.Path(s)
	if got := run("nix", "path-info", "--derivation", `.#nixosConfigurations."h001".config.system.build.toplevel`); got != path+".drv\n" {
		t.Fatalf("derivation %q", got)
	}
	run("nix-store", "--realise", path+".drv")
	if got := run("cat", path+"/etc/pistack/images"); got != "web\texample.org/web:1\n" {
		t.Errorf("images %q", got)
	}
	if _, err := os.Stat(path); err == nil {
		t.Error("the system is in the store of this machine")
	}
	run("nixos-rebuild", "switch", "--no-reexec", "--store-path", path, "--target-host", h.Name)
	if got := h.Shell(t, "readlink -f /run/current-system /nix/var/nix/profiles/system"); got != path+"\n"+path {
		t.Errorf("the machine runs and boots %s", got)
	}
	if got := len(w.Calls(t, "nix-copy-closure")); got != 1 {
		t.Errorf("%d copies", got)
	}
	w.Fail(t, fleettest.Fault{Program: "nix-store", Output: 1000, Exit: 7})
	out, err := w.Command("nix-store", "--realise", path+".drv").CombinedOutput()
	if err == nil || err.Error() != "exit status 7" || len(out) != 1000 {
		t.Errorf("a fault: %v, %d bytes", err, len(out))
	}
}

package cmd_test

import (
	"os"
	"strings"
	"testing"

	"pistack/internal/fleettest"
)

// testHangs: a step that never ends is ended, whichever it is, here or there; the
// machine is then on the old system or on the new one, and its lock is free.
func testHangs(t *testing.T) {
	there := func(program, args string, skip int) func(*testing.T, *deployLab, *fleettest.Host, fleettest.System) {
		return func(t *testing.T, _ *deployLab, h *fleettest.Host, s fleettest.System) {
			h.Fail(t, fleettest.Fault{Program: program, Args: strings.ReplaceAll(args, "PATH", fleettest.Path(s)), Skip: skip, Times: 1, Hang: true})
		}
	}
	here := func(program, args string) func(*testing.T, *deployLab, *fleettest.Host, fleettest.System) {
		return func(t *testing.T, l *deployLab, _ *fleettest.Host, s fleettest.System) {
			l.ws.Fail(t, fleettest.Fault{Program: program, Args: strings.ReplaceAll(args, "PATH", fleettest.Path(s)), Times: 1, Hang: true})
		}
	}
	instead := func(name string) func(*testing.T, *deployLab, *fleettest.Host, fleettest.System) {
		return func(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) {
			h.Program(t, name, "exec sleep 600")
		}
	}
	images := func(s *fleettest.System) { s.Images = []string{"127.0.0.1:1/web:1"} }
	cases := []struct {
		name    string
		want    string
		says    string
		prepare func(*testing.T, *deployLab, *fleettest.Host, fleettest.System)
		system  func(*fleettest.System)
	}{
		{"probe", "refused", "no answer within", there("systemctl", "list-units", 0), nil},
		{"units", "refused", "comparing with what it has did not end within", instead("sha256sum"), nil},
		{"paths", "refused", "comparing with what it has did not end within", there("nix-store", "--check-validity", 0), nil},
		{"images", "refused", "comparing with what it has did not end within", there("docker", "image inspect", 0), images},
		{"copy", "refused", "copying the system did not end within", there("nix-store", "--serve", 0), nil},
		{"copy here", "refused", "copying the system did not end within", here("nix-copy-closure", "PATH"), nil},
		{"pull", "refused", "pulling images did not end within", there("docker", "pull", 0), images},
		{"lock", "refused", "no answer within", instead("mktemp"), nil},
		{"arm", "refused", "no answer within", there("systemd-run", "--on-active", 0), nil},
		{"switch", "rolled back", "nixos-rebuild test did not end within", there("switch-to-configuration", "test", 0), nil},
		{"switch here", "rolled back", "nixos-rebuild test did not end within", here("nixos-rebuild", "test --no-reexec --store-path PATH"), nil},
		{"gate", "deployed", "", there("docker", "ps", 0), nil},
		{"commit", "rolled back", "nixos-rebuild switch did not end within", there("switch-to-configuration", "switch", 0), nil},
		{"disarm", "deployed", "", there("systemctl", "stop pistack-undo.timer", 1), nil},
		{"receipt", "deployed", "no receipt was written", instead("sync"), nil},
	}
	l, hosts := take(t, len(cases))
	wanted := make([]fleettest.System, len(cases))
	for i, c := range cases {
		if c.system == nil {
			c.system = func(*fleettest.System) {}
		}
		wanted[i] = l.next(t, hosts[i], c.system)
		c.prepare(t, l, hosts[i], wanted[i])
	}
	run := l.deploy(t, hosts, "--parallel", "15", "PISTACK_TIMING=deadline=180s,renew=5s,window=100ms,sample=200ms,gatelimit=90s,link=40s,activate=30s,undo=120s,copy=20s,pull=20s,step=20s").ends(3)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			h := hosts[i]
			run.t = t
			run.came(h, c.want, c.says)
			if err := os.Remove(h.Dir + "/bin/mktemp"); err != nil && c.name == "lock" {
				t.Fatal(err)
			}
			h.Heal(t)
			if c.want == "deployed" {
				at(t, h, wanted[i], wanted[i])
			} else {
				back(t, h)
			}
		})
	}
}

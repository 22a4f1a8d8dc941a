package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"pistack/internal/fleettest"
)

func (d *desk) atTerminal(t *testing.T, args ...string) *terminal {
	t.Helper()
	cmd := exec.Command(filepath.Join(binaries, "pistack"), args...)
	cmd.Dir, cmd.Env = d.root, append(d.env, "NO_COLOR=1")
	return atTerminal(t, cmd)
}

// TestWatch: it draws again when something changes, until Ctrl-C.
func TestWatch(t *testing.T) {
	d := newDesk(t, 1)
	h := d.Hosts[0]
	d.deployed(t, h, stackSystem("one"), d.git(t, "rev-parse", "HEAD"))
	term := d.atTerminal(t, "status", "--watch", "--interval", "1s")
	term.await("1 host: 1 in sync")
	h.Change(t, func(s *fleettest.State) { s.Containers[0].State = "dead" })
	term.await("1 host: 1 drifted")
	term.typed("\x03")
	if status := term.ended(); status != 130 {
		t.Errorf("exit status %d", status)
	}
}

// TestRollbackAsks: only a yes does anything.
func TestRollbackAsks(t *testing.T) {
	d := newDesk(t, 1)
	h := d.Hosts[0]
	one := d.deployed(t, h, stackSystem("one"), d.git(t, "rev-parse", "HEAD"))
	two := d.deployed(t, h, stackSystem("two"), d.git(t, "rev-parse", "HEAD"))
	runs := func() string { return h.Shell(t, "readlink -f /run/current-system") }
	term := d.atTerminal(t, "rollback", h.Name, "--gate-window", "1s")
	term.await("Bring h001 back to generation 1? [y/N]")
	term.typed("\n")
	term.await("nothing was changed")
	if status := term.ended(); status != 1 || runs() != two {
		t.Errorf("exit status %d, it runs %s", status, runs())
	}
	term = d.atTerminal(t, "rollback", h.Name, "--gate-window", "1s")
	term.await("[y/N]")
	term.typed("y\n")
	term.await("1 host: 1 deployed")
	if status := term.ended(); status != 0 || runs() != one {
		t.Errorf("exit status %d, it runs %s", status, runs())
	}
}

// TestHostileOutput: what a machine writes does nothing to a terminal, and comes
// through as it is elsewhere.
func TestHostileOutput(t *testing.T) {
	d := newDesk(t, 1)
	h := d.Hosts[0]
	hostile := "\x1b]0;title\x07\x1b[2Jgone\rover"
	d.deployed(t, h, stackSystem("one", func(s *fleettest.System) { s.Containers[0].Log = []string{hostile} }), d.git(t, "rev-parse", "HEAD"))
	for _, args := range [][]string{{"logs", h.Name, "web"}, {"exec", h.Name, "--", "printf", "%s", hostile}} {
		term := d.atTerminal(t, args...)
		term.await(`over`)
		term.ended()
		term.mu.Lock()
		if screen := string(term.screen); strings.ContainsAny(screen, "\x1b\x07") {
			t.Errorf("%q writes %q", args, screen)
		}
		term.mu.Unlock()
		if r := d.pistack(t, args...); !strings.Contains(r.out, hostile) {
			t.Errorf("%q in a pipe writes %q", args, r.out)
		}
	}
}

// TestExecInterrupted: Ctrl-C ends the command, whatever runs on the machine.
func TestExecInterrupted(t *testing.T) {
	d := newDesk(t, 1)
	cmd := exec.Command(filepath.Join(binaries, "pistack"), "exec", "h001", "--", "sh", "-c", "echo ready; sleep 1000")
	cmd.Dir, cmd.Env = d.root, d.env
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		t.Fatal(err)
	}
	if _, err := out.Read(make([]byte, 100)); err != nil {
		t.Error(err)
	}
	if err := cmd.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	if _ = cmd.Wait(); cmd.ProcessState.ExitCode() != 130 {
		t.Errorf("exit status %d", cmd.ProcessState.ExitCode())
	}
}

// TestDoctor: the workstation's programs are stand-ins, the machines are not.
func TestDoctor(t *testing.T) {
	d := newDesk(t, 3)
	for _, h := range d.Hosts {
		d.deployed(t, h, stackSystem("one"), "")
		h.Shell(t, "mkdir -p /nix/var/nix/db")
	}
	bin := t.TempDir()
	for name, script := range map[string]string{
		"nix":           `case "$*" in --version) echo 'nix (Nix) 2.24.1' ;; *getFlake*) echo true ;; *) printf 'system = x86_64-linux\nextra-platforms =\n' ;; esac`,
		"nix-store":     "",
		"nixos-rebuild": "# --store-path",
	} {
		if err := os.WriteFile(filepath.Join(bin, name), []byte("#!/bin/sh\n"+script+"\n"), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	d.env = append(d.env, "PATH="+bin+":"+binaries+":"+os.Getenv("PATH"), "PISEC_IDENTITY="+d.Identity)
	if d.read(t, "hosts/h001/host.toml") == "" {
		t.Fatal("no host")
	}
	d.want(t, 0, []string{"this workstation", "nix: nix (Nix) 2.24.1", "the work tree is clean", "is an operator's", "h001", "as root, with the pinned key", "none has failed", ", 0 problems"}, "doctor", "h001")

	d.Hosts[0].Change(t, func(s *fleettest.State) { s.NoDocker = true })
	d.Hosts[1].Link(t, false)
	d.write(t, "hosts/h003/ssh_host_ed25519_key.pub", d.Hosts[0].PublicKey+"\n")
	r := d.want(t, 3, []string{"problem  docker: does not answer", "problem  reachable: cannot be reached", "problem  pinned key: the machine at", "3 problems"}, "doctor", "@lab")
	if !strings.Contains(r.out, "warning  git: the work tree has changes") {
		t.Errorf("nothing about Git:\n%s", r.out)
	}
	r = d.want(t, 3, nil, "doctor", "h002", "--json")
	if !strings.Contains(r.out, `"schema": 1`) || !strings.Contains(r.out, `"host": "h002"`) {
		t.Errorf("JSON: %s", r.out)
	}
	d.want(t, 0, []string{"0 problems"}, "doctor")
}

package cmd_test

import (
	"fmt"
	"strings"
	"syscall"
	"testing"
	"time"

	"pistack/internal/fleettest"
)

// testInterrupts sends Ctrl-C in every phase, once it has begun and has a second
// to go. What was not begun is not begun any more, what was tried is undone, and
// what is being committed is committed.
func testInterrupts(t *testing.T) {
	rebuild := func(action string) func(*testing.T, *deployLab, *fleettest.Host, fleettest.System) {
		return func(t *testing.T, l *deployLab, _ *fleettest.Host, s fleettest.System) {
			l.ws.Fail(t, fleettest.Fault{Program: "nixos-rebuild", Args: action + " --no-reexec --store-path " + fleettest.Path(s), Times: 1, Delay: time.Second})
		}
	}
	local := func(program, args string) func(*testing.T, *deployLab, *fleettest.Host, fleettest.System) {
		return func(t *testing.T, l *deployLab, h *fleettest.Host, s fleettest.System) {
			args := strings.NewReplacer("HOST", h.Name, "PATH", fleettest.Path(s)).Replace(args)
			l.ws.Fail(t, fleettest.Fault{Program: program, Args: args, Times: 1, Delay: time.Second})
		}
	}
	there := func(program, args string) func(*testing.T, *deployLab, *fleettest.Host, fleettest.System) {
		return func(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) {
			h.Fail(t, fleettest.Fault{Program: program, Args: args, Times: 1, Delay: time.Second})
		}
	}
	bad := func(s *fleettest.System) { s.Containers[0].Health = "unhealthy" }
	for _, c := range []struct {
		phase   string
		prepare func(*testing.T, *deployLab, *fleettest.Host, fleettest.System)
		outcome string // "" when there was no plan yet
		args    []string
		system  func(*fleettest.System)
	}{
		{phase: "preflight", prepare: there("systemctl", "list-units")},
		{phase: "evaluate", prepare: local("nix", `"HOST"`)},
		{phase: "build", prepare: local("nix-store", "--realise PATH")},
		{phase: "copy", prepare: local("nix-copy-closure", "PATH"), outcome: "interrupted"},
		{phase: "pull", prepare: there("docker", "pull"), outcome: "interrupted", system: func(s *fleettest.System) { s.Images = []string{"127.0.0.1:1/web:1"} }},
		{phase: "lock", outcome: "interrupted", args: []string{"--lock-wait", "1m"}, prepare: func(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) { hold(t, h, "other") }},
		{phase: "activate", prepare: rebuild("test"), outcome: "rolled back"},
		{phase: "gate", prepare: there("docker", "ps"), outcome: "rolled back"},
		{phase: "commit", prepare: rebuild("switch"), outcome: "deployed"},
		{phase: "undo", prepare: there("switch-to-configuration", "test"), outcome: "rolled back", system: bad},
		{phase: "record", prepare: there("systemctl", "stop pistack-undo.timer"), outcome: "deployed"},
	} {
		t.Run(c.phase, func(t *testing.T) {
			t.Parallel()
			l, hosts := take(t, 1)
			h := hosts[0]
			next := l.next(t, h)
			if c.system != nil {
				next = l.next(t, h, c.system)
			}
			c.prepare(t, l, h, next)
			run := l.start(t, []*fleettest.Host{h}, c.args...)
			run.until(h.Name, "begun", c.phase)
			if c.phase == "activate" { // armed, and trying
				eventually(t, "nixos-rebuild", func() bool { return strings.Contains(fmt.Sprint(l.ws.Calls(t, "nixos-rebuild")), fleettest.Path(next)) })
			}
			run.signal(syscall.SIGINT)
			run.wait().ends(130)
			if c.phase == "lock" {
				h.Shell(t, "mv /run/pistack-deploy/lock /run/pistack-deploy/freed && rm -r /run/pistack-deploy/freed")
			}
			if c.outcome != "" {
				run.came(h, c.outcome)
			}
			if c.outcome == "deployed" {
				at(t, h, next, next)
			} else {
				back(t, h)
			}
		})
	}
}

// testSecondInterrupt: who presses Ctrl-C again while a host is brought back is
// told what is waited for; nothing is left half done.
func testSecondInterrupt(t *testing.T) {
	l, hosts := take(t, 1)
	h := hosts[0]
	l.next(t, h, func(s *fleettest.System) { s.Containers[0].Health = "unhealthy" })
	run := l.start(t, []*fleettest.Host{h})
	h.Fail(t, fleettest.Fault{Program: "switch-to-configuration", Args: "test", Skip: 1, Times: 1, Delay: 2 * time.Second})
	run.until(h.Name, "begun", "undo")
	run.signal(syscall.SIGINT)
	time.Sleep(300 * time.Millisecond) // two signals at once would be one
	run.signal(syscall.SIGINT)
	run.wait().ends(130)
	run.came(h, "rolled back")
	if got := stand(t, h); got.armed || got.lock != "" {
		t.Errorf("left behind: %+v", got)
	}
	back(t, h)
}

// testNoReader: a reader of the output that leaves is like Ctrl-C, and kills nothing.
func testNoReader(t *testing.T) {
	l, hosts := take(t, 2)
	for i, shell := range []string{
		`{ pistack deploy h001 --yes --json; echo $? >status; } | (while read -r line; do case $line in *'"gate"'*) exit;; esac; done)`,
		`{ pistack deploy h002 --yes; echo $? >status; } 2>&1 | (while read -r line; do case $line in *gate*) exit;; esac; done)`,
	} {
		h := hosts[i]
		next := l.next(t, h)
		l.must(t, "sh", "-c", "PATH="+binaries+":$PATH; "+shell)
		if status := l.must(t, "cat", "status"); status != "130\n" {
			t.Errorf("exit status %s", status)
		}
		if got := stand(t, h); got.running == fleettest.Path(next) { // it was at the commit already
			at(t, h, next, next)
		} else {
			back(t, h)
		}
	}
}

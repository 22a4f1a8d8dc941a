//go:build device && linux

package cmd_test

import (
	"os"
	"slices"
	"strings"
	"syscall"
	"testing"
)

// watched is a virtual Pi that deploys try to break.
var watched = machine{number: "7", host: "rpi-box-01", stack: "chat"}

// TestDeviceDeploy breaks deploys on their way: each step ends with the
// invariant of wantState, that the Pi runs and boots exactly one of two systems,
// and that nothing of the deploy is left on it.
func TestDeviceDeploy(t *testing.T) {
	t.Parallel()
	d := newDeployer(t)
	for _, step := range []struct {
		name string
		run  func(t *testing.T, d *deployer)
	}{
		{"both receipts say the same", receiptsAgree},
		{"an equal host sees one session", equalHost},
		{"a system that lets nobody in is left again", shutOut},
		{"a workstation that dies is not needed", workstationDies},
		{"the next deploy goes through", nextDeploy},
		{"an interrupt while the system is activated", interruptActivation},
		{"an interrupt at the gate", interruptGate},
		{"a unit that fails", failingUnit},
		{"a check that fails before the switch", failingCheck},
		{"a container that restarts in a loop", restartLoop},
		{"a test lasts until the next boot", testUntilBoot},
		{"a staged system runs from the next boot", stagedUntilBoot},
		{"two deploys at once", twoAtOnce},
	} {
		if !t.Run(step.name, func(t *testing.T) { step.run(t, d); d.wantSound(t) }) {
			return
		}
	}
}

func receiptsAgree(t *testing.T, d *deployer) {
	d.change(t, "first", "")
	r := d.deploys(t).want(t, 0, "deployed")
	s := d.state(t)
	here, there := d.receipt(t), d.ssh(t, watched, "cat /var/lib/pistack/receipt.json")
	if string(here.text) != there {
		t.Errorf("here:\n%s\nthere:\n%s", here.text, there)
	}
	revision := strings.TrimSpace(string(d.command(t, "git", "rev-parse", "HEAD").output(t)))
	if here.New != s.running || here.New != r.New || here.Old != r.Old || here.Generation != s.generation || here.Revision != revision || here.Dirty || here.Outcome != "deployed" {
		t.Errorf("receipt %s\nstate %+v", here.text, s)
	}
}

// equalHost counts what sshd says of sessions: those of the test are one each.
func equalHost(t *testing.T, d *deployer) {
	const count = "journalctl --sync; journalctl --no-pager -o cat -u ssh | grep -c '^Starting session'"
	old := d.state(t)
	before := d.number(t, count)
	d.deploys(t).want(t, 0, "unchanged")
	if sessions := d.number(t, count) - before - 1; sessions != 1 {
		t.Errorf("%d sessions, want 1", sessions)
	}
	d.wantState(t, old)
}

// shutOut deploys a system that drops new connections to sshd, and keeps those
// that nixos-rebuild has.
func shutOut(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "shut", "ExecStart=/bin/sh -c \"nft 'add table inet shut; add chain inet shut input { type filter hook input priority 0; }; "+
		"add rule inet shut input tcp dport 22 tcp flags & (syn|ack) == syn drop'\"\nExecStop=/usr/sbin/nft delete table inet shut\n")
	r := d.deploys(t, "--undo-after", "10s").want(t, 3, "rolled back")
	if words := r.problem(); !strings.Contains(words, "the undo timer fired before") {
		t.Errorf("problem %q", words)
	}
	d.wantState(t, old)
	d.wantRolledBack(t, old)
}

// workstationDies kills pistack while the new system starts a unit that takes
// its time; what it had started goes on, for nobody is left to stop it.
func workstationDies(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "slow", "ExecStart=/bin/sleep 600\n")
	run := d.start(t, "--undo-after", "10s")
	d.awaitUnit(t, "slow", "activating")
	run.signal(t, syscall.SIGKILL)
	run.end(t)
	d.awaitUndo(t)
	d.wantState(t, old)
}

func nextDeploy(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "next", "")
	d.deploys(t).want(t, 0, "deployed")
	if now := d.state(t); now.running == old.running || now.generation != old.generation+1 {
		t.Errorf("%+v, before %+v", now, old)
	}
}

func interruptActivation(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "slow", "ExecStart=/bin/sleep 600\n")
	run := d.start(t)
	d.awaitUnit(t, "slow", "activating")
	run.signal(t, syscall.SIGINT)
	run.end(t).want(t, 130, "rolled back")
	d.wantState(t, old)
	d.wantRolledBack(t, old)
}

func interruptGate(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "fine", "")
	run := d.start(t, "--gate-window", "10m", "--gate-limit", "10m")
	run.await(t, "gate")
	d.awaitUnit(t, "fine", "active")
	run.signal(t, syscall.SIGINT)
	run.end(t).want(t, 130, "rolled back")
	d.wantState(t, old)
	d.wantRolledBack(t, old)
}

// failingUnit: nixos-rebuild ends with 4, and the system is switched.
func failingUnit(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "broken", "ExecStart=/bin/sh -c 'echo out of luck; exit 1'\n")
	r := d.deploys(t).want(t, 3, "rolled back")
	if words := r.problem(); !strings.Contains(words, "units fail on the new system: broken.service") {
		t.Errorf("problem %q", words)
	}
	if !slices.Contains(r.Last, "broken | out of luck") {
		t.Errorf("last lines %q", r.Last)
	}
	d.wantState(t, old)
	d.wantRolledBack(t, old)
}

// failingCheck: nixos-rebuild ends with 1, and nothing was changed yet. That is
// not known from here, for other ends have the same status.
func failingCheck(t *testing.T, d *deployer) {
	const file = "testdata/vpi/system/switch-to-configuration"
	old, good := d.state(t), d.readFleet(t, file)
	replaced(file, "set -euo pipefail\n", "set -euo pipefail\n[ \"$1\" != test ] || { echo 'Pre-switch checks failed' >&2; exit 1; }\n")(t, d.lab)
	d.change(t, "fine", "")
	r := d.deploys(t).want(t, 3, "rolled back")
	d.writeFleet(t, file, good)
	if words := r.problem(); !strings.Contains(words, "exit status 1") || !slices.Contains(r.Last, "Pre-switch checks failed") {
		t.Errorf("problem %q, last lines %q", words, r.Last)
	}
	d.wantState(t, old)
	d.wantRolledBack(t, old)
}

// restartLoop has a container that is well when "up" looks at it.
func restartLoop(t *testing.T, d *deployer) {
	old := d.state(t)
	file := "stacks/chat/compose.yaml"
	good := d.readFleet(t, file)
	d.writeFleet(t, file, append(slices.Clone(good), "    command: [\"for\", \"1500ms\"]\n"...))
	r := d.deploys(t, "--gate-window", "6s").want(t, 3, "rolled back")
	d.writeFleet(t, file, good)
	if words := r.problem(); !strings.Contains(words, "containers did not stay up: chat-web-1") || r.Phase != "undo" {
		t.Errorf("problem %q in phase %s", words, r.Phase)
	}
	if !slices.ContainsFunc(r.Last, func(l string) bool { return strings.HasSuffix(l, "app: the time is up") }) {
		t.Errorf("last lines %q", r.Last)
	}
	d.wantState(t, old)
	d.wantRolledBack(t, old)
}

func testUntilBoot(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "tried", "")
	r := d.deploys(t, "--action", "test").want(t, 0, "tested")
	tried := old
	tried.running = r.New
	d.wantState(t, tried)
	d.awaitUnit(t, "tried", "active")
	d.reboots(t)
	d.wantState(t, old)
}

func stagedUntilBoot(t *testing.T, d *deployer) {
	old := d.state(t)
	d.change(t, "staged", "")
	r := d.deploys(t, "--action", "boot").want(t, 0, "staged")
	staged := d.state(t)
	if staged.running != old.running || staged.profile != r.New || staged.generation != old.generation+1 {
		t.Errorf("%+v, before %+v", staged, old)
	}
	d.reboots(t)
	staged.running = r.New
	d.wantState(t, staged)
	d.awaitUnit(t, "staged", "active")
}

// twoAtOnce: the second one is told who is at work, or waits.
func twoAtOnce(t *testing.T, d *deployer) {
	d.change(t, "long", "ExecStart=/bin/sh -c 'until [ -e /run/go-on ]; do sleep 0.1; done'\n")
	first := d.start(t)
	d.awaitUnit(t, "long", "activating")
	refused := d.deploys(t).want(t, 3, "refused")
	name, err := os.Hostname()
	if words := refused.problem(); err != nil || !strings.Contains(words, "locked by root from "+name+" since ") {
		t.Errorf("problem %q", words)
	}
	waits := d.start(t, "--lock-wait", "5m")
	waits.await(t, "lock")
	d.ssh(t, watched, "touch /run/go-on")
	one := first.end(t).want(t, 0, "deployed")
	two := waits.end(t).want(t, 0, "deployed")
	if two.New != one.New {
		t.Errorf("the first deployed %s, the second %s", one.New, two.New)
	}
	if s := d.state(t); s.running != one.New || s.profile != one.New {
		t.Errorf("%+v, want %s", s, one.New)
	}
}

package cmd_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pistack/internal/fleettest"
)

// Deploys of a fleet of machines that misbehave, by the real pistack over real
// ssh. Each test takes hosts of its own, and ends with where these are.
func TestDeployFleet(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		name string
		run  func(*testing.T)
	}{
		{"hangs", testHangs}, // first: it mostly waits, while others work
		{"outcomes", testOutcomes},
		{"interrupts", testInterrupts},
		{"second interrupt", testSecondInterrupt},
		{"nobody reads", testNoReader},
		{"lock", testLocks},
		{"lock is stolen", testStolenLock},
		{"killed while it tries", testKilledTrying},
		{"killed before it is armed", testKilledUnarmed},
		{"timer fires before the commit", testFired},
		{"generations are deleted", testGenerations},
		{"two at once", testTwoAtOnce},
		{"waits for one that tries", testWaitForTrying},
		{"much output", testMuchOutput},
		{"canary", testCanary},
		{"actions", testActions},
		{"no gate", testNoGate},
		{"by hand", testByHand},
		{"ways", testWays},
		{"receipts", testReceipts},
		{"not pinned", testUnpinned},
	} {
		t.Run(c.name, func(t *testing.T) {
			t.Parallel()
			c.run(t)
		})
	}
}

// outcomeCase is a host that one thing is wrong with.
type outcomeCase struct {
	name    string
	want    string   // outcome
	says    []string // of its result
	system  func(*fleettest.System)
	prepare func(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System)
	after   func(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System)
}

// testOutcomes deploys to many hosts at once, most of which something is wrong
// with, and each ends as if it were alone.
func testOutcomes(t *testing.T) {
	cases := outcomeCases()
	l, hosts := take(t, len(cases))
	wanted := make([]fleettest.System, len(hosts))
	for i, c := range cases {
		change := func(*fleettest.System) {}
		if c.system != nil {
			change = c.system
		}
		wanted[i] = l.next(t, hosts[i], change)
		if c.prepare != nil {
			c.prepare(t, l, hosts[i], wanted[i])
		}
	}
	run := l.deploy(t, hosts, "--parallel", "4").ends(3)
	for i, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			run.t = t
			run.came(hosts[i], c.want, c.says...)
			if c.after != nil {
				c.after(t, l, hosts[i], wanted[i])
				return
			}
			switch c.want {
			case "deployed":
				at(t, hosts[i], wanted[i], wanted[i])
			case "refused", "rolled back":
				back(t, hosts[i])
			}
		})
	}
}

func outcomeCases() []outcomeCase {
	early := func(status int) func(*fleettest.System) {
		return func(s *fleettest.System) { s.Early = map[string]int{"test": status} }
	}
	exit := func(action string, status int) func(*fleettest.System) {
		return func(s *fleettest.System) { s.Exit = map[string]int{action: status} }
	}
	return []outcomeCase{
		{name: "all is well", want: "deployed", after: recorded},
		{name: "equal", want: "unchanged", prepare: equal, after: askedOnce},
		{name: "stack fails", want: "rolled back", says: []string{"units fail on the new system: pistack-web.service", "something went wrong"},
			system: func(s *fleettest.System) { s.Failed = []string{"pistack-web.service"} }},
		{name: "failed before", want: "deployed", says: []string{"units that had failed before, and still do: other.service"},
			system: func(s *fleettest.System) { s.Failed = []string{"other.service"} },
			prepare: func(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) {
				failing(t, h, "other.service")
			}},
		{name: "container is unhealthy", want: "rolled back", says: []string{"containers did not stay up: web-1 (unhealthy)", "it said this"},
			system: func(s *fleettest.System) { s.Containers[0].Health = "unhealthy" }},
		{name: "container exits", want: "rolled back", says: []string{"web-1 (exited with 3)"},
			system: func(s *fleettest.System) { s.Containers[0].State, s.Containers[0].ExitCode = "exited", 3 }},
		{name: "session killed in the middle", want: "rolled back", says: []string{"the connection was lost"}, prepare: cutInTest},
		{name: "new system cuts the link", want: "rolled back", says: []string{"the connection was lost"}, prepare: shortTimer,
			system: func(s *fleettest.System) { s.CutsLink = true }},
		{name: "no new connections", want: "rolled back", says: []string{"the new system cannot be reached by ssh"},
			system: func(s *fleettest.System) { s.Deaf = true }},
		{name: "unreachable", want: "refused", says: []string{"cannot be reached"}, prepare: down, after: comesBack},
		{name: "another key", want: "refused", says: []string{"does not have the pinned host key"}, prepare: otherKey, after: untouched},
		{name: "another architecture", want: "refused", says: []string{"but the machine says it is"}, prepare: program("uname", `[ "$1" = -m ] && echo riscv64 || exec /usr/bin/uname "$@"`)},
		{name: "disk too small", want: "refused", says: []string{"the deploy needs 164 MiB"}, prepare: program("df", "printf 'Avail\\n%d\\n%d\\n' 100000000 100000000"), after: notCopied,
			system: func(s *fleettest.System) { s.Size = 100 << 20 }},
		{name: "disk almost full", want: "refused", says: []string{"/nix/store has 0 MiB free"}, prepare: program("df", "printf 'Avail\\n9\\n9\\n'"), after: notCopied},
		{name: "clock is off", want: "refused", says: []string{"its clock is off by"}, prepare: program("date", "echo 1000000000"), after: notCopied},
		{name: "no such image", want: "refused", says: []string{"not pulled: 127.0.0.1:1/web:2"}, prepare: absent,
			system: func(s *fleettest.System) { s.Images = []string{"127.0.0.1:1/web:2"} }},
		{name: "image comes", want: "deployed", after: pulled,
			system: func(s *fleettest.System) { s.Images = []string{"127.0.0.1:1/web:3"} }},
		{name: "image of another workstation", want: "refused", says: []string{"pistack.invalid/shop-web:1234 is not on this machine, and no registry has it"}, prepare: noImages,
			system: func(s *fleettest.System) { s.Images = []string{"pistack.invalid/shop-web:1234"} }},
		{name: "needs a reboot", want: "staged", says: []string{"after a reboot"}, system: early(100), after: boots},
		{name: "check before the switch fails", want: "rolled back", says: []string{"a check before the switch failed"}, system: early(1)},
		{name: "activation fails", want: "rolled back", says: []string{"an activation step failed"}, system: exit("test", 2)},
		{name: "switch panics", want: "rolled back", says: []string{"broke off"}, system: exit("test", 101)},
		{name: "commit fails", want: "rolled back", says: []string{"boot loader"}, system: exit("switch", 1)},
		{name: "does not evaluate", want: "refused", says: []string{"could not be evaluated: no such option"}, prepare: func(t *testing.T, l *deployLab, h *fleettest.Host, _ fleettest.System) {
			l.ws.Fail(t, fleettest.Fault{Program: "nix", Args: `"` + h.Name + `"`, Exit: 1, Stderr: "error: no such option"})
		}},
		{name: "does not build", want: "refused", says: []string{"could not be built"}, prepare: func(t *testing.T, l *deployLab, h *fleettest.Host, s fleettest.System) {
			l.ws.Fail(t, fleettest.Fault{Program: "nix-store", Args: "--realise", After: true, Exit: 1, Times: 1}, fleettest.Fault{Program: "nix-store", Args: "--check-validity " + fleettest.Path(s), Exit: 1})
		}},
		{name: "old nixos-rebuild", want: "deployed", prepare: func(t *testing.T, l *deployLab, _ *fleettest.Host, s fleettest.System) {
			l.ws.Fail(t, fleettest.Fault{Program: "nixos-rebuild", Args: "--store-path " + fleettest.Path(s), Exit: 2, Stderr: "nixos-rebuild: error: unrecognized arguments: --store-path"})
		}},
		{name: "nixos-rebuild dies", want: "rolled back", prepare: func(t *testing.T, l *deployLab, _ *fleettest.Host, s fleettest.System) {
			l.ws.Fail(t, fleettest.Fault{Program: "nixos-rebuild", Args: "test --no-reexec --store-path " + fleettest.Path(s), Dies: true})
		}},
	}
}

// recorded: the receipt is on the machine and here, and says so.
func recorded(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System) {
	at(t, h, next, next)
	if r := receipt(t, h); r.New != fleettest.Path(next) || r.Old != fleettest.Path(web(h, "old")) || r.Outcome != "deployed" || len(r.Revision) != 40 {
		t.Errorf("receipt %+v", r)
	}
	if files, _ := filepath.Glob(filepath.Join(l.home, "state/pistack/*/receipts", h.Name, "*.json")); len(files) != 1 {
		t.Errorf("%d receipts here", len(files))
	}
}

// equal makes the machine run what the repository says.
func equal(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System) {
	l.boot(t, h, next)
	l.receive(t, h, next)
	h.Heal(t)
	if err := os.Truncate(filepath.Join(h.Dir, "sshd.log"), 0); err != nil {
		t.Fatal(err)
	}
}

// askedOnce: one session, and nothing was copied or built.
func askedOnce(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System) {
	if n, c := h.Sessions(t), h.Connections(t); n != 1 || c != 1 {
		t.Errorf("%d sessions over %d connections", n, c)
	}
	for _, call := range l.ws.Calls(t, "") {
		line := strings.Join(append([]string{call.Program}, call.Args...), " ")
		if strings.Contains(line, fleettest.Path(next)) && !strings.Contains(line, "--query --outputs") {
			t.Errorf("the workstation ran %s", line)
		}
	}
	at(t, h, next, next)
}

// failing makes a unit of the running system fail.
func failing(t *testing.T, h *fleettest.Host, unit string) {
	h.Change(t, func(s *fleettest.State) { s.Units[unit] = fleettest.Unit{State: "failed"} })
}

func cutInTest(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) {
	h.Fail(t, fleettest.Fault{Program: "switch-to-configuration", Args: "test", Times: 1, Cut: true})
}

// shortTimer makes a minute of the machine's timers two seconds.
func shortTimer(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) {
	h.Scale(t, 1.0/30)
}

func down(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) { h.Link(t, false) }

// comesBack: what was not reached is deployed by the same command.
func comesBack(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System) {
	h.Link(t, true)
	back(t, h)
	l.deploy(t, []*fleettest.Host{h}).ends(0).came(h, "deployed")
	at(t, h, next, next)
}

// otherKey: the repository pins a key that the machine does not have.
func otherKey(t *testing.T, l *deployLab, h *fleettest.Host, _ fleettest.System) {
	public, err := keyPair(filepath.Join(t.TempDir(), "other"))
	if err != nil {
		t.Fatal(err)
	}
	l.write(t, "hosts/"+h.Name+"/ssh_host_ed25519_key.pub", public+"\n")
	if err := os.Truncate(filepath.Join(h.Dir, "sshd.log"), 0); err != nil {
		t.Fatal(err)
	}
}

// untouched: nobody logged in, and by the same configuration nothing is copied.
func untouched(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System) {
	config := l.config(t, h)
	l.must(t, "nix", "path-info", "--derivation", `.#nixosConfigurations."`+h.Name+`".config.system.build.toplevel`)
	l.must(t, "nix-store", "--realise", fleettest.Path(next)+".drv")
	for _, argv := range [][]string{{"nix-copy-closure", "--to", h.Name, fleettest.Path(next)}, {"nixos-rebuild", "switch", "--store-path", fleettest.Path(next), "--target-host", h.Name}} {
		cmd := l.command(argv...)
		cmd.Env = append(cmd.Env, "NIX_SSHOPTS=-F "+config)
		if out, err := cmd.CombinedOutput(); err == nil || !strings.Contains(string(out), "Host key verification failed") {
			t.Errorf("%v: %v\n%s", argv, err, out)
		}
	}
	if n, c := h.Sessions(t), h.Connections(t); n != 0 || c != 0 {
		t.Errorf("%d sessions over %d connections", n, c)
	}
	back(t, h)
}

// program puts a script in the place of a program of the machine.
func program(name, script string) func(*testing.T, *deployLab, *fleettest.Host, fleettest.System) {
	return func(t *testing.T, _ *deployLab, h *fleettest.Host, _ fleettest.System) { h.Program(t, name, script) }
}

// notCopied: the new system is not on the machine.
func notCopied(t *testing.T, _ *deployLab, h *fleettest.Host, next fleettest.System) {
	if _, err := os.Stat(h.Inside(fleettest.Path(next))); err == nil {
		t.Error("the system was copied")
	}
	back(t, h)
}

func absent(t *testing.T, _ *deployLab, h *fleettest.Host, next fleettest.System) {
	h.Change(t, func(s *fleettest.State) { s.Absent = next.Images })
}

// noImages gives the workstation a Docker that has none.
func noImages(t *testing.T, l *deployLab, _ *fleettest.Host, _ fleettest.System) {
	if err := os.WriteFile(filepath.Join(l.ws.Dir, "bin/docker"), []byte("#!/bin/sh\n"), 0o755); err != nil {
		t.Fatal(err)
	}
}

// pulled: the image was there before the switch began.
func pulled(t *testing.T, _ *deployLab, h *fleettest.Host, next fleettest.System) {
	at(t, h, next, next)
	var pull, change time.Time
	for _, c := range h.Calls(t, "") {
		switch {
		case c.Program == "docker" && strings.Join(c.Args, " ") == "pull "+next.Images[0]:
			pull = c.Time
		case c.Program == "switch-to-configuration" && change.IsZero():
			change = c.Time
		}
	}
	if pull.IsZero() || !pull.Before(change) {
		t.Errorf("pulled at %s, switched at %s", pull, change)
	}
}

// boots: the new system runs after a reboot.
func boots(t *testing.T, l *deployLab, h *fleettest.Host, next fleettest.System) {
	at(t, h, web(h, "old"), next)
	if r := receipt(t, h); r.Outcome != "staged" {
		t.Errorf("receipt %+v", r)
	}
	h.Reboot(t)
	at(t, h, next, next)
	l.deploy(t, []*fleettest.Host{h}).ends(0).came(h, "unchanged")
}

// testUnpinned: a deploy refuses that host alone.
func testUnpinned(t *testing.T) {
	l, hosts := take(t, 2)
	next := l.next(t, hosts[0])
	l.next(t, hosts[1])
	if err := os.Remove(filepath.Join(l.root, "hosts", hosts[1].Name, "ssh_host_ed25519_key.pub")); err != nil {
		t.Fatal(err)
	}
	l.commit(t)
	run := l.deploy(t, hosts).ends(3)
	run.came(hosts[0], "deployed")
	run.came(hosts[1], "refused", "is not pinned", "pisec host-key "+hosts[1].Name)
	at(t, hosts[0], next, next)
	back(t, hosts[1])
	out, err := l.command(filepath.Join(binaries, "pistack"), "plan", hosts[1].Name).CombinedOutput()
	if err == nil || !strings.Contains(string(out), "is not pinned") {
		t.Errorf("%v: %s", err, out)
	}
}

package cmd_test

import (
	"fmt"
	"os"
	"strings"
	"syscall"
	"testing"

	"pistack/internal/fleettest"
)

// hold locks a machine as another run would.
func hold(t *testing.T, h *fleettest.Host, id string) {
	t.Helper()
	h.Shell(t, fmt.Sprintf("umask 077; mkdir -p /run/pistack-deploy; rm -rf /run/pistack-deploy/lock; mkdir /run/pistack-deploy/lock; "+
		"printf 'id\\t%s\\nuser\\teve\\nfrom\\tlaptop\\nrevision\\t\\ndirty\\tno\\nsince\\t1000\\n' >/run/pistack-deploy/lock/owner", id))
}

// testLocks: one that is held is said, or waited for.
func testLocks(t *testing.T) {
	l, hosts := take(t, 2)
	a, b := hosts[0], hosts[1]
	next := l.next(t, a)
	hold(t, a, "other")
	run := l.deploy(t, hosts[:1]).ends(3)
	run.came(a, "refused", "locked by eve from laptop", "pistack unlock "+a.Name)
	if got := stand(t, a); got.lock != "other" {
		t.Errorf("the lock is %q's", got.lock)
	}
	other := l.next(t, b)
	waiting := l.start(t, hosts, "--lock-wait", "1m")
	waiting.until(a.Name, "begun", "lock")
	a.Shell(t, "mv /run/pistack-deploy/lock /run/pistack-deploy/freed && rm -r /run/pistack-deploy/freed")
	waiting.wait().ends(0)
	at(t, a, next, next)
	at(t, b, other, other)
}

// testStolenLock: whoever breaks a lock while a new system is tried gets the old
// one, and keeps the lock.
func testStolenLock(t *testing.T) {
	l, hosts := take(t, 1)
	h := hosts[0]
	l.next(t, h)
	run := l.start(t, []*fleettest.Host{h}, "--gate-window", "1m", "PISTACK_TIMING="+strings.Replace(shortTiming, "window=100ms", "window=1m", 1))
	run.until(h.Name, "begun", "gate")
	hold(t, h, "thief")
	run.wait().ends(3).came(h, "rolled back", "the lock is no longer this run's")
	if got := stand(t, h); got.lock != "thief" || got.armed {
		t.Errorf("%+v", got)
	}
	h.Shell(t, "mv /run/pistack-deploy/lock /run/pistack-deploy/freed && rm -r /run/pistack-deploy/freed")
	back(t, h)
}

// testKilledTrying: a run that is killed while it tries a system is undone by the
// machine, which also gives the lock back.
func testKilledTrying(t *testing.T) {
	l, hosts := take(t, 2)
	for _, h := range hosts {
		l.next(t, h)
		h.Scale(t, 1e6)
	}
	run := l.start(t, hosts, "PISTACK_TIMING="+strings.Replace(shortTiming, "window=100ms", "window=1m", 1))
	run.until(hosts[0].Name, "begun", "gate")
	if got := stand(t, hosts[0]); got.lock == "" || !got.armed {
		t.Errorf("%+v", got)
	}
	run.signal(syscall.SIGKILL)
	if run.wait(); run.status != -1 {
		t.Fatalf("exit status %d", run.status)
	}
	for _, h := range hosts {
		h.Expire(t)
		eventually(t, "the undo", func() bool { got := stand(t, h); return got.lock == "" && !got.armed || !got.armed && h == hosts[1] })
	}
	back(t, hosts[0])
	if got := stand(t, hosts[1]); got.lock != "" { // it had not been armed yet
		hosts[1].Reboot(t)
	}
	back(t, hosts[1])
	l.deploy(t, hosts).ends(0)
}

// testKilledUnarmed: a run that is killed after it locked and before anything was
// armed leaves its lock, of which the next run says whose it is.
func testKilledUnarmed(t *testing.T) {
	l, hosts := take(t, 1)
	h := hosts[0]
	next := l.next(t, h)
	h.Fail(t, fleettest.Fault{Program: "systemd-run", Args: "--on-active", Times: 1, Hang: true})
	run := l.start(t, []*fleettest.Host{h})
	run.until(h.Name, "begun", "activate")
	eventually(t, "the timer's turn", func() bool { return len(h.Calls(t, "systemd-run")) > 0 })
	run.signal(syscall.SIGKILL)
	run.wait()
	l.deploy(t, []*fleettest.Host{h}).ends(3).came(h, "refused", "locked by")
	h.Reboot(t) // which clears /run
	l.deploy(t, []*fleettest.Host{h}).ends(0)
	at(t, h, next, next)
}

// testFired: when the timer was faster than the commit, the deploy is rolled back,
// and says so.
func testFired(t *testing.T) {
	l, hosts := take(t, 2)
	for _, h := range hosts {
		next := l.next(t, h)
		h.Scale(t, 1e6)
		l.ws.Fail(t, fleettest.Fault{Program: "nixos-rebuild", Args: "switch --no-reexec --store-path " + fleettest.Path(next), Hang: true, Times: 1})
	}
	run := l.start(t, hosts)
	for _, h := range hosts {
		run.until(h.Name, "begun", "commit")
		h.Expire(t)
		break
	}
	eventually(t, "the undo", func() bool { return !stand(t, hosts[0]).armed })
	eventually(t, "the other's turn", func() bool { return len(l.ws.Calls(t, "nixos-rebuild")) > 0 && stand(t, hosts[1]).armed })
	hosts[1].Expire(t)
	run.wait().ends(3)
	for _, h := range hosts {
		run.came(h, "rolled back", "the undo timer fired")
		back(t, h)
		if r := receipt(t, h); r.Outcome != "" {
			t.Errorf("receipt %+v", r)
		}
	}
}

// testGenerations: the way back is to the exact system, also when its generation
// was deleted meanwhile, and never to the generation before.
func testGenerations(t *testing.T) {
	l, hosts := take(t, 1)
	h := hosts[0]
	other, old := web(h, "older"), web(h, "old")
	l.boot(t, h, other)
	l.boot(t, h, old) // generations: old, older, old
	next := l.next(t, h, func(s *fleettest.System) { s.Exit = map[string]int{"switch": 1} })
	l.ws.Fail(t, fleettest.Fault{Program: "nixos-rebuild", Args: "switch --no-reexec --store-path " + fleettest.Path(next), Times: 1, After: true, Delay: 0})
	h.Fail(t, fleettest.Fault{Program: "systemd-run", Args: fleettest.Path(next) + "/bin/switch-to-configuration switch", Times: 1, Hang: true})
	run := l.start(t, []*fleettest.Host{h})
	run.until(h.Name, "begun", "commit")
	eventually(t, "the profile to move", func() bool { return stand(t, h).boots == fleettest.Path(next) })
	for _, n := range []string{"1", "2", "3"} {
		if err := os.Remove(h.Inside("/nix/var/nix/profiles/system-" + n + "-link")); err != nil {
			t.Error(err)
		}
	}
	h.Expire(t)
	run.wait().ends(3).came(h, "rolled back")
	at(t, h, old, old)
}

// testTwoAtOnce: of two deploys one gets all machines, or the other waits; nobody
// ends in between.
func testTwoAtOnce(t *testing.T) {
	l, hosts := take(t, 3)
	wanted := map[string]fleettest.System{}
	for _, h := range hosts {
		wanted[h.Name] = l.next(t, h)
	}
	first, second := l.start(t, hosts), l.start(t, hosts)
	first.wait()
	second.wait()
	for _, h := range hosts {
		at(t, h, wanted[h.Name], wanted[h.Name])
	}
	for _, run := range []*deployRun{first, second} {
		outcomes := map[string]bool{}
		for _, r := range run.results {
			outcomes[r.Outcome] = true
		}
		if len(outcomes) != 1 {
			t.Errorf("a run that gets some: %v", outcomes)
		}
	}
	for _, h := range hosts {
		h.Shell(t, "rm -rf /run/pistack-deploy")
		wanted[h.Name] = web(h, "newer")
		l.ws.Want(t, h.Name, wanted[h.Name])
	}
	first, second = l.start(t, hosts, "--lock-wait", "1m"), l.start(t, hosts, "--lock-wait", "1m")
	first.wait().ends(0)
	second.wait().ends(0)
	for _, h := range hosts {
		at(t, h, wanted[h.Name], wanted[h.Name])
	}
}

// testWaitForTrying: a deploy that is told to wait does so for one that is trying
// its system, whose undo timer is armed meanwhile.
func testWaitForTrying(t *testing.T) {
	l, hosts := take(t, 1)
	h := hosts[0]
	next := l.next(t, h)
	h.Scale(t, 1e6)
	first := l.start(t, hosts)
	first.until(h.Name, "begun", "gate")
	first.signal(syscall.SIGSTOP)
	second := l.start(t, hosts, "--lock-wait", "1m")
	second.until(h.Name, "begun", "lock")
	if got := stand(t, h); !got.armed {
		t.Errorf("%+v", got)
	}
	first.signal(syscall.SIGCONT)
	first.wait().ends(0).came(h, "deployed")
	second.wait().ends(0).came(h, "deployed")
	at(t, h, next, next)
	if got := stand(t, h); got.lock != "" || got.armed {
		t.Errorf("%+v", got)
	}
}

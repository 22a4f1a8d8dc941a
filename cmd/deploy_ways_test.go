package cmd_test

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pistack/internal/fleettest"
)

// testMuchOutput: a child that writes 100 MB is in the log as a whole, and not in
// memory.
func testMuchOutput(t *testing.T) {
	l, hosts := take(t, 1)
	h := hosts[0]
	next := l.next(t, h)
	const size = 100 << 20
	l.ws.Fail(t, fleettest.Fault{Program: "nixos-rebuild", Args: "test --no-reexec --store-path " + fleettest.Path(next), Times: 1, Output: size})
	cmd := l.command(filepath.Join(binaries, "pistack"), "deploy", "--yes", h.Name)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	peak := peakMemory(cmd.Process.Pid)
	if err := cmd.Wait(); err != nil || out.Len() > 1<<20 {
		t.Fatalf("%v, %d bytes shown", err, out.Len())
	}
	at(t, h, next, next)
	if kib := <-peak; kib == 0 || kib > 150<<10 {
		t.Errorf("%d KiB of memory", kib)
	}
	logs, err := filepath.Glob(filepath.Join(l.home, "state/pistack/*/logs/*", h.Name+".log"))
	if err != nil || len(logs) != 1 {
		t.Fatalf("logs %q", logs)
	}
	log, err := os.ReadFile(logs[0])
	if err != nil {
		t.Fatal(err)
	}
	if n := strings.Count(string(log), strings.Repeat(" ", 90)+"\n"); n != (size+99)/100 {
		t.Errorf("%d lines in the log", n)
	}
}

// peakMemory gives the most memory that a process has had, in KiB, once it is gone.
// What the system says of a child that has ended counts its parent's, too: this
// test has ten times as much.
func peakMemory(pid int) <-chan int {
	peak := make(chan int, 1)
	go func() {
		most := 0
		for {
			text, err := os.ReadFile(fmt.Sprintf("/proc/%d/status", pid))
			_, after, found := strings.Cut(string(text), "VmHWM:")
			if err != nil || !found { // gone, or about to be
				peak <- most
				return
			}
			kib := 0
			if _, err := fmt.Sscan(after, &kib); err == nil {
				most = max(most, kib)
			}
			time.Sleep(20 * time.Millisecond)
		}
	}()
	return peak
}

// testCanary: the others follow when it went well, or when they are told to.
func testCanary(t *testing.T) {
	l, hosts := take(t, 3)
	var wanted []fleettest.System
	for i, h := range hosts {
		wanted = append(wanted, l.next(t, h, func(s *fleettest.System) {
			if i == 1 {
				s.Failed = []string{"pistack-web.service"}
			}
		}))
	}
	run := l.deploy(t, hosts, "--canary", hosts[1].Name).ends(3)
	run.came(hosts[1], "rolled back")
	for _, i := range []int{0, 2} {
		run.came(hosts[i], "not reached", "a host before it failed")
		back(t, hosts[i])
	}
	wanted[1] = l.next(t, hosts[1])
	hosts[0].Link(t, false)
	run = l.deploy(t, hosts[1:], "--canary", "1").ends(0)
	at(t, hosts[1], wanted[1], wanted[1])
	at(t, hosts[2], wanted[2], wanted[2])
	hosts[0].Link(t, true)
	for _, h := range hosts[:2] {
		l.ws.Want(t, h.Name, web(h, "newer", func(s *fleettest.System) {
			if h == hosts[0] {
				s.Failed = []string{"pistack-web.service"}
			}
		}))
	}
	run = l.deploy(t, hosts, "--canary", "1", "--keep-going").ends(3)
	run.came(hosts[0], "rolled back")
	run.came(hosts[1], "deployed")
	run.came(hosts[2], "unchanged")
}

// testActions: what each action leaves.
func testActions(t *testing.T) {
	l, hosts := take(t, 3)
	for i, action := range []string{"boot", "test", "dry-activate"} {
		h := hosts[i]
		old, next := web(h, "old"), l.next(t, h)
		run := l.deploy(t, hosts[i:i+1], "--action", action).ends(0)
		switch action {
		case "boot":
			run.came(h, "staged")
			at(t, h, old, next)
			l.deploy(t, hosts[i:i+1], "--action", action).ends(0).came(h, "unchanged")
		case "test":
			run.came(h, "tested")
			at(t, h, next, old)
		case "dry-activate":
			run.came(h, "dry")
			back(t, h)
		}
		for _, c := range h.Calls(t, "systemd-run") {
			if armed := strings.Contains(strings.Join(c.Args, " "), "pistack-undo"); armed && action != "test" {
				t.Errorf("%s: a timer was armed", action)
			}
		}
	}
	l.next(t, hosts[1], func(s *fleettest.System) { s.Units["other.service"], s.Failed = "x", []string{"other.service"} })
	l.deploy(t, hosts[1:2], "--action", "test").ends(3).came(hosts[1], "rolled back")
	at(t, hosts[1], web(hosts[1], "new"), web(hosts[1], "old")) // the system before, which was not the one that boots
}

// testNoGate: nixos-rebuild alone, and what became of the machine is read.
func testNoGate(t *testing.T) {
	l, hosts := take(t, 2)
	good, bad := hosts[0], hosts[1]
	next := l.next(t, good)
	worse := l.next(t, bad, func(s *fleettest.System) { s.Failed = []string{"pistack-web.service"} })
	run := l.deploy(t, hosts, "--no-gate").ends(3)
	run.came(good, "deployed")
	run.came(bad, "degraded", "units failed")
	at(t, good, next, next)
	at(t, bad, worse, worse)
	for _, h := range hosts {
		if n := len(h.Calls(t, "systemd-run")); n != 1 {
			t.Errorf("%s: systemd-run was called %d times", h.Name, n)
		}
	}
}

// testByHand runs what --explain prints, which changes nothing by itself.
func testByHand(t *testing.T) {
	l, hosts := take(t, 1)
	h := hosts[0]
	next := l.next(t, h, func(s *fleettest.System) { s.Images = []string{"127.0.0.1:1/web:1"} })
	var plan struct {
		Hosts []struct{ Commands []string }
	}
	text, err := l.command(filepath.Join(binaries, "pistack"), "deploy", h.Name, "--explain", "--json").Output()
	if err == nil {
		err = json.Unmarshal(text, &plan)
	}
	if err != nil || len(plan.Hosts) != 1 {
		t.Fatalf("%v\n%s", err, text)
	}
	back(t, h)
	if l.must(t, "sh", "-euc", strings.Join(plan.Hosts[0].Commands, "\n")); len(plan.Hosts[0].Commands) < 12 {
		t.Errorf("%q", plan.Hosts[0].Commands)
	}
	at(t, h, next, next)
	l.deploy(t, []*fleettest.Host{h}).ends(0).came(h, "recorded") // by hand there is no receipt
}

// testWays: a user who is not root, a machine behind another, an IPv6 address.
func testWays(t *testing.T) {
	l, hosts := take(t, 4)
	jump, behind, admin, six := hosts[0], hosts[1], hosts[2], hosts[3]
	l.write(t, "hosts/"+admin.Name+"/host.toml", l.hostText(admin, "admin"))
	l.write(t, "hosts/"+six.Name+"/host.toml", strings.Replace(l.hostText(six, "root"), six.Address, "::1", 1))
	six.Configure(t, fmt.Sprintf("ListenAddress [::1]:%d", six.Port))
	if err := os.MkdirAll(filepath.Join(l.home, ".ssh"), 0o700); err != nil {
		t.Fatal(err)
	}
	known := filepath.Join(l.home, ".ssh/known_hosts")
	config := fmt.Sprintf("Host %s\n  ProxyJump root@%s:%d\nHost %s\n  UserKnownHostsFile %s\n  IdentityFile %s\n", behind.Name, jump.Address, jump.Port, jump.Address, known, l.Identity)
	for path, text := range map[string]string{known: fmt.Sprintf("[%s]:%d %s\n", jump.Address, jump.Port, jump.PublicKey), filepath.Join(l.home, ".ssh/config"): config} {
		if err := os.WriteFile(path, []byte(text), fs.FileMode(0o600)); err != nil {
			t.Fatal(err)
		}
	}
	var wanted []fleettest.System
	for _, h := range hosts {
		wanted = append(wanted, l.next(t, h))
	}
	before := jump.Connections(t)
	l.deploy(t, hosts[1:]).ends(0)
	for i, h := range hosts[1:] {
		at(t, h, wanted[i+1], wanted[i+1])
	}
	if jump.Connections(t) == before {
		t.Error("nothing went through the jump host")
	}
	back(t, jump)
	users := 0
	for _, c := range admin.Calls(t, "sudo") {
		if c.Args[0] == "-n" {
			users++
		}
	}
	if users < 10 {
		t.Errorf("sudo was called %d times", users)
	}
}

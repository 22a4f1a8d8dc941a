// Package fleettest runs fleets of machines for tests: real sshds on 127.0.0.0/8,
// each with a host key of its own and in namespaces of its own, in which /nix,
// /run, /var and the boot id are the machine's, the shell and coreutils are real,
// and systemctl, systemd-run, docker, nix-store, nix-env and
// switch-to-configuration are stand-ins that keep their state in a file.
//
// A machine can misbehave at any call of a stand-in (Fail), lose its connections,
// be unreachable, reboot, and run systems that fail, take long or cut the link
// (System). What it was asked can be counted. Nothing outside the test's
// temporary folder is changed.
//
//	f := fleettest.Start(t, 3)
//	h := f.Hosts[0]
//	old := h.Install(t, fleettest.System{Name: "old"})
//	h.Boot(t, old)
//	config, err := remote.NewConfig(f.Remote(), remote.Options{Dir: …, IdentityFile: f.Identity})
//
// Start leaves a test out where there is no sshd, no root or no Linux.
package fleettest

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pistack/internal/fleettest/model"
	"pistack/internal/remote"
)

// What tests describe machines with.
type (
	System    = model.System
	Container = model.Container
	Fault     = model.Fault
	Call      = model.Call
	Unit      = model.Unit
	State     = model.State
)

// Fleet is some machines and the key that may log in to all of them.
type Fleet struct {
	Dir      string // temporary
	Identity string // private key, without passphrase
	Port     int    // of every sshd
	Hosts    []*Host
}

// Host is one machine.
type Host struct {
	Name      string // h001, h002, …
	Address   string // 127.x.y.n
	Port      int
	PublicKey string // "ssh-ed25519 AAAA…"
	Dir       string // its folder, /fleettest inside
}

// Remote is what the repository would say of the machines. Logins of user admin
// go through a sudo that asks for nothing.
func (f *Fleet) Remote() []remote.Host {
	hosts := make([]remote.Host, len(f.Hosts))
	for i, h := range f.Hosts {
		hosts[i] = remote.Host{Name: h.Name, Address: h.Address, User: "root", PublicKey: h.PublicKey, Port: h.Port}
	}
	return hosts
}

// Inside is where a path of the machine lies on the workstation; it has to be
// below /nix, /run, /var or /root.
func (h *Host) Inside(path string) string { return filepath.Join(h.Dir, "own", path) }

// Path is the store path that a system of that name has.
func Path(s System) string { return model.Path(s) }

// Install puts a system into the machine's store and returns its path.
func (h *Host) Install(tb testing.TB, s System) string {
	tb.Helper()
	path := Path(s)
	h.exec(tb, encode(tb, s), "nix-store --serve --write", path)
	return path
}

// Boot makes a system the profile's newest generation and reboots into it.
func (h *Host) Boot(tb testing.TB, path string) {
	tb.Helper()
	h.Shell(tb, "nix-env -p /nix/var/nix/profiles/system --set "+path)
	h.Reboot(tb)
}

// Reboot reboots the machine, however it is, and waits until sshd is back.
func (h *Host) Reboot(tb testing.TB) {
	tb.Helper()
	before := h.State(tb).Boots
	h.write(tb, model.RebootFile, "1ms")
	h.until(tb, "it to boot", func() bool { return h.State(tb).Boots > before })
	h.Link(tb, true)
	h.Wait(tb)
}

// Link lets connections in, or ends all and refuses new ones.
func (h *Host) Link(tb testing.TB, up bool) {
	tb.Helper()
	h.write(tb, model.LinkFile, map[bool]string{true: "up", false: "down"}[up])
	if up {
		h.Wait(tb)
		return
	}
	h.until(tb, "its link to go down", func() bool { return !h.answers() })
}

// Scale says how long a second of the machine's timers is; 1 at first. At 0
// they run out at once, at 1e6 only by Expire.
func (h *Host) Scale(tb testing.TB, seconds float64) {
	tb.Helper()
	h.write(tb, model.ScaleFile, fmt.Sprint(seconds))
}

// Expire lets all timers of the machine run out now.
func (h *Host) Expire(tb testing.TB) {
	tb.Helper()
	h.Change(tb, func(s *State) {
		for name, timer := range s.Timers {
			timer.Deadline = time.Time{}
			s.Timers[name] = timer
		}
	})
}

// State is what the machine's stand-ins know.
func (h *Host) State(tb testing.TB) State {
	tb.Helper()
	var state State
	h.Change(tb, func(s *State) { state = *s })
	return state
}

// Change changes what the machine's stand-ins know.
func (h *Host) Change(tb testing.TB, change func(*State)) {
	tb.Helper()
	if err := model.Update(h.Dir, func(s *State) error { change(s); return nil }); err != nil {
		tb.Fatalf("%s: %v", h.Name, err)
	}
}

// Fail adds faults. The first that fits a call befalls it.
func (h *Host) Fail(tb testing.TB, faults ...Fault) {
	tb.Helper()
	err := model.Lock(h.Dir, model.FaultsFile, func(all *[]Fault) error { *all = append(*all, faults...); return nil })
	if err != nil {
		tb.Fatalf("%s: %v", h.Name, err)
	}
}

// Heal takes all faults away.
func (h *Host) Heal(tb testing.TB) {
	tb.Helper()
	if err := os.Remove(filepath.Join(h.Dir, model.FaultsFile)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
}

// Program puts a shell script in the place of a program: of uname or df, say.
func (h *Host) Program(tb testing.TB, name, script string) {
	tb.Helper()
	path := filepath.Join(h.Dir, "bin", name)
	if err := errors.Join(os.RemoveAll(path), os.WriteFile(path, []byte("#!/bin/sh\n"+script+"\n"), 0o755)); err != nil {
		tb.Fatal(err)
	}
}

// Calls are the calls of stand-ins so far, of one program or, with "", of all.
func (h *Host) Calls(tb testing.TB, program string) []Call {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(h.Dir, model.CallsFile))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	var calls []Call
	for lines := bufio.NewScanner(bytes.NewReader(data)); lines.Scan(); {
		var c Call
		if err := json.Unmarshal(lines.Bytes(), &c); err != nil {
			tb.Fatalf("%s: %v", h.Name, err)
		}
		if program == "" || c.Program == program {
			calls = append(calls, c)
		}
	}
	return calls
}

// Connections counts how often somebody logged in, and Sessions how often
// something was run over such a connection, by sshd's own log.
func (h *Host) Connections(tb testing.TB) int {
	return strings.Count(h.log(tb), "Accepted publickey for")
}

// Sessions counts sessions: see Connections.
func (h *Host) Sessions(tb testing.TB) int { return strings.Count(h.log(tb), "Starting session: ") }

func (h *Host) log(tb testing.TB) string {
	tb.Helper()
	data, err := os.ReadFile(filepath.Join(h.Dir, "sshd.log"))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		tb.Fatal(err)
	}
	return string(data)
}

func (h *Host) write(tb testing.TB, name, text string) {
	tb.Helper()
	path := filepath.Join(h.Dir, name)
	if err := errors.Join(os.WriteFile(path+".part", []byte(text), 0o600), os.Rename(path+".part", path)); err != nil {
		tb.Fatal(err)
	}
}

// until waits for a condition; what is waited for is an event of another process.
func (h *Host) until(tb testing.TB, what string, done func() bool) {
	tb.Helper()
	for end := time.Now().Add(20 * time.Second); !done(); time.Sleep(10 * time.Millisecond) {
		if time.Now().After(end) {
			tb.Fatalf("%s: waited too long for %s\n%s", h.Name, what, h.log(tb))
		}
	}
}

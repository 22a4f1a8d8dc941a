package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"pistack/internal/fleettest"
	"pistack/internal/remote"
)

// start runs machines and opens connections to them.
func start(t *testing.T, n int, change ...func([]remote.Host, *remote.Options)) (*fleettest.Fleet, *remote.Connections) {
	t.Helper()
	f := fleettest.Start(t, n)
	return f, open(t, f, change...)
}

func open(t *testing.T, f *fleettest.Fleet, change ...func([]remote.Host, *remote.Options)) *remote.Connections {
	t.Helper()
	hosts, options := f.Remote(), remote.Options{Dir: t.TempDir(), IdentityFile: f.Identity}
	for _, c := range change {
		c(hosts, &options)
	}
	cs, err := written(t, options, hosts...).Open()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(cs.Close)
	return cs
}

func call(script string, args ...string) remote.Call {
	return remote.Call{Host: "h001", Step: "testing", Script: script, Args: args}
}

// TestRun: what a script is given, and what comes back.
func TestRun(t *testing.T) {
	_, cs := start(t, 1)
	odd := []string{"", " ", "it's", `\`, `\'`, "$HOME", "`id`", "a\nb", "!x", "ä", "-n", "*", "\t", strings.Repeat("x", 200_000)}
	big := bytes.Repeat([]byte("0123456789abcde\n"), 1<<18) // 4 MiB
	for _, c := range []struct {
		name string
		call remote.Call
		want string
		code int
	}{
		{"output", call("echo a; echo b >&2"), "a\n", 0},
		{"arguments", call(`for a; do printf '%s\0' "$a"; done`, odd...), strings.Join(odd, "\x00") + "\x00", 0},
		{"no arguments", call(`echo $#`), "0\n", 0},
		{"standard input", remote.Call{Host: "h001", Script: `read -r x; echo "<$x>"; cat`, Stdin: strings.NewReader("1\n2\n3")}, "<1>\n2\n3", 0},
		{"no standard input", call("cat; echo end"), "end\n", 0},
		{"large standard input", remote.Call{Host: "h001", Script: "wc -c", Stdin: bytes.NewReader(big)}, fmt.Sprintln(len(big)), 0},
		{"standard input that nobody reads", remote.Call{Host: "h001", Script: "echo x", Stdin: bytes.NewReader(big)}, "x\n", 0},
		{"large script", call("#" + strings.Repeat("x", 300_000) + "\necho y"), "y\n", 0},
		{"exit status", call("echo out; echo err >&2; exit 3"), "out\n", 3},
		{"status that ssh has", call("exit 255"), "", 255},
		{"errexit", call("set -eu; false; echo no"), "", 1},
		{"unknown variable", call("set -eu; echo $nothing"), "", 2},
		{"syntax error", call("if"), "", 2},
		{"killed", call("kill -9 $$; exit 0"), "", 255},
		{"environment", call("echo $HOME; id -u"), "/root\n0\n", 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			out, err := cs.Run(t.Context(), c.call)
			if c.name == "killed" {
				if !remote.Is(err, remote.Lost) {
					t.Errorf("error %v", err)
				}
				return
			}
			if string(out) != c.want {
				t.Errorf("output %.200q, want %.200q", out, c.want)
			}
			var exit *remote.ExitError
			if c.code == 0 && err != nil || c.code != 0 && (!errors.As(err, &exit) || exit.Code != c.code) {
				t.Errorf("error %v, want status %d", err, c.code)
			}
		})
	}
	t.Run("last words", func(t *testing.T) {
		_, err := cs.Run(t.Context(), call("for i in $(seq 30); do echo line $i >&2; done; exit 7"))
		var exit *remote.ExitError
		if !errors.As(err, &exit) || len(exit.Last) != 20 || exit.Last[19] != "line 30" || err.Error() != "h001: testing: exit status 7: line 30" {
			t.Errorf("error %v", err)
		}
	})
}

// TestLines: lines of both streams arrive as they come, and ours do not.
func TestLines(t *testing.T) {
	_, cs := start(t, 1)
	var lines []string
	c := call("echo a; sleep 0.1; echo b >&2; sleep 0.1; printf c; exit 1")
	c.Line = func(text string) { lines = append(lines, text) }
	out, err := cs.Run(t.Context(), c)
	if !slices.Equal(lines, []string{"a", "b", "c"}) || string(out) != "a\nc" || err == nil {
		t.Errorf("lines %q, output %q, error %v", lines, out, err)
	}
}

// TestOutputIsBounded: an answer that is too long is none; a log may be long.
func TestOutputIsBounded(t *testing.T) {
	_, cs := start(t, 1)
	endless := call("yes") // until it is stopped
	endless.Output = 1000
	if out, err := cs.Run(t.Context(), endless); err == nil || len(out) != 1000 || !strings.Contains(err.Error(), "too long") {
		t.Errorf("%d bytes, error %v", len(out), err)
	}
	count := 0
	long := call("yes | head -n 1000000; head -c 1000000 /dev/zero | tr '\\0' x")
	long.Output, long.Line = 1000, func(string) { count++ }
	out, err := cs.Run(t.Context(), long)
	if err != nil || len(out) != 1000 || count != 1_000_001 {
		t.Errorf("%d bytes, %d lines, error %v", len(out), count, err)
	}
}

// TestSharing: calls share a connection, but fresh ones; Close ends it.
func TestSharing(t *testing.T) {
	f, cs := start(t, 2)
	h := f.Hosts[0]
	logins, sessions := h.Connections(t), h.Sessions(t)
	var wait sync.WaitGroup
	for range 20 {
		wait.Go(func() {
			if _, err := cs.Run(t.Context(), call("sleep 0.05")); err != nil {
				t.Error(err)
			}
		})
	}
	wait.Wait()
	if got := h.Connections(t) - logins; got != 1 {
		t.Errorf("20 calls took %d connections", got)
	}
	if got := h.Sessions(t) - sessions; got != 20 {
		t.Errorf("20 calls took %d sessions", got)
	}
	fresh := call("true")
	fresh.Fresh = true
	for range 2 {
		if _, err := cs.Run(t.Context(), fresh); err != nil {
			t.Error(err)
		}
	}
	if got := h.Connections(t) - logins; got != 3 {
		t.Errorf("with two fresh ones %d connections", got)
	}
	cs.Close()
	cs.Close()
	if _, err := cs.Run(t.Context(), call("true")); err == nil {
		t.Error("a call after Close")
	}
}

// TestBounded: of idle connections as many stay open as were asked for, those that
// were used last; one that is in use or held is not closed.
func TestBounded(t *testing.T) {
	f, cs := start(t, 3, func(_ []remote.Host, o *remote.Options) { o.Shared = 1 })
	run := func(host string) {
		t.Helper()
		if _, err := cs.Run(t.Context(), remote.Call{Host: host, Step: "testing", Script: "true"}); err != nil {
			t.Fatal(err)
		}
	}
	opened := func(i, want int) {
		t.Helper()
		if got := f.Hosts[i].Connections(t); got != want {
			t.Errorf("%s: %d connections, want %d", f.Hosts[i].Name, got, want)
		}
	}
	run("h001")
	run("h001")
	opened(0, 1)
	run("h002")
	run("h001")
	opened(0, 2)
	done := cs.Hold("h001")
	run("h002")
	run("h003")
	run("h001")
	opened(0, 2)
	done()
	run("h003")
	sessions := f.Hosts[0].Sessions(t)
	cs.Connect(t.Context(), "h001")
	cs.Connect(t.Context(), "h001")
	if got := f.Hosts[0].Sessions(t) - sessions; got != 1 {
		t.Errorf("connecting took %d sessions", got)
	}
	run("h001")
	opened(0, 3)

	begun, ended := make(chan bool), make(chan error)
	go func() {
		c := call("echo begun; while [ ! -e /run/go ]; do sleep 0.05; done")
		c.Line = func(string) { close(begun) }
		_, err := cs.Run(t.Context(), c)
		ended <- err
	}()
	<-begun
	run("h002")
	run("h003")
	run("h002")
	f.Hosts[0].Shell(t, "touch /run/go")
	if err := <-ended; err != nil {
		t.Errorf("what ran meanwhile: %v", err)
	}
}

// TestSocketFolder: short, private, and gone after Close, whatever the folder for
// such things is called.
func TestSocketFolder(t *testing.T) {
	runtime := t.TempDir()
	long := filepath.Join(runtime, strings.Repeat("x", 80))
	strange := filepath.Join(runtime, "a b%h")
	short, err := os.MkdirTemp("/tmp", "r")
	if err != nil {
		t.Fatal(err)
	}
	defer os.RemoveAll(short)
	if err := errors.Join(os.Mkdir(long, 0o700), os.Mkdir(strange, 0o700)); err != nil {
		t.Fatal(err)
	}
	f := fleettest.Start(t, 1)
	for _, dir := range []string{"", short, long, strange, "/nonexistent"} {
		cs := open(t, f, func(_ []remote.Host, o *remote.Options) { o.RuntimeDir = dir })
		if _, err := cs.Run(t.Context(), call("true")); err != nil {
			t.Errorf("%q: %v", dir, err)
		}
		used, _ := filepath.Glob(filepath.Join(dir, "pistack-*"))
		if dir == short {
			if info, err := os.Stat(used[0]); err != nil || info.Mode().Perm() != 0o700 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
		}
		before := f.Hosts[0].Connections(t)
		if _, err := cs.Run(t.Context(), call("true")); err != nil || f.Hosts[0].Connections(t) != before {
			t.Errorf("%q: connections are not shared: %v", dir, err)
		}
		cs.Close()
	}
	if left, _ := filepath.Glob(filepath.Join(short, "*")); len(left) != 0 {
		t.Errorf("left: %q", left)
	}
}

// TestErrors: why a machine could not be asked.
func TestErrors(t *testing.T) {
	f := fleettest.Start(t, 2)
	h := f.Hosts[0]
	stranger := filepath.Join(t.TempDir(), "stranger")
	if out, err := exec.Command("ssh-keygen", "-q", "-t", "ed25519", "-N", "", "-f", stranger).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	for _, c := range []struct {
		name   string
		change func([]remote.Host, *remote.Options)
		kind   remote.Kind
		want   string
	}{
		{"another key", func(h []remote.Host, _ *remote.Options) { h[0].PublicKey = h[1].PublicKey }, remote.WrongKey, "does not have the pinned host key"},
		{"another machine", func(h []remote.Host, _ *remote.Options) { h[0].Address = h[1].Address }, remote.WrongKey, "no command was run on it"},
		{"no access", func(_ []remote.Host, o *remote.Options) { o.IdentityFile = stranger }, remote.Denied, "root@" + h.Address + " does not accept your ssh key"},
		{"nobody there", func(h []remote.Host, _ *remote.Options) { h[0].Port = 1 }, remote.Unreachable, "port 1: "},
		{"no such name", func(h []remote.Host, _ *remote.Options) { h[0].Address = "no.such.host.invalid" }, remote.Unreachable, "no.such.host.invalid"},
	} {
		t.Run(c.name, func(t *testing.T) {
			cs := open(t, f, c.change)
			sessions := h.Sessions(t) + f.Hosts[1].Sessions(t)
			_, err := cs.Run(t.Context(), call("touch /run/was-here"))
			var e *remote.Error
			if !errors.As(err, &e) || e.Kind != c.kind || e.Host != "h001" || e.Hint() == "" || !strings.Contains(err.Error(), c.want) {
				t.Errorf("%v: %v", e.Kind, err)
			}
			if got := h.Sessions(t) + f.Hosts[1].Sessions(t); got != sessions {
				t.Error("a command reached a machine")
			}
		})
	}
	t.Run("not of this configuration", func(t *testing.T) {
		if _, err := open(t, f).Run(t.Context(), remote.Call{Host: "h009", Script: "true"}); err == nil {
			t.Error("no error")
		}
	})
}

// TestLost: a connection that breaks is told from a script that fails, and the
// next call takes another.
func TestLost(t *testing.T) {
	f, cs := start(t, 1)
	f.Hosts[0].Fail(t, fleettest.Fault{Program: "docker", Cut: true, Times: 1, Exit: 1})
	if _, err := cs.Run(t.Context(), call("true")); err != nil {
		t.Fatal(err)
	}
	_, err := cs.Run(t.Context(), call("docker version; sleep 30"))
	if !remote.Is(err, remote.Lost) || !strings.Contains(err.Error(), "testing") {
		t.Errorf("error %v", err)
	}
	if out, err := cs.Run(t.Context(), call("echo again")); err != nil || string(out) != "again\n" {
		t.Errorf("%q, %v", out, err)
	}
}

// TestTimedOut: a step that hangs is named, and does not hang the next one.
func TestTimedOut(t *testing.T) {
	_, cs := start(t, 1)
	if _, err := cs.Run(t.Context(), call("true")); err != nil {
		t.Fatal(err)
	}
	c := call("sleep 1000")
	c.Limit = 300 * time.Millisecond
	_, err := cs.Run(t.Context(), c)
	if !remote.Is(err, remote.TimedOut) || err.Error() != "h001: no answer within 300ms: testing" {
		t.Errorf("error %v", err)
	}
	if _, err := cs.Run(t.Context(), call("true")); err != nil {
		t.Error(err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	c = call("echo begun; sleep 1000")
	c.Line = func(string) { cancel() }
	if _, err := cs.Run(ctx, c); !errors.Is(err, context.Canceled) {
		t.Errorf("canceled: %v", err)
	}
}

// TestFreshLeavesShared: a call over a connection of its own that fails does not
// end what runs over the shared one.
func TestFreshLeavesShared(t *testing.T) {
	f, cs := start(t, 1)
	begun, done := make(chan bool), make(chan error)
	go func() {
		c := call("echo begun; while [ ! -e /run/go ]; do sleep 0.05; done")
		c.Line = func(string) { close(begun) }
		_, err := cs.Run(t.Context(), c)
		done <- err
	}()
	<-begun
	hung := call("sleep 60")
	hung.Fresh, hung.Limit = true, 2*time.Second
	if _, err := cs.Run(t.Context(), hung); !remote.Is(err, remote.TimedOut) {
		t.Errorf("error %v", err)
	}
	f.Hosts[0].Shell(t, "touch /run/go")
	if err := <-done; err != nil {
		t.Errorf("what ran over the shared connection: %v", err)
	}
}

// TestSudo: other users become root, or it is said why not.
func TestSudo(t *testing.T) {
	admin := func(h []remote.Host, _ *remote.Options) { h[0].User = "admin" }
	f, cs := start(t, 1, admin)
	h := f.Hosts[0]
	if out, err := cs.Run(t.Context(), call(`cat; echo "$1"`, "it's")); err != nil || string(out) != "it's\n" || len(h.Calls(t, "sudo")) != 1 {
		t.Errorf("%q, %v", out, err)
	}
	t.Run("a password is wanted", func(t *testing.T) {
		h.Fail(t, fleettest.Fault{Program: "sudo", Exit: 1, Stderr: "sudo: a password is required"})
		_, err := cs.Run(t.Context(), call("true"))
		if !remote.Is(err, remote.NoSudo) || !strings.Contains(err.Error(), "admin") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the user's own configuration says so", func(t *testing.T) {
		h.Heal(t)
		mine := filepath.Join(t.TempDir(), "config")
		if err := os.WriteFile(mine, []byte("Host h*\n  User admin\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		cs := open(t, f, func(h []remote.Host, o *remote.Options) { h[0].User, o.UserConfig = "", mine })
		before := len(h.Calls(t, "sudo"))
		if _, err := cs.Run(t.Context(), call("true")); err != nil || len(h.Calls(t, "sudo")) != before+1 {
			t.Errorf("%v, sudo was called %d times", err, len(h.Calls(t, "sudo"))-before)
		}
	})
}

// TestLoginShells: whatever shell the login has, the script is sh's.
func TestLoginShells(t *testing.T) {
	f, cs := start(t, 1)
	passwd := filepath.Join(f.Hosts[0].Dir, "etc/passwd")
	users := read(t, passwd)
	for _, shell := range []string{"/bin/sh", "/bin/bash", "/usr/bin/zsh", "/usr/bin/fish", "/bin/csh", "/bin/tcsh", "/bin/ksh", "/usr/sbin/nologin"} {
		if _, err := os.Stat(shell); err != nil {
			continue
		}
		if err := os.WriteFile(passwd, []byte(strings.Replace(users, "/root:/bin/sh", "/root:"+shell, 1)), 0o644); err != nil {
			t.Fatal(err)
		}
		c := call("cat >/dev/null\necho \"$1\"", `a'b\'`+"\n!")
		c.Fresh = true // sshd asks for the shell when somebody logs in
		out, err := cs.Run(t.Context(), c)
		if shell == "/usr/sbin/nologin" {
			if !remote.Is(err, remote.Denied) {
				t.Errorf("%s: %v", shell, err)
			}
			continue
		}
		if err != nil || string(out) != `a'b\'`+"\n!\n" {
			t.Errorf("%s: %q, %v", shell, out, err)
		}
	}
}

// TestBusy: a machine that takes few sessions or connections is waited for.
func TestBusy(t *testing.T) {
	f := fleettest.Start(t, 1)
	for _, options := range []string{"MaxSessions 2", "MaxSessions 1", "MaxStartups 2:100:2"} {
		t.Run(options, func(t *testing.T) {
			f.Hosts[0].Configure(t, options)
			cs := open(t, f)
			var wait sync.WaitGroup
			for i := range 12 {
				wait.Go(func() {
					c := call("sleep 0.2; echo x")
					c.Fresh = i%2 == 0 && strings.HasPrefix(options, "MaxStartups")
					if out, err := cs.Run(t.Context(), c); err != nil || string(out) != "x\n" {
						t.Errorf("%q, %v", out, err)
					}
				})
			}
			wait.Wait()
		})
	}
}

// TestThroughJumpHost: the way leads over a machine that only the user knows.
func TestThroughJumpHost(t *testing.T) {
	f := fleettest.Start(t, 2)
	bastion := f.Hosts[1]
	home := t.TempDir()
	known := filepath.Join(home, "known_hosts")
	mine := filepath.Join(home, "config")
	text := fmt.Sprintf("Host bastion\n  HostName %s\n  Port %d\n  User root\n  IdentityFile %s\n  UserKnownHostsFile %s\nHost h001\n  ProxyJump bastion\n", bastion.Address, bastion.Port, f.Identity, known)
	if err := os.WriteFile(mine, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	through := func(h []remote.Host, o *remote.Options) { o.UserConfig = mine }
	t.Run("unknown to the user", func(t *testing.T) {
		_, err := open(t, f, through).Run(t.Context(), call("true"))
		if !remote.Is(err, remote.Unreachable) || !strings.Contains(err.Error(), "jump host") {
			t.Errorf("error %v", err)
		}
	})
	if err := os.WriteFile(known, []byte(fmt.Sprintf("[%s]:%d %s\n", bastion.Address, bastion.Port, bastion.PublicKey)), 0o600); err != nil {
		t.Fatal(err)
	}
	before := bastion.Connections(t)
	if out, err := open(t, f, through).Run(t.Context(), call("uname -n")); err != nil || string(out) != "h001\n" || bastion.Connections(t) != before+1 {
		t.Errorf("%q, %v", out, err)
	}
	t.Run("no access to it", func(t *testing.T) {
		if err := os.WriteFile(mine, []byte(strings.Replace(text, f.Identity, "/nonexistent", 1)), 0o600); err != nil {
			t.Fatal(err)
		}
		_, err := open(t, f, through).Run(t.Context(), call("true"))
		if !remote.Is(err, remote.Denied) || !strings.Contains(err.Error(), "root@"+bastion.Address+" does not accept") {
			t.Errorf("error %v", err)
		}
		if err := os.WriteFile(mine, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	})
	t.Run("a wrong key behind it", func(t *testing.T) {
		cs := open(t, f, through, func(h []remote.Host, _ *remote.Options) { h[0].PublicKey = h[1].PublicKey })
		if _, err := cs.Run(t.Context(), call("true")); !remote.Is(err, remote.WrongKey) {
			t.Errorf("error %v", err)
		}
	})
}

// TestIPv6: by address.
func TestIPv6(t *testing.T) {
	f := fleettest.Start(t, 1)
	h := f.Hosts[0]
	h.Configure(t, fmt.Sprintf("ListenAddress [::1]:%d", h.Port))
	cs := open(t, f, func(h []remote.Host, _ *remote.Options) { h[0].Address = "::1" })
	if out, err := cs.Run(t.Context(), call("echo x")); err != nil || string(out) != "x\n" {
		t.Errorf("%q, %v", out, err)
	}
}

package fleettest

import (
	"crypto/ed25519"
	"encoding/json"
	"encoding/pem"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"
)

// programs are the stand-ins.
func programs() []string {
	return []string{"systemctl", "systemd-run", "timedatectl", "journalctl", "docker", "nix-store", "nix-env", "switch-to-configuration", "sudo", "fleettest-init", "fleettest-timer"}
}

const sshd = "/usr/sbin/sshd" // it wants to be called by its absolute path

// Start runs n machines until the test ends. Their profiles have no system yet.
func Start(tb testing.TB, n int) *Fleet {
	tb.Helper()
	if why := missing(); why != "" {
		if os.Getenv("PISTACK_REQUIRE_ALL") != "" {
			tb.Fatal("nothing may be left out, and " + why)
		}
		tb.Skip(why)
	}
	dir := tb.TempDir()
	f := &Fleet{Dir: dir, Identity: filepath.Join(dir, "id")}
	if _, err := keyPair(f.Identity); err != nil {
		tb.Fatal(err)
	}
	binary, err := machine()
	if err != nil {
		tb.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "machine"), binary, 0o755); err != nil {
		tb.Fatal(err)
	}
	f.Port = freePort(tb)
	var wait sync.WaitGroup
	gate := make(chan struct{}, 8)
	for i := range n {
		h := &Host{Name: fmt.Sprintf("h%03d", i+1), Address: address(i), Port: f.Port, Dir: filepath.Join(dir, fmt.Sprintf("h%03d", i+1))}
		f.Hosts = append(f.Hosts, h)
		if err := h.furnish(f); err != nil {
			tb.Fatal(err)
		}
		wait.Go(func() {
			gate <- struct{}{}
			defer func() { <-gate }()
			if err := h.start(tb); err != nil {
				tb.Errorf("%s: %v", h.Name, err)
			}
		})
	}
	wait.Wait()
	if tb.Failed() {
		tb.FailNow()
	}
	for _, h := range f.Hosts {
		h.Wait(tb)
	}
	return f
}

func missing() string {
	_, err := os.Stat(sshd)
	switch {
	case runtime.GOOS != "linux":
		return "machines with namespaces of their own need Linux"
	case os.Geteuid() != 0:
		return "machines with namespaces of their own need root"
	case err != nil:
		return sshd + " is not installed"
	}
	return ""
}

// machine is the program that plays a machine, built once for all tests of a
// process.
var machine = sync.OnceValues(func() ([]byte, error) {
	dir, err := os.MkdirTemp("", "fleettest-")
	if err != nil {
		return nil, err
	}
	defer os.RemoveAll(dir)
	path := filepath.Join(dir, "machine")
	cmd := exec.Command("go", "build", "-o", path, "pistack/internal/fleettest/machine")
	cmd.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return nil, fmt.Errorf("go build: %w\n%s", err, out)
	}
	return os.ReadFile(path)
})

// address is of loopback, and another for every process of tests at a time.
func address(i int) string {
	pid := os.Getpid()
	return fmt.Sprintf("127.%d.%d.%d", 16+pid%200, (pid/200)%128+128*(i/200), 1+i%200)
}

func freePort(tb testing.TB) int {
	tb.Helper()
	l, err := net.Listen("tcp", address(0)+":0")
	if err != nil {
		tb.Fatal(err)
	}
	defer l.Close()
	return l.Addr().(*net.TCPAddr).Port
}

// furnish makes the machine's folder.
func (h *Host) furnish(f *Fleet) (err error) {
	for _, dir := range []string{"bin", "etc", "own/nix/store", "own/nix/var/nix/profiles", "own/nix/var/nix/gcroots", "own/run", "own/var/lib/docker", "own/var/empty", "own/var/log", "own/root", "own/sys/fs/cgroup"} {
		if err := os.MkdirAll(filepath.Join(h.Dir, dir), 0o755); err != nil {
			return err
		}
	}
	for _, name := range programs() {
		if err := os.Link(filepath.Join(f.Dir, "machine"), filepath.Join(h.Dir, "bin", name)); err != nil {
			return err
		}
	}
	if h.PublicKey, err = keyPair(filepath.Join(h.Dir, "hostkey")); err != nil {
		return err
	}
	public, err := os.ReadFile(f.Identity + ".pub")
	if err != nil {
		return err
	}
	users := "root:*:0:0::/root:/bin/sh\nadmin:*:0:0::/root:/bin/sh\nsshd:*:65534:65534::/run/sshd:/usr/sbin/nologin\nnobody:*:65534:65534::/nonexistent:/usr/sbin/nologin\n"
	for name, text := range map[string]string{
		"etc/passwd": users, "etc/group": "root:*:0:\nnogroup:*:65534:\n", "etc/shadow": "root:*:19000:0:99999:7:::\n",
		"hostname": h.Name, "authorized_keys": string(public), "sshd_config": h.config(),
		"own/sys/fs/cgroup/cgroup.controllers": "cpuset cpu io memory pids\n",
	} {
		err = errors.Join(err, os.WriteFile(filepath.Join(h.Dir, name), []byte(text), 0o600))
	}
	return errors.Join(err, os.Chmod(filepath.Join(h.Dir, "etc/passwd"), 0o644), os.Chmod(filepath.Join(h.Dir, "etc/group"), 0o644))
}

// config is the sshd_config; Configure adds to it.
func (h *Host) config() string {
	return fmt.Sprintf(`ListenAddress %s:%d
HostKey /fleettest/hostkey
AuthorizedKeysFile /fleettest/authorized_keys
UsePAM no
StrictModes no
PermitRootLogin prohibit-password
PasswordAuthentication no
MaxStartups 100
PidFile none
LogLevel VERBOSE
SetEnv PATH=/fleettest/bin:/usr/bin:/bin
Include /fleettest/sshd_more
`, h.Address, h.Port)
}

// Configure gives the machine's sshd more options, and starts it anew.
func (h *Host) Configure(tb testing.TB, options string) {
	tb.Helper()
	text := options + "\n"
	h.write(tb, "sshd_more", text)
	h.Link(tb, false)
	h.Link(tb, true)
}

// Wait waits until the machine's sshd answers.
func (h *Host) Wait(tb testing.TB) {
	tb.Helper()
	h.until(tb, "its sshd", h.answers)
}

// answers tells whether a server greets.
func (h *Host) answers() bool {
	c, err := net.DialTimeout("tcp", net.JoinHostPort(h.Address, fmt.Sprint(h.Port)), time.Second)
	if err != nil {
		return false
	}
	defer c.Close()
	if err := c.SetReadDeadline(time.Now().Add(5 * time.Second)); err != nil {
		return false
	}
	greeting := make([]byte, 4)
	n, err := c.Read(greeting)
	return err == nil && string(greeting[:n]) == "SSH-"
}

// Shell runs a command on the machine as root, over a connection of its own, and
// returns its output.
func (h *Host) Shell(tb testing.TB, command string) string {
	tb.Helper()
	return h.exec(tb, "", command)
}

// exec runs a command with a text as standard input, or, for nix-store, a path
// and a text.
func (h *Host) exec(tb testing.TB, stdin, command string, path ...string) string {
	tb.Helper()
	known := filepath.Join(h.Dir, "known_hosts")
	if err := os.WriteFile(known, []byte(h.Name+" "+h.PublicKey+"\n"), 0o600); err != nil {
		tb.Fatal(err)
	}
	cmd := exec.Command("ssh", "-F", "/dev/null", "-i", filepath.Join(filepath.Dir(h.Dir), "id"), "-o", "BatchMode=yes", "-o", "HostKeyAlias="+h.Name,
		"-o", "UserKnownHostsFile="+known, "-o", "GlobalKnownHostsFile=/dev/null", "-p", fmt.Sprint(h.Port), "root@"+h.Address, "--", command)
	cmd.Stdin = strings.NewReader(strings.Join(append(path, stdin), "\n"))
	out, err := cmd.Output()
	if err != nil {
		var exit *exec.ExitError
		if errors.As(err, &exit) {
			out = append(out, exit.Stderr...)
		}
		tb.Fatalf("%s: %s: %v\n%s", h.Name, command, err, out)
	}
	return strings.TrimRight(string(out), "\n")
}

// keyPair writes an ssh-ed25519 key to path and path.pub.
func keyPair(path string) (public string, err error) {
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		return "", err
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		return "", err
	}
	key, err := ssh.NewPublicKey(pub)
	if err != nil {
		return "", err
	}
	line := ssh.MarshalAuthorizedKey(key)
	return strings.TrimSpace(string(line)), errors.Join(os.WriteFile(path, pem.EncodeToMemory(block), 0o600), os.WriteFile(path+".pub", line, 0o644))
}

// encode is what a system's file holds.
func encode(tb testing.TB, s System) string {
	tb.Helper()
	text, err := json.Marshal(s)
	if err != nil {
		tb.Fatal(err)
	}
	return string(text)
}

//go:build device

package cmd_test

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"pistack/internal/sshkey"
)

// TestArm64Boot builds an image with the layout of NixOS's for a host with secrets
// and a new key, and boots it by a real U-Boot on an emulated arm64 machine. The
// first key that its sshd ever shows is the pinned one, and the first boot opens all
// secrets. "make arm64" runs it.
func TestArm64Boot(t *testing.T) {
	f := newKillFleet(t)
	tree, work := arm64Tree(t), t.TempDir()
	f.write("flake.nix", "")
	f.write("flake.lock", "")
	f.git("init", "-q")
	f.git("add", "fleet.toml", "flake.nix", "flake.lock", "hosts")
	for _, name := range []string{"A", "B"} {
		f.must(f.pisec("value of "+name, "add", "pi", name))
	}
	f.must(f.pistack("generate"))
	f.git("add", "hosts")
	build := f.pistack("image", "build", "pi", "--yes", "--identity", "operator")
	build.Env = append(os.Environ(), "ARM64_TREE="+tree, "ARM64_WORK="+work, "ARM64_PISEC="+arm64Pisec(t),
		"PATH="+arm64Script(t, ".")+":"+binaries+":"+os.Getenv("PATH"))
	t.Logf("built and sealed in %v", f.must(build))
	image := filepath.Join(f.root, "images/pi.img")

	pinned, err := os.ReadFile(filepath.Join(f.root, "hosts/pi/ssh_host_ed25519_key.pub"))
	if err != nil || string(pinned) == f.keys[0]+"\n" || !bytes.Equal(pinned, ssh.MarshalAuthorizedKey(f.wantKey(image))) {
		t.Fatalf("pinned is %q (%v)", pinned, err)
	}
	m := bootArm64(t, image)
	if first := m.firstKey(); first != string(pinned) {
		t.Fatalf("the first key that it shows is %s, pinned is %s", first, pinned)
	}
	m.knows(string(pinned), filepath.Join(tree, "id"))
	for _, c := range []struct{ command, want string }{
		{"uname -m", "aarch64"},
		{"systemctl is-active pistack-secrets.service", "active"},
		{"cat /run/pistack/current/secrets/A /run/pistack/current/secrets/B", "value of Avalue of B"},
		{"stat -c '%a %u %g' /etc/ssh/ssh_host_ed25519_key", "600 0 0"},
		{"journalctl --list-boots --quiet | wc -l", "1"},
		{"findmnt -n -o FSTYPE,LABEL /", "ext4"},
	} {
		if got := m.ssh(c.command); !strings.HasPrefix(got, c.want) {
			t.Errorf("%s: %q, want %q", c.command, got, c.want)
		}
	}
}

// arm64Script is the absolute path of something in testdata/arm64.
func arm64Script(t *testing.T, name string) string {
	t.Helper()
	path, err := filepath.Abs(filepath.Join("../testdata/arm64", name))
	if err != nil {
		t.Fatal(err)
	}
	return path
}

// arm64Tree is the folder with a bootable tree, kernel and initrd; it is made once.
func arm64Tree(t *testing.T) string {
	t.Helper()
	cmd := exec.Command(arm64Script(t, "tree"))
	cmd.Stderr = os.Stderr
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

// arm64Pisec builds pisec for arm64.
func arm64Pisec(t *testing.T) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "pisec")
	cmd := exec.Command("go", "build", "-o", path, "pistack/cmd/pisec")
	cmd.Env = append(os.Environ(), "GOOS=linux", "GOARCH=arm64", "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	return path
}

// emulated is an arm64 machine.
type emulated struct {
	t       *testing.T
	port    string
	dead    chan struct{} // closed when qemu has ended
	console string        // file with what it wrote there
	options []string      // of ssh
}

// bootArm64 boots an image until the test ends. The network leads nowhere but to its
// sshd.
func bootArm64(t *testing.T, image string) *emulated {
	t.Helper()
	m := &emulated{t: t, port: freePort(t), dead: make(chan struct{}), console: filepath.Join(t.TempDir(), "console")}
	qemu := exec.Command("qemu-system-aarch64", "-M", "virt", "-cpu", "cortex-a72", "-smp", "2", "-m", "1024",
		"-display", "none", "-monitor", "none", "-no-reboot", "-serial", "file:"+m.console,
		"-bios", "/usr/lib/u-boot/qemu_arm64/u-boot.bin", "-drive", "file="+image+",format=raw,if=virtio",
		"-netdev", "user,id=n,restrict=on,hostfwd=tcp:127.0.0.1:"+m.port+"-:22", "-device", "virtio-net-pci,netdev=n,romfile=") // the file is in a package of its own
	var said bytes.Buffer
	qemu.Stdout, qemu.Stderr = &said, &said
	if err := qemu.Start(); err != nil {
		t.Fatal(err)
	}
	go func() { qemu.Wait(); close(m.dead) }()
	t.Cleanup(func() {
		qemu.Process.Kill()
		<-m.dead
		if t.Failed() {
			text, _ := os.ReadFile(m.console)
			t.Logf("qemu: %s\nconsole: %s", &said, text[max(0, len(text)-30000):])
		}
	})
	return m
}

func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	_, port, err := net.SplitHostPort(l.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	return port
}

// firstKey waits for the first key that the machine's sshd shows.
func (m *emulated) firstKey() string {
	m.t.Helper()
	begun := time.Now()
	ctx, cancel := context.WithTimeout(m.t.Context(), 12*time.Minute)
	defer cancel()
	for ctx.Err() == nil {
		if key, err := sshkey.Ask(ctx, "127.0.0.1:"+m.port); err == nil {
			m.t.Logf("sshd answers after %v", time.Since(begun).Round(time.Second))
			return string(ssh.MarshalAuthorizedKey(key))
		}
		select {
		case <-m.dead:
			m.t.Fatal("the machine has ended")
		case <-time.After(500 * time.Millisecond):
		}
	}
	m.t.Fatal("no sshd has answered")
	return ""
}

// knows has ssh accept this key and no other.
func (m *emulated) knows(key, identity string) {
	m.t.Helper()
	known := filepath.Join(m.t.TempDir(), "known_hosts")
	if err := os.WriteFile(known, []byte(fmt.Sprintf("[127.0.0.1]:%s %s", m.port, key)), 0o600); err != nil {
		m.t.Fatal(err)
	}
	m.options = []string{"-F", "/dev/null", "-i", identity, "-p", m.port, "-o", "UserKnownHostsFile=" + known, "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes", "-o", "BatchMode=yes", "-o", "ConnectTimeout=60"}
}

func (m *emulated) ssh(command string) string {
	m.t.Helper()
	out, err := exec.Command("ssh", append(m.options, "root@127.0.0.1", command)...).CombinedOutput()
	if err != nil {
		m.t.Errorf("%s: %v", command, err)
	}
	return strings.TrimSpace(string(out))
}

package cmd_test

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"golang.org/x/crypto/ssh"

	"pistack/internal/sdimage"
	"pistack/secrets"
)

// newImage makes an image with the layout of NixOS's, of 32 MiB.
func newImage(t *testing.T, path string) {
	t.Helper()
	if have, err := haveImageTools(); err != nil {
		t.Fatal(err)
	} else if !have {
		t.Skip("SD images cannot be made: see testdata/prepare")
	}
	if out, err := exec.Command("../testdata/sdimage", path, "32").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
}

func (f killFleet) pistack(args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries, "pistack"), args...)
	cmd.Dir = f.root
	return cmd
}

// TestKilledSeal sends SIGKILL to "pistack image seal" at many moments. After each,
// what has the image's name is as it was or sealed, and either the old pin reads all
// secrets or the new one does; the next run ends with all for the key in the image.
func TestKilledSeal(t *testing.T) {
	f := newKillFleet(t)
	names := []string{"A", "B", "C", "D", "E"}
	for _, name := range names {
		f.must(f.pisec("value of "+name, "add", "pi", name))
	}
	image := filepath.Join(t.TempDir(), "pi.img")
	newImage(t, image)
	before, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	seal := func() *exec.Cmd { return f.pistack("image", "seal", "pi", image, "--yes", "--identity", "operator") }
	whole := f.must(seal())
	reset := func() {
		f.write("hosts/pi/ssh_host_ed25519_key.pub", f.keys[0]+"\n")
		f.must(f.pisec("", "rekey", "--yes", "--identity", "operator"))
		if err := os.WriteFile(image, before, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	sealed := 0
	for i := range 40 {
		reset()
		f.kill(seal(), whole*time.Duration(i)/40)
		if got, err := os.ReadFile(image); err == nil && !bytes.Equal(got, before) {
			f.wantKey(image)
			sealed++
		} else if err != nil && !errors.Is(err, fs.ErrNotExist) {
			t.Fatal(err)
		}
		if _, err := (secrets.Store{Root: f.root}).Recover(); err != nil {
			t.Fatal(err)
		}
		for _, name := range names {
			if value, err := f.show(name, "operator"); err != nil || value != "value of "+name {
				t.Fatalf("%s: %q, %v", name, value, err)
			}
		}
		f.must(f.pisec("", "verify"))
		f.must(seal())
		f.must(f.pisec("", "verify"))
		f.opens(image, names)
	}
	reset()
	f.must(seal())
	t.Logf("sealed at %d of 40 kills", sealed)
	f.assertOnly(names...)
	if rest, err := filepath.Glob(filepath.Dir(image) + "/*"); err != nil || len(rest) != 1 {
		t.Errorf("beside the image: %q", rest)
	}
}

// wantKey wants an image to have a whole key, and returns it.
func (f killFleet) wantKey(image string) ssh.PublicKey {
	f.t.Helper()
	img, err := sdimage.Open(image, false)
	if err != nil {
		f.t.Fatal(err)
	}
	defer img.Close()
	content, err := img.Inspect(f.t.Context())
	if err != nil || content.Key == nil || content.Marker == nil {
		f.t.Fatalf("%+v, %v", content, err)
	}
	return content.Key
}

// opens wants the key in an image to be pinned, and to open every secret.
func (f killFleet) opens(image string, names []string) {
	f.t.Helper()
	key := f.wantKey(image)
	pinned, err := os.ReadFile(filepath.Join(f.root, "hosts/pi/ssh_host_ed25519_key.pub"))
	if err != nil || string(pinned) != string(ssh.MarshalAuthorizedKey(key)) {
		f.t.Fatalf("pinned is %q (%v)", pinned, err)
	}
	private := debugfs(f.t, image, "cat /etc/ssh/ssh_host_ed25519_key")
	if err := os.WriteFile(filepath.Join(f.root, "booted"), private, 0o600); err != nil {
		f.t.Fatal(err)
	}
	for _, name := range names {
		if value, err := f.show(name, "booted"); err != nil || value != "value of "+name {
			f.t.Fatalf("%s: %q, %v", name, value, err)
		}
	}
}

// debugfs asks for something of the root file system of an image of newImage.
func debugfs(t *testing.T, image, command string) []byte {
	t.Helper()
	cmd := exec.Command("debugfs", "-R", command, fmt.Sprintf("%s?offset=%d", image, 12<<20))
	cmd.Env = append(os.Environ(), "PATH="+os.Getenv("PATH")+":/usr/sbin")
	if path, err := exec.LookPath("/usr/sbin/debugfs"); err == nil {
		cmd.Path, cmd.Err = path, nil
	}
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	return out
}

// TestKeyOnNoDisk: while an image is sealed, no process opens a file for writing but
// those of the fleet and the image, and no argument holds a private key.
func TestKeyOnNoDisk(t *testing.T) {
	strace, err := exec.LookPath("strace")
	if err != nil {
		t.Skip("strace not on PATH")
	}
	f := newKillFleet(t)
	dir := t.TempDir()
	image, log := filepath.Join(dir, "pi.img"), filepath.Join(t.TempDir(), "log")
	newImage(t, image)
	seal := f.pistack("image", "seal", "pi", image, "--yes")
	traced := exec.Command(strace, append([]string{"-f", "-s", "100000", "-o", log, "-e", "trace=open,openat,creat,execve,memfd_create"}, seal.Args...)...)
	traced.Dir = f.root
	f.must(traced)
	trace, err := os.ReadFile(log)
	if err != nil {
		t.Fatal(err)
	}
	private := debugfs(t, image, "cat /etc/ssh/ssh_host_ed25519_key")
	for _, line := range strings.Split(string(private), "\n") {
		if len(line) > 40 && strings.Contains(string(trace), line) {
			t.Error("the private key is in an argument, or in the environment")
		}
	}
	if !strings.Contains(string(trace), "memfd_create(") {
		t.Error("nothing was made in memory")
	}
	for _, line := range strings.Split(string(trace), "\n") {
		if !strings.Contains(line, "O_WRONLY") && !strings.Contains(line, "O_RDWR") || strings.Contains(line, "ENOENT") {
			continue
		}
		mine := false
		for _, ours := range []string{f.root, dir, "/proc/self/fd/", "/dev/null", "/dev/tty", "/proc/self/oom", "/sys/kernel"} {
			mine = mine || strings.Contains(line, `"`+ours)
		}
		if !mine {
			t.Errorf("opened for writing: %s", line)
		}
	}
}

// TestImageWrite writes a sealed image to a loop device, when its name is typed.
func TestImageWrite(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("a loop device is made: needs root")
	}
	f := newKillFleet(t)
	image, card := filepath.Join(t.TempDir(), "pi.img"), filepath.Join(t.TempDir(), "card")
	newImage(t, image)
	f.must(f.pistack("image", "seal", "pi", image, "--yes"))
	old := bytes.Repeat([]byte("old!"), 40<<20/4)
	if err := os.WriteFile(card, old, 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := exec.Command("losetup", "--find", "--show", card).CombinedOutput()
	if err != nil {
		t.Skipf("losetup: %v\n%s", err, out)
	}
	device := strings.TrimSpace(string(out))
	defer func() {
		if out, err := exec.Command("losetup", "--detach", device).CombinedOutput(); err != nil {
			t.Errorf("losetup: %v\n%s", err, out)
		}
	}()
	unwritten := func() {
		t.Helper()
		if got, err := os.ReadFile(device); err != nil || !bytes.Equal(got, old) {
			t.Fatalf("the device has changed (%v)", err)
		}
	}
	if out, err := f.pistack("image", "write", image, device, "--yes").CombinedOutput(); err == nil || !strings.Contains(string(out), "is not removable") {
		t.Fatalf("%v\n%s", err, out)
	}
	if out, err := f.pistack("image", "write", image, device, "--force").CombinedOutput(); err == nil || !strings.Contains(string(out), "there is no terminal") {
		t.Fatalf("%v\n%s", err, out)
	}
	unwritten()
	typed(t, f.pistack("image", "write", image, device, "--force"), "yes\n", "nothing was changed")
	unwritten()
	typed(t, f.pistack("image", "write", image, device, "--force"), filepath.Base(device)+"\n", "read back and compared 33.6 MB")
	want, err := os.ReadFile(image)
	if err != nil {
		t.Fatal(err)
	}
	got, err := os.ReadFile(device)
	if err != nil || !bytes.Equal(got[:len(want)], want) || !bytes.Equal(got[len(want):], old[len(want):]) {
		t.Errorf("the device does not hold the image (%v)", err)
	}
}

// typed answers a command at a terminal, and wants something on the screen.
func typed(t *testing.T, cmd *exec.Cmd, answer, want string) {
	t.Helper()
	term := atTerminal(t, cmd)
	term.await("Type its name")
	term.typed(answer)
	term.await(want)
	term.ended()
}

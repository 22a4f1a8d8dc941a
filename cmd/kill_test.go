package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"testing"
	"time"

	"pistack/secrets"
)

// killFleet is a fleet of one host, pi, whose secrets the operator reads.
type killFleet struct {
	t    *testing.T
	root string
	keys [2]string // public keys that the host has in turn
}

func newKillFleet(t *testing.T) killFleet {
	t.Helper()
	f := killFleet{t: t, root: t.TempDir()}
	operator, err := keyPair(filepath.Join(f.root, "operator"))
	if err != nil {
		t.Fatal(err)
	}
	for i := range f.keys {
		if f.keys[i], err = keyPair(filepath.Join(f.root, fmt.Sprint("host", i))); err != nil {
			t.Fatal(err)
		}
	}
	f.write("fleet.toml", fmt.Sprintf("operators = [%q]\n", operator))
	f.write("hosts/pi/host.toml", "address = \"pi\"\nsystem = \"aarch64-linux\"\n")
	f.write("hosts/pi/default.nix", "# used by hand: KEY A B C D E\n")
	f.write("hosts/pi/ssh_host_ed25519_key.pub", f.keys[0]+"\n")
	return f
}

func (f killFleet) write(file, text string) {
	f.t.Helper()
	path := filepath.Join(f.root, file)
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		f.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
		f.t.Fatal(err)
	}
}

func (f killFleet) pisec(stdin string, args ...string) *exec.Cmd {
	cmd := exec.Command(filepath.Join(binaries, "pisec"), args...)
	cmd.Dir, cmd.Stdin = f.root, bytes.NewBufferString(stdin)
	return cmd
}

// must runs a command to its end and tells how long it took.
func (f killFleet) must(cmd *exec.Cmd) time.Duration {
	f.t.Helper()
	start := time.Now()
	if out, err := cmd.CombinedOutput(); err != nil {
		f.t.Fatalf("%s: %v\n%s", cmd, err, out)
	}
	return time.Since(start)
}

// kill sends SIGKILL after a time; the command may have ended before.
func (f killFleet) kill(cmd *exec.Cmd, after time.Duration) {
	f.t.Helper()
	if err := cmd.Start(); err != nil {
		f.t.Fatal(err)
	}
	timer := time.AfterFunc(after, func() { cmd.Process.Kill() })
	_ = cmd.Wait() // killed or not, the invariant holds
	timer.Stop()
}

// show opens a secret with a key of the fleet's folder.
func (f killFleet) show(name, key string) (string, error) {
	f.t.Helper()
	identities, err := secrets.LoadIdentity(filepath.Join(f.root, key), nil, nil)
	if err != nil {
		f.t.Fatal(err)
	}
	value, err := secrets.Store{Root: f.root}.Show("pi", name, identities...)
	return string(value), err
}

// assertOnly checks that nothing but these secrets is below hosts/.
func (f killFleet) assertOnly(names ...string) {
	f.t.Helper()
	want := len(names) + len([]string{"host.toml", "default.nix", "ssh_host_ed25519_key.pub"})
	files := 0
	err := filepath.WalkDir(filepath.Join(f.root, "hosts"), func(path string, e os.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			files++
		}
		return err
	})
	if err != nil || files != want {
		f.t.Fatalf("%d files below hosts/ instead of %d (%v)", files, want, err)
	}
}

// TestKilledAdd sends SIGKILL to "pisec add --replace" at many moments. After
// each, and what the next run does first, the secret is the old or the new
// value as a whole; after a run that ends by itself nothing else is there.
func TestKilledAdd(t *testing.T) {
	f := newKillFleet(t)
	add := func(value string) *exec.Cmd { return f.pisec(value, "add", "--replace", "pi", "KEY") }
	whole := f.must(add("value 0"))
	old := "value 0"
	for i := 1; i <= 40; i++ {
		value := fmt.Sprintf("value %d", i)
		f.kill(add(value), whole*time.Duration(i)/40)
		if _, err := (secrets.Store{Root: f.root}).Recover(); err != nil {
			t.Fatal(err)
		}
		got, err := f.show("KEY", "operator")
		if err != nil || (got != old && got != value) {
			t.Fatalf("%q is neither %q nor %q (%v)", got, old, value, err)
		}
		old = got
	}
	f.must(add("last"))
	if got, err := f.show("KEY", "operator"); err != nil || got != "last" {
		t.Fatalf("%q, %v", got, err)
	}
	f.assertOnly("KEY")
}

// TestKilledRekey sends SIGKILL to "pisec rekey" at many moments, while the
// host has one of two keys in turn. The next run ends with all files for the
// wanted key; "pisec verify" agrees, and nothing else is left.
func TestKilledRekey(t *testing.T) {
	f := newKillFleet(t)
	names := []string{"A", "B", "C", "D", "E"}
	for _, name := range names {
		f.must(f.pisec("value of "+name, "add", "pi", name))
	}
	rekey := func() *exec.Cmd { return f.pisec("", "rekey", "--yes", "--identity", "operator") }
	f.write("hosts/pi/ssh_host_ed25519_key.pub", f.keys[1]+"\n")
	whole := f.must(rekey())
	for i := range 40 {
		f.write("hosts/pi/ssh_host_ed25519_key.pub", f.keys[i%2]+"\n")
		f.kill(rekey(), whole*time.Duration(i)/40)
		if _, err := (secrets.Store{Root: f.root}).Recover(); err != nil {
			t.Fatal(err)
		}
		readable := 0
		for _, name := range names {
			if value, err := f.show(name, "operator"); err != nil || value != "value of "+name {
				t.Fatalf("%s: %q, %v", name, value, err)
			}
			if _, err := f.show(name, fmt.Sprint("host", i%2)); err == nil {
				readable++
			}
		}
		if readable != 0 && readable != len(names) {
			t.Fatalf("the new key reads %d of %d files", readable, len(names))
		}
	}
	f.must(rekey())
	f.must(f.pisec("", "verify"))
	f.assertOnly(names...)
}

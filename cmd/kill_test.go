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

// TestKilledAdd sends SIGKILL to "pisec add --replace" at many moments. After
// each the secret is the old or the new value as a whole, and after the next
// run that ends by itself nothing else is in the folder.
func TestKilledAdd(t *testing.T) {
	root := t.TempDir()
	operator, err := keyPair(filepath.Join(root, "operator"))
	if err != nil {
		t.Fatal(err)
	}
	write := func(file, text string) {
		t.Helper()
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	write("fleet.toml", fmt.Sprintf("operators = [%q]\n", operator))
	write("hosts/pi/host.toml", "address = \"pi\"\nsystem = \"aarch64-linux\"\n")
	write("hosts/pi/ssh_host_ed25519_key.pub", operator+"\n")
	add := func(value string) *exec.Cmd {
		cmd := exec.Command(filepath.Join(binaries, "pisec"), "add", "--fleet", root, "--replace", "pi", "KEY")
		cmd.Stdin = bytes.NewBufferString(value)
		return cmd
	}
	identities, err := secrets.LoadIdentity(filepath.Join(root, "operator"), nil)
	if err != nil {
		t.Fatal(err)
	}
	show := func() string {
		t.Helper()
		value, err := secrets.Store{Root: root}.Show("pi", "KEY", identities...)
		if err != nil {
			t.Fatal(err)
		}
		return string(value)
	}

	start := time.Now()
	if out, err := add("value 0").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	whole := time.Since(start)
	old := "value 0"
	for i := 1; i <= 40; i++ {
		value := fmt.Sprintf("value %d", i)
		cmd := add(value)
		if err := cmd.Start(); err != nil {
			t.Fatal(err)
		}
		timer := time.AfterFunc(whole*time.Duration(i)/40, func() { cmd.Process.Kill() })
		_ = cmd.Wait() // killed or not, the invariant holds
		timer.Stop()
		if got := show(); got != old && got != value {
			t.Fatalf("%q is neither %q nor %q", got, old, value)
		}
		old = show()
	}
	if out, err := add("last").CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	files, err := os.ReadDir(filepath.Join(root, "hosts/pi/secrets"))
	if err != nil {
		t.Fatal(err)
	}
	if len(files) != 1 || show() != "last" {
		t.Fatalf("%v, and the value is %q", files, show())
	}
}

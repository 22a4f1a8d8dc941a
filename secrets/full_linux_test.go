package secrets

import (
	"bytes"
	"os"
	"path/filepath"
	"syscall"
	"testing"
)

// TestRekeyFullAfterLast: a disk that is full once the last step is done, which may
// be one that nothing undoes, keeps no file from its place.
func TestRekeyFullAfterLast(t *testing.T) {
	dir := t.TempDir()
	if err := syscall.Mount("none", dir, "tmpfs", 0, "size=4m"); err != nil {
		t.Skipf("a small file system is mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Error(err)
		}
	})
	c := newRekeyCaseIn(t, dir)
	plan := c.plan(t)
	plan.Also("fleet.toml", func() ([]byte, error) { return []byte("new"), nil })
	filler := filepath.Join(dir, "filler")
	plan.Last(func() error {
		if err := os.WriteFile(filler, bytes.Repeat([]byte{1}, 8<<20), 0o600); err == nil {
			t.Error("the disk has room left")
		}
		return nil
	})
	if err := c.store.ApplyRekey(plan, c.operator.identity); err != nil {
		t.Fatal(err)
	}
	if old, _ := c.state(t); old != 0 || c.list(t) != "new" {
		t.Errorf("the old key opens %d files; fleet.toml is %q", old, c.list(t))
	}
	if err := os.Remove(filler); err != nil {
		t.Fatal(err)
	}
	c.assertClean(t)
}

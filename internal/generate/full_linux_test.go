package generate_test

import (
	"bytes"
	"errors"
	"os"
	"syscall"
	"testing"

	"pistack/internal/generate"
)

// TestFull: on a full disk nothing is replaced, and nothing is left that "git add"
// would take.
func TestFull(t *testing.T) {
	r := newRepository(t)
	w, result := r.load()
	hosts := r.path("hosts")
	if err := syscall.Mount("none", hosts, "tmpfs", 0, "size=256k"); err != nil {
		t.Skipf("a small file system is mounted: %v", err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(hosts, 0); err != nil {
			t.Error(err)
		}
	})
	for name := range result.Files {
		r.write("hosts/pi/generated/"+name, "old")
	}
	result.Files["large"] = bytes.Repeat([]byte{1}, 1<<20)
	if _, err := w.Write(t.Context(), []generate.Result{result}); !errors.Is(err, syscall.ENOSPC) {
		t.Errorf("error %v", err)
	}
	if entries, err := os.ReadDir(hosts); err != nil || len(entries) != 1 {
		t.Errorf("hosts holds %v, %v", entries, err)
	}
	if entries, err := os.ReadDir(r.path("hosts/pi/generated")); err != nil || len(entries) != len(result.Files)-1 {
		t.Errorf("the folder holds %v, %v", entries, err)
	}
	if data, err := os.ReadFile(r.path("hosts/pi/generated/default.nix")); err != nil || string(data) != "old" {
		t.Errorf("%s, %v", data, err)
	}
}

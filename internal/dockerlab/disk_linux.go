package dockerlab

import (
	"fmt"
	"syscall"
	"testing"
)

// Disk is a new file system of a few bytes.
func Disk(t testing.TB, size int) string {
	t.Helper()
	Need(t)
	dir := short(t)
	must(t, syscall.Mount("none", dir, "tmpfs", 0, fmt.Sprintf("size=%d", size)))
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, syscall.MNT_DETACH); err != nil {
			t.Error(err)
		}
	})
	return dir
}

package cmd_test

import (
	"errors"
	"os"
	"os/exec"
	"syscall"
	"testing"
)

// inNamespace tells whether this process has a mount namespace of its own. If
// not, it runs the test once more in a process that has, and the caller ends.
func inNamespace(t *testing.T) bool {
	t.Helper()
	const inside = "PISTACK_TEST_NAMESPACE"
	if os.Getenv(inside) != "" {
		// What is mounted from here on is seen by this process and its children only.
		if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
			t.Fatal(err)
		}
		return true
	}
	if os.Geteuid() != 0 {
		t.Skip("file systems are mounted: needs root")
	}
	cmd := exec.Command(os.Args[0], "-test.run=^"+t.Name()+"$", "-test.v")
	cmd.Env = append(os.Environ(), inside+"=1", binariesVariable+"="+binaries)
	cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS}
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("in a mount namespace: %v\n%s", err, out)
	}
	t.Logf("in a mount namespace:\n%s", out)
	return false
}

// mount mounts a file system on a new folder until the test ends. A kernel that
// does not know it leaves the test out.
func mount(t *testing.T, kind, options string) string {
	t.Helper()
	dir := t.TempDir()
	err := syscall.Mount("none", dir, kind, syscall.MS_NODEV|syscall.MS_NOSUID, options)
	if errors.Is(err, syscall.EINVAL) || errors.Is(err, syscall.ENODEV) {
		t.Skipf("this kernel has no %s with %q", kind, options)
	}
	if err != nil {
		t.Fatalf("%s with %q: %v", kind, options, err)
	}
	t.Cleanup(func() {
		if err := syscall.Unmount(dir, 0); err != nil {
			t.Errorf("%s: %v", dir, err)
		}
	})
	return dir
}

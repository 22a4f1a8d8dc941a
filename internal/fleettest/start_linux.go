package fleettest

import (
	"os"
	"os/exec"
	"path/filepath"
	"syscall"
	"testing"
)

// start runs the machine's init, with whose end all its processes end.
func (h *Host) start(tb testing.TB) error {
	log, err := os.Create(filepath.Join(h.Dir, "console"))
	if err != nil {
		return err
	}
	defer log.Close()
	cmd := exec.Command(filepath.Join(h.Dir, "bin/fleettest-init"), h.Dir, "-D", "-f", "/fleettest/sshd_config", "-E", "/fleettest/sshd.log")
	cmd.Stdout, cmd.Stderr = log, log
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNS | syscall.CLONE_NEWPID | syscall.CLONE_NEWUTS,
		Pdeathsig:  syscall.SIGKILL, // of a test that is killed nothing is left
		Setsid:     true,
	}
	if err := cmd.Start(); err != nil {
		return err
	}
	tb.Cleanup(func() {
		_ = cmd.Process.Kill()
		_ = cmd.Wait()
	})
	return nil
}

// ownNamespace lets a command mount what nobody else sees, and be signalled with
// all that it starts.
func ownNamespace() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWNS, Setpgid: true}
}

//go:build linux

package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pistack/internal/fleettest/model"
)

// boot is the first process of a machine's namespaces: it puts the machine's own
// /nix, /run and /var in place, and is sshd's parent until it is killed.
//
//	fleettest-init FOLDER SSHD-ARGUMENT…
func boot(folder string, args []string) error {
	if err := enter(folder); err != nil {
		return fmt.Errorf("namespace: %w", err)
	}
	os.Remove(filepath.Join(model.Inside, model.RebootFile))
	for {
		if err := begin(); err != nil {
			return fmt.Errorf("boot: %w", err)
		}
		if err := serve(args); err != nil {
			return err
		}
	}
}

// enter makes the root: what programs need of the real one, and the machine's own.
func enter(folder string) error {
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	root := filepath.Join(folder, "root")
	if err := errors.Join(os.MkdirAll(root, 0o755), syscall.Mount("none", root, "tmpfs", 0, "mode=755")); err != nil {
		return err
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := share(root, e); err != nil {
			return err
		}
	}
	for _, own := range []string{"nix", "run", "var", "root", "sys"} {
		if err := bind(filepath.Join(folder, "own", own), filepath.Join(root, own)); err != nil {
			return err
		}
	}
	if err := bind(folder, filepath.Join(root, model.Inside)); err != nil {
		return err
	}
	for _, file := range []string{"passwd", "group", "shadow"} {
		if err := syscall.Mount(filepath.Join(folder, "etc", file), filepath.Join(root, "etc", file), "", syscall.MS_BIND, ""); err != nil {
			return fmt.Errorf("/etc/%s: %w", file, err)
		}
	}
	if err := errors.Join(os.Mkdir(filepath.Join(root, "proc"), 0o755), syscall.Mount("proc", filepath.Join(root, "proc"), "proc", 0, "")); err != nil {
		return err
	}
	return errors.Join(syscall.Chroot(root), os.Chdir("/"), syscall.Sethostname([]byte(readWord("hostname"))))
}

// share gives the machine a folder of the real root.
func share(root string, e os.DirEntry) error {
	switch e.Name() {
	case "nix", "run", "var", "root", "sys", "proc", "fleettest":
		return nil
	}
	return shareAny(root, e)
}

func bind(from, to string) error {
	if err := errors.Join(os.MkdirAll(from, 0o755), os.MkdirAll(to, 0o755)); err != nil {
		return err
	}
	return syscall.Mount(from, to, "", syscall.MS_BIND|syscall.MS_REC, "")
}

// begin is a boot: /run is empty, and the system that the profile names is active.
func begin() error {
	entries, err := os.ReadDir("/run")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if err := os.RemoveAll(filepath.Join("/run", e.Name())); err != nil {
			return err
		}
	}
	if err := errors.Join(os.MkdirAll("/run/sshd", 0o755), os.MkdirAll("/run/systemd/system", 0o755), os.MkdirAll("/run/nixos", 0o755)); err != nil {
		return err
	}
	number := 0
	if err := model.Update(model.Inside, func(s *model.State) error {
		s.Boots++
		number = s.Boots
		clear(s.Units)
		clear(s.Timers)
		clear(s.Services)
		return nil
	}); err != nil {
		return err
	}
	if err := giveBootID(number); err != nil {
		return err
	}
	system, err := filepath.EvalSymlinks("/nix/var/nix/profiles/system")
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return errors.Join(os.Symlink(system, "/run/booted-system"), activate(system))
}

// giveBootID puts a number of the machine's own in the place of the kernel's.
func giveBootID(number int) error {
	file := filepath.Join(model.Inside, "boot_id")
	name, _ := os.Hostname()
	id := fmt.Sprintf("%08x-0000-4000-8000-%012x\n", number, len(name))
	if err := os.WriteFile(file, []byte(id), 0o600); err != nil {
		return err
	}
	const kernels = "/proc/sys/kernel/random/boot_id"
	_ = syscall.Unmount(kernels, syscall.MNT_DETACH) // none at the first boot
	return syscall.Mount(file, kernels, "", syscall.MS_BIND, "")
}

const tick = 20 * time.Millisecond

// serve keeps sshd as the link file says, until a reboot.
func serve(args []string) error {
	changes, err := watch(model.Inside)
	if err != nil {
		return err
	}
	if changes != nil {
		defer changes.Close()
	}
	var sshd *exec.Cmd
	before := ""
	for {
		link := readWord(model.LinkFile)
		up := link != "down" && link != "deaf"
		switch {
		case up && sshd == nil:
			sshd = exec.Command("/usr/sbin/sshd", args...)
			sshd.Stderr = os.Stderr
			if err := sshd.Start(); err != nil {
				return err
			}
		case !up && sshd != nil:
			sshd.Process.Kill()
			sshd = nil
		}
		if link == "down" && before != "down" {
			cutConnections()
		}
		before = link
		if _, err := os.Stat(filepath.Join(model.Inside, model.RebootFile)); err == nil {
			return reboot()
		}
		reap()
		if err := wait(changes); err != nil {
			return err
		}
	}
}

// watch tells by inotify of files that are written or renamed in a folder: a fleet
// of 200 machines that looked 50 times a second would keep a core busy.
func watch(dir string) (*os.File, error) {
	fd, err := syscall.InotifyInit1(syscall.IN_CLOEXEC | syscall.IN_NONBLOCK)
	if errors.Is(err, syscall.EMFILE) {
		return nil, nil // the kernel gives a user 128 or so: the other machines look now and then
	}
	if err != nil {
		return nil, err
	}
	_, err = syscall.InotifyAddWatch(fd, dir, syscall.IN_CLOSE_WRITE|syscall.IN_MOVED_TO)
	return os.NewFile(uintptr(fd), "inotify"), err
}

// wait waits for such a file, or until it is time to reap.
func wait(changes *os.File) error {
	if changes == nil {
		time.Sleep(5 * tick)
		return nil
	}
	if err := changes.SetReadDeadline(time.Now().Add(10 * tick)); err != nil {
		return err
	}
	_, err := changes.Read(make([]byte, 1<<16))
	if errors.Is(err, os.ErrDeadlineExceeded) {
		return nil
	}
	return err
}

// reboot ends every process but this one.
func reboot() error {
	_ = syscall.Kill(-1, syscall.SIGKILL)
	for len(processes()) > 1 {
		reap()
		time.Sleep(tick)
	}
	down, _ := time.ParseDuration(readWord(model.RebootFile))
	time.Sleep(down)
	return os.Remove(filepath.Join(model.Inside, model.RebootFile))
}

func reap() {
	for {
		pid, err := syscall.Wait4(-1, nil, syscall.WNOHANG, nil)
		if pid <= 0 || err != nil {
			return
		}
	}
}

func readWord(file string) string {
	data, _ := os.ReadFile(filepath.Join(model.Inside, file))
	return strings.TrimSpace(string(data))
}

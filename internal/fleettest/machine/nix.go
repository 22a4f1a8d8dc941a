//go:build linux

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pistack/internal/fleettest/model"
)

// nixStore answers --check-validity, and takes systems that the workstation's
// nix-copy-closure sends (--serve --write): a line with the path, then its JSON.
func nixStore(args []string) int {
	if slices.Contains(args, "--serve") {
		return receive()
	}
	if code, known := build(args); known {
		return code
	}
	if len(args) < 2 || args[0] != "--check-validity" || args[1] != "--print-invalid" {
		return say(1, "error: unknown flag '%s'", strings.Join(args, " "))
	}
	for _, path := range args[2:] {
		if _, err := os.Lstat(path); err != nil {
			fmt.Println(path)
		}
	}
	return 0
}

func receive() int {
	data, err := io.ReadAll(os.Stdin)
	check(err)
	path, text, _ := strings.Cut(string(data), "\n")
	if !strings.HasPrefix(path, "/nix/store/") || text == "" {
		return say(1, "error: not a system: %q", path)
	}
	return status(install(path, []byte(text)))
}

// install makes a system's store path, whole or not at all.
func install(path string, text []byte) error {
	if _, err := os.Stat(path); err == nil {
		return nil
	}
	part := fmt.Sprintf("%s.part%d", path, os.Getpid())
	if err := errors.Join(os.MkdirAll(part, 0o755), os.WriteFile(filepath.Join(part, "system.json"), text, 0o644)); err != nil {
		return err
	}
	if err := furnish(part); err != nil {
		return err
	}
	if err := os.Rename(part, path); err != nil && !errors.Is(err, syscall.EEXIST) && !errors.Is(err, syscall.ENOTEMPTY) {
		return err
	}
	return nil
}

// furnish gives a system the files that others look for.
func furnish(path string) error {
	s, err := model.SystemOf(path)
	if err != nil {
		return err
	}
	units := filepath.Join(path, "etc/systemd/system")
	if err := errors.Join(os.MkdirAll(units, 0o755), os.MkdirAll(filepath.Join(path, "bin"), 0o755), os.MkdirAll(filepath.Join(path, "sw"), 0o755)); err != nil {
		return err
	}
	for name, text := range s.Units {
		if err := os.WriteFile(filepath.Join(units, name), []byte(text), 0o644); err != nil {
			return err
		}
	}
	if err := writeImages(path, s.Images); err != nil {
		return err
	}
	for name, text := range s.Etc {
		file := filepath.Join(path, "etc", name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	return errors.Join(
		os.WriteFile(filepath.Join(path, "nixos-version"), []byte("26.05.fleettest\n"), 0o644),
		os.Symlink(filepath.Join(model.Inside, "bin"), filepath.Join(path, "sw/bin")),
		os.Symlink(filepath.Join(model.Inside, "bin/switch-to-configuration"), filepath.Join(path, "bin/switch-to-configuration")),
		os.Symlink("kernel-"+s.Kernel, filepath.Join(path, "kernel")),
		os.WriteFile(filepath.Join(path, "kernel-"+s.Kernel), nil, 0o644),
	)
}

// writeImages lists images as the pistack module does; a system without has no list.
func writeImages(path string, images []string) error {
	if len(images) == 0 {
		return nil
	}
	list := ""
	for _, image := range images {
		list += "web\t" + image + "\n"
	}
	file := filepath.Join(path, "etc/pistack/images")
	return errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(list), 0o644))
}

var generationForm = regexp.MustCompile(`^system-([0-9]+)-link$`)

// nixEnv knows -p PROFILE --set PATH and --switch-generation N, of the system
// profile, with Nix's rule that a path that is the newest generation makes none.
func nixEnv(args []string) int {
	if len(args) != 4 || args[0] != "-p" || filepath.Base(args[1]) != "system" {
		return say(1, "error: unknown flag '%s'", strings.Join(args, " "))
	}
	lock, err := os.OpenFile(args[1]+".lock", os.O_CREATE|os.O_RDWR, 0o600)
	check(err)
	check(syscall.Flock(int(lock.Fd()), syscall.LOCK_EX))
	dir := filepath.Dir(args[1])
	switch args[2] {
	case "--set":
		if _, err := os.Stat(args[3]); err != nil {
			return say(1, "error: path '%s' is not valid", args[3])
		}
		return set(dir, args[3])
	case "--switch-generation":
		link := "system-" + args[3] + "-link"
		if _, err := os.Stat(filepath.Join(dir, link)); err != nil {
			return say(1, "error: profile version %s does not exist", args[3])
		}
		return point(dir, link)
	}
	return say(1, "error: unknown flag '%s'", args[2])
}

func set(dir, path string) int {
	entries, err := os.ReadDir(dir)
	check(err)
	newest := 0
	for _, e := range entries {
		if m := generationForm.FindStringSubmatch(e.Name()); m != nil {
			n, _ := strconv.Atoi(m[1])
			newest = max(newest, n)
		}
	}
	link := fmt.Sprintf("system-%d-link", newest)
	if now, err := os.Readlink(filepath.Join(dir, link)); err != nil || now != path {
		link = fmt.Sprintf("system-%d-link", newest+1)
		check(os.Symlink(path, filepath.Join(dir, link)))
	}
	return point(dir, link)
}

func point(dir, link string) int {
	part := filepath.Join(dir, fmt.Sprintf("system.part%d", os.Getpid()))
	check(errors.Join(os.Symlink(link, part), os.Rename(part, filepath.Join(dir, "system"))))
	return 0
}

// switchToConfiguration ACTION: the system is the one through whose folder it is
// called.
func switchToConfiguration(args []string) int {
	path, err := filepath.EvalSymlinks(filepath.Dir(filepath.Dir(os.Args[0])))
	check(err)
	s, err := model.SystemOf(path)
	check(err)
	if len(args) != 1 {
		return say(1, "usage: switch-to-configuration ACTION")
	}
	action := args[0]
	lock, err := os.OpenFile("/run/nixos/switch-to-configuration.lock", os.O_CREATE|os.O_RDWR, 0o600)
	check(err)
	if syscall.Flock(int(lock.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) != nil {
		return say(11, "Could not acquire lock")
	}
	for _, line := range s.Says {
		fmt.Fprintln(os.Stderr, line)
	}
	if code := s.Early[action]; code != 0 {
		return say(code, "Pre-switch checks failed")
	}
	if action == "boot" || action == "switch" {
		state(func(now *model.State) error { now.Default = path; return nil })
	}
	if action == "test" || action == "switch" {
		if code := change(path, s, action); code != 0 && s.Exit[action] == 0 {
			return code
		}
	}
	return s.Exit[action]
}

// change stops units, takes its time, and has the new system run: who is killed in
// between leaves neither the old one nor the new one whole.
func change(path string, s model.System, action string) int {
	fmt.Fprintln(os.Stderr, "stopping the following units: pistack-web.service")
	state(func(now *model.State) error { now.Containers = nil; return nil })
	time.Sleep(s.Takes[action])
	fmt.Fprintln(os.Stderr, "activating the configuration...")
	check(activate(path))
	if s.CutsLink {
		cutConnections()
	}
	if len(s.Failed) > 0 {
		return say(4, "warning: the following units failed: %s", strings.Join(s.Failed, ", "))
	}
	return 0
}

// activate makes a system the one that runs.
func activate(path string) error {
	s, err := model.SystemOf(path)
	if err != nil {
		return err
	}
	part := fmt.Sprintf("/run/current-system.part%d", os.Getpid())
	if err := errors.Join(os.Symlink(path, part), os.Rename(part, "/run/current-system")); err != nil {
		return err
	}
	link := "up"
	switch {
	case s.CutsLink:
		link = "down"
	case s.Deaf:
		link = "deaf"
	}
	return errors.Join(
		os.WriteFile(filepath.Join(model.Inside, model.LinkFile), []byte(link), 0o600),
		model.Update(model.Inside, func(now *model.State) error {
			now.Containers = s.Containers
			for name, unit := range now.Units {
				if unit.State == "failed" {
					delete(now.Units, name)
				}
			}
			for _, name := range s.Failed {
				now.Units[name] = model.Unit{State: "failed"}
			}
			return nil
		}))
}

//go:build linux

package main

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"syscall"

	"pistack/internal/fleettest/model"
)

// workstation runs a command where /nix is the workstation's own, /fleettest its
// folder, and all else as it is here.
//
//	fleettest-workstation FOLDER PROGRAM ARGUMENT…
func workstation(folder string, argv []string) error {
	here, err := os.Getwd()
	if err != nil {
		return err
	}
	if err := syscall.Mount("", "/", "", syscall.MS_REC|syscall.MS_PRIVATE, ""); err != nil {
		return err
	}
	root := filepath.Join(folder, "root")
	if err := syscall.Mount("none", root, "tmpfs", 0, "mode=755"); err != nil {
		return err
	}
	entries, err := os.ReadDir("/")
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() == "nix" {
			continue
		}
		if err := shareAny(root, e); err != nil {
			return err
		}
	}
	if err := errors.Join(bind(filepath.Join(folder, "own/nix"), root+"/nix"), bind(folder, root+model.Inside), syscall.Chroot(root), os.Chdir(here)); err != nil {
		return err
	}
	program, err := exec.LookPath(argv[0])
	if err != nil {
		return err
	}
	return syscall.Exec(program, argv, os.Environ())
}

var attributeForm = regexp.MustCompile(`^\.#nixosConfigurations\."([^"]+)"\.config\.system\.build\.toplevel$`)

// nix knows "path-info --derivation ATTRIBUTE" and "path-info --recursive --size
// PATH".
func nix(args []string) int {
	i := slices.Index(args, "path-info")
	if i < 0 {
		return say(1, "error: '%s' is not a recognised command", strings.Join(args, " "))
	}
	words := args[i+1:]
	switch {
	case len(words) == 2 && words[0] == "--derivation":
		name := attributeForm.FindStringSubmatch(words[1])
		if name == nil {
			return say(1, "error: flake does not provide attribute '%s'", words[1])
		}
		return instantiate(name[1])
	case len(words) == 3 && words[0] == "--recursive" && words[1] == "--size":
		s, err := model.SystemOf(words[2])
		if err != nil {
			return say(1, "error: path '%s' is not valid", words[2])
		}
		fmt.Printf("%s\t %d\n", words[2], cmp.Or(s.Size, 1<<20))
		return 0
	}
	return say(1, "error: unrecognised flag '%s'", strings.Join(words, " "))
}

// instantiate writes and prints the derivation of the system that a host should
// have; its content is the system's.
func instantiate(host string) int {
	var wanted map[string]model.System
	check(model.Lock(model.Inside, model.WantedFile, func(all *map[string]model.System) error { wanted = *all; return nil }))
	s, ok := wanted[host]
	if !ok {
		return say(1, "error: attribute '\"%s\"' missing", host)
	}
	text, err := json.Marshal(s)
	check(err)
	drv := model.Path(s) + ".drv"
	part := fmt.Sprintf("%s.part%d", drv, os.Getpid())
	check(errors.Join(os.WriteFile(part, text, 0o444), os.Rename(part, drv)))
	fmt.Println(drv)
	return 0
}

// build is nix-store as the workstation calls it: --query --outputs, --realise,
// --check-validity of paths.
func build(args []string) (code int, known bool) {
	switch {
	case len(args) == 3 && args[0] == "--query" && args[1] == "--outputs":
		fmt.Println(strings.TrimSuffix(args[2], ".drv"))
		return 0, true
	case len(args) > 1 && args[0] == "--realise":
		return realise(args[1:]), true
	case len(args) == 2 && args[0] == "--check-validity":
		if _, err := os.Lstat(args[1]); err != nil {
			return say(1, "error: path '%s' is not valid", args[1]), true
		}
		return 0, true
	}
	return 0, false
}

// realise builds what can be built, as with --keep-going.
func realise(args []string) int {
	code := 0
	for _, drv := range args {
		if !strings.HasSuffix(drv, ".drv") {
			continue
		}
		text, err := os.ReadFile(drv)
		if err == nil {
			err = install(strings.TrimSuffix(drv, ".drv"), text)
		}
		if err != nil {
			code = say(1, "error: builder for '%s' failed: %v", drv, err)
			continue
		}
		fmt.Println(strings.TrimSuffix(drv, ".drv"))
	}
	return code
}

// nixCopyClosure knows [--use-substitutes] --to HOST PATH.
func nixCopyClosure(args []string) int {
	args = slices.DeleteFunc(slices.Clone(args), func(a string) bool { return a == "--use-substitutes" })
	if len(args) != 3 || args[0] != "--to" {
		return say(1, "error: unknown flag '%s'", strings.Join(args, " "))
	}
	text, err := os.ReadFile(filepath.Join(args[2], "system.json"))
	if err != nil {
		return say(1, "error: path '%s' is not valid", args[2])
	}
	argv := append([]string{args[1], "-x", "-a"}, strings.Fields(os.Getenv("NIX_SSHOPTS"))...)
	ssh := exec.Command("ssh", append(argv, "--", "nix-store --serve --write")...)
	ssh.Stdin = strings.NewReader(args[2] + "\n" + string(text))
	ssh.Stdout, ssh.Stderr = os.Stdout, os.Stderr
	fmt.Fprintf(os.Stderr, "copying 1 paths...\ncopying path '%s' to 'ssh://%s'...\n", args[2], args[1])
	return status(ssh.Run())
}

// shareAny gives the workstation a folder or a link of the real root.
func shareAny(root string, e os.DirEntry) error {
	path := "/" + e.Name()
	if e.Type()&os.ModeSymlink != 0 {
		target, err := os.Readlink(path)
		if err != nil {
			return err
		}
		return os.Symlink(target, root+path)
	}
	if !e.IsDir() {
		return nil
	}
	if err := os.Mkdir(root+path, 0o755); err != nil {
		return err
	}
	return syscall.Mount(path, root+path, "", syscall.MS_BIND|syscall.MS_REC, "")
}

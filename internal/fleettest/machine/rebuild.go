//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// rebuild is one call of nixos-rebuild, which does what the real one does over
// ssh, session by session; testdata/vpi/nixos-rebuild is the same in bash.
type rebuild struct {
	action, flake, storePath, target string
	sudo                             bool
	control                          []string // options of ssh for one connection
}

// nixosRebuild switch|boot|test|dry-activate --store-path PATH | --flake REF#HOST
// --target-host HOST [--no-reexec] [--sudo]; every ssh gets NIX_SSHOPTS.
func nixosRebuild(args []string) int {
	r := rebuild{}
	if len(args) == 0 || !slices.Contains([]string{"switch", "boot", "test", "dry-activate"}, args[0]) {
		return say(2, "nixos-rebuild: error: invalid action: '%s'", strings.Join(args, " "))
	}
	r.action, args = args[0], args[1:]
	values := map[string]*string{"--flake": &r.flake, "--store-path": &r.storePath, "--target-host": &r.target}
	for ; len(args) > 0; args = args[1:] {
		switch value := values[args[0]]; {
		case args[0] == "--no-reexec":
		case args[0] == "--sudo":
			r.sudo = true
		case value != nil && len(args) > 1:
			*value, args = args[1], args[1:]
		default:
			return say(2, "nixos-rebuild: error: unrecognized arguments: %s", args[0])
		}
	}
	if r.target == "" || (r.flake == "") == (r.storePath == "") {
		return say(2, "nixos-rebuild: error: want --target-host, and one of --flake and --store-path")
	}
	return r.run()
}

func (r *rebuild) run() int {
	dir, err := os.MkdirTemp("/tmp", "nixos-rebuild.")
	check(err)
	defer os.RemoveAll(dir)
	r.control = []string{"-o", "ControlMaster=auto", "-o", "ControlPath=" + filepath.Join(dir, "ssh-%C"), "-o", "ControlPersist=60"}
	defer r.close(dir)
	if code := r.build(); code != 0 {
		return code
	}
	steps := []func() int{r.copy}
	if r.action == "switch" || r.action == "boot" {
		steps = append(steps, r.setProfile)
	}
	for _, step := range append(steps, r.activate) {
		if code := step(); code != 0 {
			return say(code, "Command 'ssh %s' returned non-zero exit status %d.", r.target, code)
		}
	}
	fmt.Fprintf(os.Stderr, "Done. The new configuration is %s\n", r.storePath)
	return 0
}

// close ends the connection that was shared, when one was.
func (r *rebuild) close(dir string) {
	sockets, _ := filepath.Glob(filepath.Join(dir, "ssh-*"))
	for _, socket := range sockets {
		_ = exec.Command("ssh", "-F", "/dev/null", "-o", "ControlPath="+socket, "-O", "exit", "dummyhost").Run()
	}
}

// build finds the system of --flake, by the same Nix as everybody.
func (r *rebuild) build() int {
	if r.storePath != "" {
		return 0
	}
	_, host, _ := strings.Cut(r.flake, "#")
	out, err := exec.Command("nix", "path-info", "--derivation", `.#nixosConfigurations."`+host+`".config.system.build.toplevel`).Output()
	if err != nil {
		return status(err)
	}
	drv := strings.TrimSpace(string(out))
	r.storePath = strings.TrimSuffix(drv, ".drv")
	return status(exec.Command("nix-store", "--realise", drv).Run())
}

func (r *rebuild) copy() int {
	cmd := exec.Command("nix-copy-closure", "--to", r.target, r.storePath)
	cmd.Env = append(os.Environ(), "NIX_SSHOPTS="+strings.Join(append(strings.Fields(os.Getenv("NIX_SSHOPTS")), r.control...), " "))
	cmd.Stdout, cmd.Stderr = os.Stdout, os.Stderr
	return status(cmd.Run())
}

func (r *rebuild) setProfile() int {
	if r.ssh(false, "", "test", "-f", r.storePath+"/nixos-version") != 0 {
		return say(1, "error: %s has no nixos-version: not a system, or not to be reached", r.storePath)
	}
	return r.ssh(r.sudo, "", "nix-env", "-p", "/nix/var/nix/profiles/system", "--set", r.storePath)
}

func (r *rebuild) activate() int {
	argv := []string{r.storePath + "/bin/switch-to-configuration", r.action}
	if r.ssh(false, "", "test", "-d", "/run/systemd/system") == 0 {
		argv = append([]string{"systemd-run", "-E", "LOCALE_ARCHIVE", "-E", "NIXOS_INSTALL_BOOTLOADER", "-E", "NIXOS_NO_CHECK", "--collect",
			"--no-ask-password", "--pipe", "--quiet", "--service-type=exec", "--unit=nixos-rebuild-switch-to-configuration"}, argv...)
	}
	return r.ssh(r.sudo, ` LOCALE_ARCHIVE="${LOCALE_ARCHIVE-}" NIXOS_NO_CHECK="${NIXOS_NO_CHECK-}" NIXOS_INSTALL_BOOTLOADER=0`, argv...)
}

// ssh runs a command on the target with nothing in its environment but PATH and
// what settings says.
func (r *rebuild) ssh(sudo bool, settings string, argv ...string) int {
	words := []string{"/bin/sh", "-c", `exec /usr/bin/env -i PATH="${PATH-}"` + settings + ` "$@"`, "sh"}
	if sudo {
		words = append([]string{"sudo", "-n"}, words...)
	}
	options := append(strings.Fields(os.Getenv("NIX_SSHOPTS")), r.control...)
	cmd := exec.Command("ssh", append(options, r.target, "--", quote(append(words, argv...)))...)
	cmd.Stdout, cmd.Stderr = os.Stderr, os.Stderr
	return status(cmd.Run())
}

var plainForm = regexp.MustCompile(`^[A-Za-z0-9@%+=:,./_-]+$`)

// quote prints words as Python's shlex.join does.
func quote(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		if quoted[i] = w; !plainForm.MatchString(w) {
			quoted[i] = "'" + strings.ReplaceAll(w, "'", `'"'"'`) + "'"
		}
	}
	return strings.Join(quoted, " ")
}

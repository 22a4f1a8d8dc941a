package doctor

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

const (
	installNix    = "install Nix: https://nixos.org/download"
	developShell  = "nix develop, which has it; or add nixos-rebuild-ng to your configuration"
	noSuchPath    = "/nix/store/00000000000000000000000000000000-none"
	experimental  = "--extra-experimental-features"
	ourFeatures   = "nix-command flakes"
	configCommand = "config"
)

var versionForm = regexp.MustCompile(`(\d+)\.(\d+)`)

// nix: is it there, new enough, with flakes, and does its store answer?
func (w Workstation) nix(ctx context.Context) []Check {
	version, err := w.ask(ctx, "nix", "--version")
	switch {
	case absent(err):
		return []Check{problem("nix", installNix, "nix is not on PATH")}
	case err != nil:
		return []Check{problem("nix", "nix --version", "nix does not run: %s", said(err))}
	}
	version = firstLine(version)
	checks := []Check{fine("nix", "%s", version)}
	if m := versionForm.FindStringSubmatch(version); m == nil {
		checks[0] = warning("nix", "nix --version", "says no version: %q", version)
	} else if major, minor := number(m[1]), number(m[2]); major < 2 || major == 2 && minor < 4 {
		checks[0] = problem("nix", installNix, "%s has no flakes: 2.4 is the first that does", version)
	}
	return append(checks, w.flakes(ctx), w.store(ctx))
}

func number(digits string) int {
	n, _ := strconv.Atoi(digits) // digits only
	return n
}

func (w Workstation) flakes(ctx context.Context) Check {
	answer, err := w.ask(ctx, "nix", experimental, ourFeatures, "eval", "--expr", "builtins ? getFlake")
	switch {
	case err != nil:
		return problem("flakes", "nix "+experimental+" 'nix-command flakes' eval --expr true", "nix cannot evaluate: %s", said(err))
	case answer != "true":
		return problem("flakes", "allow them: experimental-features = nix-command flakes in nix.conf", "nix does not know flakes")
	}
	return fine("flakes", "can be evaluated")
}

// store asks for a path that nobody has: only a store that cannot be opened is an
// error.
func (w Workstation) store(ctx context.Context) Check {
	if _, err := w.ask(ctx, "nix-store", "--check-validity", "--print-invalid", noSuchPath); err != nil {
		return problem("nix store", "is its daemon running? systemctl status nix-daemon", "does not answer: %s", said(err))
	}
	return fine("nix store", "answers")
}

// builds: can the system of each host be built, and by whom?
func (w Workstation) builds(ctx context.Context) []Check {
	settings, err := w.settings(ctx)
	if err != nil {
		if absent(err) {
			return nil // said already
		}
		return []Check{warning("builds", "nix config show", "nix does not show its settings: %s", said(err))}
	}
	var checks []Check
	for _, system := range w.systems() {
		checks = append(checks, w.build(settings, system))
	}
	return checks
}

// systems are those of the hosts, sorted.
func (w Workstation) systems() []string {
	var all []string
	for _, h := range w.Hosts {
		all = append(all, h.System)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

// settings are Nix's own, by the command of new versions or that of old ones.
func (w Workstation) settings(ctx context.Context) (map[string]string, error) {
	text, err := w.ask(ctx, "nix", experimental, "nix-command", configCommand, "show")
	if err != nil && !absent(err) {
		text, err = w.ask(ctx, "nix", experimental, "nix-command", "show-config")
	}
	if err != nil {
		return nil, err
	}
	settings := map[string]string{}
	for line := range strings.Lines(text) {
		if name, value, ok := strings.Cut(line, "="); ok {
			settings[strings.TrimSpace(name)] = strings.TrimSpace(value)
		}
	}
	return settings, nil
}

func (w Workstation) build(settings map[string]string, system string) Check {
	name := "builds for " + system
	builders := w.buildersFor(settings["builders"], system)
	platforms := strings.Fields(settings["extra-platforms"])
	switch {
	case settings["system"] == system:
		return fine(name, "natively")
	case len(builders) > 0:
		return fine(name, "on %s", strings.Join(builders, ", "))
	case !slices.Contains(platforms, system):
		return problem(name, fmt.Sprintf("deploy with --build-host USER@HOST, name one in /etc/nix/machines, or emulate: extra-platforms = %[1]s in nix.conf and, on NixOS, boot.binfmt.emulatedSystems = [ %[2]q ]", system, system),
			"this workstation is %s, and no remote builder is configured", orNone(settings["system"]))
	}
	return w.emulated(name, system)
}

func orNone(text string) string {
	if text == "" {
		return "of no known system"
	}
	return text
}

// emulated: Nix may be told to build for another architecture; the kernel has to
// know how. Builds happen in a sandbox, where the emulator is not, unless the
// kernel opened it when it was registered (flag F), or Nix adds it to the sandbox,
// as NixOS has it do.
func (w Workstation) emulated(name, system string) Check {
	arch := strings.TrimSuffix(system, "-linux")
	files, _ := filepath.Glob(w.in("/proc/sys/fs/binfmt_misc/*"))
	for _, file := range files {
		text, err := os.ReadFile(file)
		base := filepath.Base(file)
		if err != nil || base != "qemu-"+arch && base != system {
			continue
		}
		lines := strings.Split(string(text), "\n")
		flags, interpreter := field(lines, "flags:"), field(lines, "interpreter ")
		switch {
		case lines[0] != "enabled":
			return problem(name, "systemctl restart systemd-binfmt", "the kernel's emulation of %s is turned off", arch)
		case strings.Contains(flags, "F"):
			return fine(name, "emulated, which is slow")
		case strings.HasPrefix(interpreter, "/run/binfmt/"), strings.HasPrefix(interpreter, "/nix/store/"):
			return fine(name, "emulated by NixOS, which is slow")
		}
		return problem(name, "install qemu-user-static, whose registration has it, and restart the Nix daemon", "emulation of %s is registered without the flag F: builds in a sandbox do not find %s", arch, interpreter)
	}
	return problem(name, "install qemu-user-static; on NixOS: boot.binfmt.emulatedSystems = [ \""+system+"\" ]", "nix.conf allows %s, and the kernel has no emulation of %s registered", system, arch)
}

func field(lines []string, prefix string) string {
	for _, l := range lines {
		if value, ok := strings.CutPrefix(l, prefix); ok {
			return strings.TrimSpace(value)
		}
	}
	return ""
}

// maxMachines bounds a file of builders, in bytes.
const maxMachines = 1 << 20

// buildersFor lists the remote builders that Nix would ask: lines, or parts
// between semicolons, of "URI SYSTEM,… …"; "@FILE" stands for a file of them.
func (w Workstation) buildersFor(setting, system string) []string {
	if file, ok := strings.CutPrefix(strings.TrimSpace(setting), "@"); ok {
		return buildersIn(w.machines(file), system)
	}
	return buildersIn(setting, system)
}

func buildersIn(text, system string) []string {
	var found []string
	for _, line := range strings.FieldsFunc(text, func(r rune) bool { return r == '\n' || r == ';' }) {
		line, _, _ = strings.Cut(line, "#")
		if words := strings.Fields(line); len(words) >= 2 && slices.Contains(strings.Split(words[1], ","), system) {
			found = append(found, words[0])
		}
	}
	return found
}

// machines reads a file of builders.
func (w Workstation) machines(file string) string {
	info, err := os.Stat(w.in(file))
	if err != nil || info.Size() > maxMachines {
		return ""
	}
	text, err := os.ReadFile(w.in(file))
	if err != nil {
		return ""
	}
	return string(text)
}

// storePathOption is what makes one evaluation enough.
const storePathOption = "--store-path"

// rebuild looks for nixos-rebuild, and into its text for the option that deploys
// a built system. It is not asked: --help is a man page, and older ones take an
// unknown option for an attempt.
func (w Workstation) rebuild(context.Context) []Check {
	file, err := exec.LookPath("nixos-rebuild")
	if err != nil {
		return []Check{problem("nixos-rebuild", developShell, "nixos-rebuild is not on PATH")}
	}
	if real, err := filepath.EvalSymlinks(file); err == nil {
		file = real
	}
	texts := []string{file, filepath.Join(filepath.Dir(file), ".nixos-rebuild-wrapped")}
	modules, _ := filepath.Glob(filepath.Join(filepath.Dir(filepath.Dir(file)), "lib/python3*/site-packages/nixos_rebuild/*.py"))
	for _, text := range append(texts, modules...) {
		if mentions(text, storePathOption) {
			return []Check{fine("nixos-rebuild", "has %s (it stands in %s)", storePathOption, text)}
		}
	}
	return []Check{warning("nixos-rebuild", developShell, "%s does not seem to have %s (January 2026): every deploy evaluates a host once more", file, storePathOption)}
}

// maxProgram bounds a program's text, in bytes.
const maxProgram = 8 << 20

func mentions(file, word string) bool {
	info, err := os.Stat(file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxProgram {
		return false
	}
	text, err := os.ReadFile(file)
	return err == nil && strings.Contains(string(text), word)
}

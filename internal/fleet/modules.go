package fleet

import (
	"bytes"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"
)

// What pistack itself has in modules/boards and modules/roles, for every fleet
// whose flake calls lib.mkFleet. A test compares both with the folders.

// ownBoards gives the Nix system of each board.
func ownBoards() map[string]string {
	return map[string]string{
		"generic-x86_64": "x86_64-linux",
		"rpi-zero2":      "aarch64-linux",
		"rpi3":           "aarch64-linux",
		"rpi4":           "aarch64-linux",
		"rpi5":           "aarch64-linux",
	}
}

func ownRoles() []string { return []string{"ai", "gateway", "home", "monitoring"} }

// SystemOf is the Nix system of a board of pistack's; empty for others, which
// may be anything.
func SystemOf(board string) string { return ownBoards()[board] }

// CallsMkFleet tells whether the flake of a repository makes its hosts with
// lib.mkFleet, and so with pistack's own modules.
func CallsMkFleet(files fs.FS) bool {
	info, err := fs.Stat(files, "flake.nix")
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxTOML {
		return false
	}
	text, err := fs.ReadFile(files, "flake.nix")
	return err == nil && bytes.Contains(text, []byte("mkFleet"))
}

// choicesIn are the names that a host.toml of a repository can use: boards and
// roles are pistack's, and those that the fleet has itself. A flake of another
// kind may do without either, and they can be anything.
func choicesIn(files fs.FS, stacks []string) choices {
	boards, roles := modulesIn(files, "boards"), modulesIn(files, "roles")
	ours := CallsMkFleet(files)
	systems := map[string]string{}
	if ours {
		systems = ownBoards()
	}
	for _, own := range boards { // the fleet's own come first, and may be of any system
		delete(systems, own)
	}
	return choices{
		stacks: stacks, systems: systems,
		boards: sorted(append(slices.Collect(maps.Keys(ownBoards())), boards...)), anyBoard: len(boards) == 0 && !ours,
		roles: sorted(append(ownRoles(), roles...)), anyRole: len(roles) == 0 && !ours,
	}
}

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

// modulesIn lists the NixOS modules of modules/<dir>, by name.
func modulesIn(files fs.FS, dir string) []string {
	names, _ := fs.Glob(files, "modules/"+dir+"/*.nix")
	for i, n := range names {
		names[i] = strings.TrimSuffix(path.Base(n), ".nix")
	}
	return names
}

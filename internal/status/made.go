package status

import (
	"io/fs"
	"path"
	"regexp"
	"slices"
	"strings"

	"pistack/internal/fleet"
	"pistack/internal/git"
)

// maxText bounds a file that is looked through, in bytes.
const maxText = 1 << 20

// Made lists the files and folders, relative to the repository, that a host is
// made of: its own folder, its stacks, the shared modules and settings, and what
// their files name by a relative path. It does not know them all when one names
// the repository itself, or a path that is put together.
func Made(files fs.FS, tracked git.Files, h fleet.Host) (paths []string, known bool) {
	m := &made{files: files, tracked: tracked, mkFleet: fleet.CallsMkFleet(files)}
	todo := []string{h.Dir(), "modules", "flake.nix", "flake.lock", fleet.Marker, "authorized_keys"}
	for _, s := range h.Stacks {
		todo = append(todo, "stacks/"+s)
	}
	for len(todo) > 0 {
		next := todo[0]
		todo = todo[1:]
		if slices.ContainsFunc(paths, func(p string) bool { return next == p || strings.HasPrefix(next, p+"/") }) {
			continue
		}
		paths = append(paths, next)
		for _, file := range m.below(next) {
			named, ok := m.named(file)
			if !ok {
				return nil, false
			}
			todo = append(todo, named...)
		}
	}
	slices.Sort(paths)
	return paths, true
}

type made struct {
	files   fs.FS
	tracked git.Files
	mkFleet bool // reads the folders that Made begins with, and nothing else
}

// below lists the tracked files at and below a path.
func (m *made) below(name string) []string {
	if m.tracked.Has(name) {
		return []string{name}
	}
	return m.tracked.Under(name)
}

var (
	relative = regexp.MustCompile(`(?:^|[^.A-Za-z0-9_/}$-])(\.\.?(?:/[A-Za-z0-9._/+@-]*)?)(\.?)`)
	itself   = regexp.MustCompile(`\bself\b`)
	// A path whose beginning is put together.
	composed = regexp.MustCompile(`\$\{?[A-Za-z_][^\s"']*\.\.|\}/?\.\.|"/\.\.`)
)

// named lists the paths that a file names outside its own folder.
func (m *made) named(file string) (paths []string, known bool) {
	nix, stack := strings.HasSuffix(file, ".nix"), strings.HasPrefix(file, "stacks/")
	if !nix && !stack {
		return nil, true
	}
	text, err := m.read(file)
	if err != nil {
		return nil, false
	}
	if nix && itself.Match(text) || composed.Match(text) {
		return nil, false
	}
	for _, match := range relative.FindAllSubmatch(text, -1) {
		word, ellipsis := string(match[1]), len(match[2]) > 0
		if word == "." || word == "./" || word == ".." && ellipsis {
			continue
		}
		to := path.Join(path.Dir(file), word)
		switch {
		case word == "./." && file == "flake.nix" && m.mkFleet:
		case to == "." || to == "hosts" || to == "stacks":
			return nil, false
		case strings.HasPrefix(to, ".."): // out of the repository: Nix and Compose refuse it
		case len(m.below(to)) > 0:
			paths = append(paths, to)
		}
	}
	return paths, true
}

func (m *made) read(file string) ([]byte, error) {
	info, err := fs.Stat(m.files, file)
	if err != nil {
		return nil, err
	}
	if info.Size() > maxText || !info.Mode().IsRegular() {
		return nil, nil // neither Nix nor Compose
	}
	return fs.ReadFile(m.files, file)
}

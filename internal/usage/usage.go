// Package usage tells where the secrets of a host are used: by its stacks, or
// by its NixOS configuration. It is for lists and for lint: what a secret needs
// to be right is decided by package compose, which loads a stack as Compose does
// and which pisec, being on every device, does without.
//
// A stack uses a secret when a value of its Compose files refers to it,
// ${NAME}, or a service lists it under "secrets:". A NixOS file uses it when its
// name stands there, and host.toml when [registries] names it.
package usage

import (
	"io/fs"
	"slices"
	"strings"
)

// maxFiles bounds how many files are looked through for one host.
const maxFiles = 1000

// Host is whose secrets are looked for.
type Host struct {
	Name   string
	Stacks []string
	Env    map[string]string // its Compose variables
	Have   []string          // names of the secrets it has

	Registries map[string]string // private registries, to the secrets that its Docker logs in with
}

// Uses is where a host's secrets are used.
type Uses struct {
	By      map[string][]string // secret to files, sorted: "stacks/chat/compose.yaml"
	InEnv   map[string]bool     // secrets that Compose puts into a value, so that they must be valid there
	Missing map[string][]string // what stacks want and the host has not: neither secret nor variable
	Unread  []string            // files that could not be read or parsed: what they use is not known
}

// Stacks lists the names of the stacks among some files, sorted.
func Stacks(files []string) []string {
	names := []string{}
	for _, file := range files {
		if parts := strings.Split(file, "/"); len(parts) > 2 && parts[0] == "stacks" {
			names = append(names, parts[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Of finds the uses of one host in a fleet's work tree.
func Of(repository fs.FS, h Host) Uses { return NewTree(repository).Of(h) }

// Of finds the uses of a host. A file that cannot be read is listed, and no
// error: pistack check says what is wrong with it. A nil tree has no uses.
func (t *Tree) Of(h Host) Uses {
	if t == nil {
		return Uses{}
	}
	s := scan{tree: t, host: h, have: map[string]bool{},
		uses: Uses{By: map[string][]string{}, InEnv: map[string]bool{}, Missing: map[string][]string{}}}
	for _, name := range h.Have {
		s.have[name] = true
	}
	for _, stack := range h.Stacks {
		s.stack(stack)
	}
	s.registries()
	s.nix("hosts/" + h.Name)
	s.nix("modules")
	for _, files := range []map[string][]string{s.uses.By, s.uses.Missing} {
		for name := range files {
			slices.Sort(files[name])
			files[name] = slices.Compact(files[name])
		}
	}
	return s.uses
}

// scan is the work on one host.
type scan struct {
	tree  *Tree
	host  Host
	have  map[string]bool
	files int
	uses  Uses
}

func (s *scan) found(name, file string) { s.uses.By[name] = append(s.uses.By[name], file) }

func (s *scan) missing(name, file string) {
	s.uses.Missing[name] = append(s.uses.Missing[name], file)
}

// registries takes what was read from host.toml.
func (s *scan) registries() {
	for _, name := range s.host.Registries {
		file := "hosts/" + s.host.Name + "/host.toml"
		if s.have[name] {
			s.found(name, file)
		} else {
			s.missing(name, file)
		}
	}
}

// read takes a file of the tree; one that is missing is no problem.
func (s *scan) read(file string) (*content, bool) {
	if s.files++; s.files > maxFiles {
		s.uses.Unread = append(s.uses.Unread, file)
		return nil, false
	}
	c := s.tree.file(file)
	if c.broken {
		s.uses.Unread = append(s.uses.Unread, file)
	}
	return c, c.there
}

// nix looks for the names of secrets in the NixOS files below a folder.
func (s *scan) nix(folder string) {
	for _, file := range s.tree.nixFiles(folder) {
		c, ok := s.read(file)
		if !ok {
			continue
		}
		words := c.words()
		for name := range s.have {
			if words[name] {
				s.found(name, file)
			}
		}
	}
}

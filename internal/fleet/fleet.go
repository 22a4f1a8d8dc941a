// Package fleet reads a fleet repository: where its root is, what fleet.toml
// and hosts/*/host.toml say, and which hosts a selector means.
//
// A host is a folder of hosts/ that holds a host.toml; a stack is a folder of
// stacks/ that holds a compose.yaml. The Nix side (flake.nix) follows the same
// rule, so both always agree on what exists.
//
// Reading is strict. An unknown key, a wrong type or a name that cannot be a
// host name is an error with file and line, and all of them are reported at
// once. Nothing here reaches the network or needs a key.
package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
)

// Marker is the file that marks the root of a fleet repository.
const Marker = "fleet.toml"

// Fleet is a whole fleet repository, as read by Load.
type Fleet struct {
	Root      string   // absolute path of the folder that holds fleet.toml
	Operators []string // recipients that read every secret: age1… or ssh-ed25519 …
	Plugins   []string // age plugins that recipients of Operators may name
	Registry  Registry // how image registries are reached
	Caches    []string // binary caches that machines fetch from, besides the public one
	Hosts     []Host   // sorted by name
	Stacks    []string // names of the folders of stacks/ with a compose.yaml, sorted
	Boards    []string // names that a host.toml can give as its board, sorted
	Roles     []string // names that it can give as its roles, sorted

	known    choices
	files    fs.FS
	settings string // text of fleet.toml
}

var hostName = regexp.MustCompile(`^[a-z0-9]([a-z0-9-]{0,61}[a-z0-9])?$`)

// FindRoot walks up from dir to the folder that holds fleet.toml.
func FindRoot(dir string) (string, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return "", err
	}
	for d := dir; ; d = filepath.Dir(d) {
		if _, err := os.Stat(filepath.Join(d, Marker)); err == nil {
			return d, nil
		}
		if d == filepath.Dir(d) {
			return "", &Problem{
				Message: fmt.Sprintf("no %s in %s or any folder above it", Marker, dir),
				Fix:     "go into a fleet repository, or name it with --fleet DIR",
			}
		}
	}
}

// Load reads the fleet at root. The error joins one *Problem for each thing
// that is wrong, sorted by file and line.
func Load(root string) (*Fleet, error) {
	root, err := filepath.Abs(root)
	if err != nil {
		return nil, err
	}
	return LoadFS(os.DirFS(root), root)
}

// LoadFS is Load from any repository's files, such as those of a revision. root
// is where the fleet's work tree is; "" for none, and then its hosts' keys can
// be read, and not written.
func LoadFS(files fs.FS, root string) (*Fleet, error) {
	f := &Fleet{Root: root}
	var problems []error
	problems = append(problems, f.readSettings(files)...)
	stacks, err := foldersWith(files, "stacks", "compose.yaml")
	if err != nil {
		return nil, err
	}
	f.Stacks = stacks
	names, err := foldersWith(files, "hosts", "host.toml")
	if err != nil {
		return nil, err
	}
	known := choicesIn(files, f.Stacks)
	f.Boards, f.Roles, f.known = known.boards, known.roles, known
	for _, name := range names {
		h, errs := readHost(files, root, name, known)
		problems = append(problems, errs...)
		if of, isImage := strings.CutSuffix(name, imageSuffix); isImage && slices.Contains(names, of) {
			problems = append(problems, &Problem{File: h.File(), Message: nameOfImage(name, of)})
		}
		f.Hosts = append(f.Hosts, h)
	}
	if root != "" { // a revision is only read
		problems = append(problems, f.refuseLinkedHosts()...)
	}
	slices.SortStableFunc(problems, byPosition)
	return f, errors.Join(problems...)
}

// Host returns the host of that name. An unknown name is a *Problem that
// offers the nearest one.
func (f *Fleet) Host(name string) (Host, error) {
	i := slices.IndexFunc(f.Hosts, func(h Host) bool { return h.Name == name })
	if i >= 0 {
		return f.Hosts[i], nil
	}
	return Host{}, &Problem{
		Message: fmt.Sprintf("no host %q%s", name, didYouMean(name, f.HostNames())),
		Fix:     fmt.Sprintf("a host is a folder of hosts/ with a host.toml; this fleet has: %s", strings.Join(f.HostNames(), ", ")),
	}
}

// CheckHost tells what would be wrong with a host of that name and host.toml, as
// Load would. Nothing is read or written.
func (f *Fleet) CheckHost(name, text string) error {
	if slices.Contains(f.HostNames(), name) {
		return &Problem{File: "hosts/" + name, Message: "is a host of this fleet already"}
	}
	if of, isImage := strings.CutSuffix(name, imageSuffix); isImage && slices.Contains(f.HostNames(), of) {
		return &Problem{File: "hosts/" + name, Message: nameOfImage(name, of)}
	}
	if image := name + imageSuffix; slices.Contains(f.HostNames(), image) {
		return &Problem{File: "hosts/" + image, Message: nameOfImage(image, name)}
	}
	h := Host{Name: name}
	var t hostFile
	doc := document{file: h.File(), text: text}
	problems := doc.decode(&t)
	return errors.Join(h.take(doc, t, problems, f.known)...)
}

// imageSuffix makes a host's name that of its image, as modules/hosts.nix does.
const imageSuffix = "-sd"

// nameOfImage says why two hosts cannot have these names.
func nameOfImage(image, host string) string {
	return fmt.Sprintf("%q is the name of the image of host %q: give one of them another name", image, host)
}

// HostNames lists the names of all hosts, sorted.
func (f *Fleet) HostNames() []string {
	names := make([]string, len(f.Hosts))
	for i, h := range f.Hosts {
		names[i] = h.Name
	}
	return names
}

// foldersWith lists the folders of dir that hold a file of that name.
func foldersWith(files fs.FS, dir, file string) ([]string, error) {
	entries, err := fs.ReadDir(files, dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	var names []string
	for _, e := range entries {
		if _, err := fs.Stat(files, path.Join(dir, e.Name(), file)); err == nil {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

package install

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pistack/secrets/manifest"
)

// file is one file of a generation.
type file struct {
	path     string // below the generation's folder
	mode     os.FileMode
	uid, gid int
	content  []byte
}

// fileSet is a generation's files, sorted by path.
type fileSet []file

func (s fileSet) clear() {
	for _, f := range s {
		clear(f.content)
	}
}

// folders of a generation. Only those of secrets/ can be walked into by
// services that do not run as root; containers get theirs mounted by Docker.
func folders() map[string]os.FileMode {
	return map[string]os.FileMode{"secrets": 0o711, "stacks": 0o700, "env": 0o700, "docker": 0o700}
}

// render computes the files that a manifest asks for.
func render(m *manifest.Manifest, all values) (fileSet, error) {
	var set fileSet
	for _, f := range m.Files {
		set = append(set, file{
			path: f.Path, mode: os.FileMode(f.Mode), uid: f.UID, gid: f.GID,
			content: bytes.Clone(all[f.Secret]),
		})
	}
	var problems []error
	for _, e := range m.EnvFiles {
		content, err := envFile(e.Secrets, all)
		if err != nil {
			problems = append(problems, fmt.Errorf("%s: %w", e.Path, err))
			continue
		}
		set = append(set, file{path: e.Path, mode: 0o400, content: content})
	}
	if len(m.Logins) > 0 {
		content, err := dockerConfig(m.Logins, all)
		problems = append(problems, err)
		set = append(set, file{path: dockerConfigPath, mode: 0o600, content: content})
	}
	slices.SortFunc(set, func(a, b file) int { return strings.Compare(a.path, b.path) })
	return set, errors.Join(problems...)
}

// write makes generation n: folders closed to everybody, files filled before
// they get owner and mode, folders opened last.
func (g generations) write(n int, set fileSet, chown bool) error {
	dir := g.dir(n)
	if err := os.Mkdir(dir, 0o700); err != nil {
		return pathReason(err)
	}
	for name := range folders() {
		if err := os.Mkdir(filepath.Join(dir, name), 0o700); err != nil {
			return pathReason(err)
		}
	}
	for _, f := range set {
		if err := f.write(dir, chown); err != nil {
			return pathReason(err)
		}
	}
	for name, mode := range folders() {
		if err := os.Chmod(filepath.Join(dir, name), mode); err != nil {
			return pathReason(err)
		}
	}
	return os.Chmod(dir, 0o711)
}

func (f file) write(dir string, chown bool) (err error) {
	path := filepath.Join(dir, filepath.FromSlash(f.path))
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		return err
	}
	out, err := os.OpenFile(path, os.O_WRONLY|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, out.Close()) }()
	if _, err := out.Write(f.content); err != nil {
		return err
	}
	if chown {
		if err := out.Chown(f.uid, f.gid); err != nil {
			return err
		}
	}
	return out.Chmod(f.mode)
}

// compare tells how the wanted files differ from the current generation.
func (g generations) compare(wanted fileSet, chown bool) Report {
	var r Report
	present := g.present()
	for _, f := range wanted {
		switch {
		case !present[f.path]:
			r.Added = append(r.Added, f.path)
		case f.equals(g.dir(g.current), chown):
			r.Unchanged++
		default:
			r.Changed = append(r.Changed, f.path)
		}
		delete(present, f.path)
	}
	for path := range present {
		r.Removed = append(r.Removed, path)
	}
	slices.Sort(r.Removed)
	return r
}

// present lists the files of the current generation.
func (g generations) present() map[string]bool {
	found := map[string]bool{}
	if g.current == 0 {
		return found
	}
	dir := g.dir(g.current)
	// A folder that cannot be read counts as empty: its files are then written anew.
	_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error {
		if err == nil && !e.IsDir() {
			rel, _ := filepath.Rel(dir, path)
			found[filepath.ToSlash(rel)] = true
		}
		return nil
	})
	return found
}

func (f file) equals(dir string, owner bool) bool {
	path := filepath.Join(dir, filepath.FromSlash(f.path))
	info, err := os.Lstat(path)
	if err != nil || info.Mode() != f.mode || info.Size() != int64(len(f.content)) {
		return false
	}
	if owner && !ownedBy(info, f.uid, f.gid) {
		return false
	}
	content, err := os.ReadFile(path)
	defer clear(content)
	return err == nil && bytes.Equal(content, f.content)
}

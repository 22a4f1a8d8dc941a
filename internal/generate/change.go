package generate

import (
	"bytes"
	"errors"
	"io/fs"
	"maps"
	"os"
	"slices"
)

// Change is a generated file that is not as it should be.
type Change struct {
	File    string // relative to the root
	Action  Action
	content []byte
}

// Action is what has to be done with a file.
type Action string

// The actions that bring a generated folder up to date.
const (
	Create Action = "create"
	Update Action = "update"
	Delete Action = "delete"
)

// Plan compares a host's generated folder with what it should hold. The folder
// is ours alone: files in it that are not generated are to be deleted.
func (w *Workspace) Plan(r Result) ([]Change, error) {
	dir := Dir(r.Host)
	if err := w.Fleet.RefuseSymlinks(dir); err != nil {
		return nil, err
	}
	present, err := os.ReadDir(w.path(dir))
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	var changes []Change
	for _, e := range present {
		if _, wanted := r.Files[e.Name()]; !wanted {
			changes = append(changes, Change{File: dir + "/" + e.Name(), Action: Delete})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(r.Files)) {
		file := dir + "/" + name
		old, linked, err := readOwn(w.path(file))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			changes = append(changes, Change{File: file, Action: Create, content: r.Files[name]})
		case err != nil:
			return nil, err
		case linked || !bytes.Equal(old, r.Files[name]):
			changes = append(changes, Change{File: file, Action: Update, content: r.Files[name]})
		}
	}
	return changes, nil
}

// readOwn reads a generated file, unless it is a symlink: that is replaced, and
// nothing happens where it leads.
func readOwn(path string) (data []byte, linked bool, err error) {
	info, err := os.Lstat(path)
	if err != nil || info.Mode()&fs.ModeSymlink != 0 {
		return nil, err == nil, err
	}
	data, err = os.ReadFile(path)
	return data, false, err
}

// NotTracked lists the files of a host that a flake would not see because Git
// does not track them: generated ones, secrets, stack files, the host's own.
func (w *Workspace) NotTracked(r Result) []string {
	needed := []string{"flake.nix", "fleet.toml", r.Host.File()}
	for name := range r.Files {
		needed = append(needed, Dir(r.Host)+"/"+name)
	}
	needed = append(needed, r.Needed...)
	slices.Sort(needed)
	return slices.DeleteFunc(needed, func(f string) bool {
		return w.Tracked.Has(f) || len(w.Tracked.Under(f)) > 0
	})
}

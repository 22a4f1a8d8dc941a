package generate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"

	"github.com/google/renameio/v2"
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
		old, err := os.ReadFile(w.path(file))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			changes = append(changes, Change{File: file, Action: Create, content: r.Files[name]})
		case err != nil:
			return nil, err
		case !bytes.Equal(old, r.Files[name]):
			changes = append(changes, Change{File: file, Action: Update, content: r.Files[name]})
		}
	}
	return changes, nil
}

// Apply carries out the changes. Each file is replaced as a whole; a run that
// was cut short is completed by running it again.
func (w *Workspace) Apply(changes []Change) error {
	for _, c := range changes {
		if err := w.apply(c); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
	}
	return nil
}

func (w *Workspace) apply(c Change) error {
	path := w.path(c.File)
	if c.Action == Delete {
		return os.RemoveAll(path)
	}
	if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
		return err
	}
	return renameio.WriteFile(path, c.content, 0o644, renameio.WithTempDir(filepath.Dir(path)))
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

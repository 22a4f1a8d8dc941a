package generate

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"pistack/secrets/durable"
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

// Apply carries out the changes: new files beside the old ones, one sync for all,
// and then the renames. Each file is replaced as a whole; what a run that was cut
// short left is removed or completed by the next.
func (w *Workspace) Apply(changes []Change) error {
	if len(changes) == 0 {
		return nil
	}
	staged, err := w.stageAll(changes)
	if err != nil {
		return err
	}
	if err := durable.Sync(w.Fleet.Root, staged); err != nil {
		return err
	}
	var folders []string
	for _, c := range changes {
		if err := w.replace(c); err != nil {
			return fmt.Errorf("%s: %w", c.File, err)
		}
		folders = append(folders, filepath.Dir(w.path(c.File)))
	}
	return durable.Sync(w.Fleet.Root, slices.Compact(folders))
}

// staged is where a new file is written before it takes its place. Plan deletes
// one that was left there.
func (w *Workspace) staged(c Change) string {
	return w.path(path.Dir(c.File) + "/.new." + path.Base(c.File))
}

// stageAll writes on all cores: making a file takes the system most of a
// millisecond of one.
func (w *Workspace) stageAll(changes []Change) (staged []string, err error) {
	var group errgroup.Group
	group.SetLimit(runtime.GOMAXPROCS(0))
	for _, c := range changes {
		if c.Action == Delete {
			continue
		}
		staged = append(staged, w.staged(c))
		group.Go(func() error {
			if err := w.stage(c); err != nil {
				return fmt.Errorf("%s: %w", c.File, err)
			}
			return nil
		})
	}
	return staged, group.Wait()
}

func (w *Workspace) stage(c Change) error {
	if err := os.MkdirAll(filepath.Dir(w.path(c.File)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(w.staged(c), c.content, 0o644)
}

func (w *Workspace) replace(c Change) error {
	if c.Action == Delete {
		return os.RemoveAll(w.path(c.File))
	}
	return os.Rename(w.staged(c), w.path(c.File))
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

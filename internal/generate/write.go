package generate

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"

	"golang.org/x/sync/errgroup"

	"pistack/internal/staging"
	"pistack/secrets/durable"
)

// Write brings the generated folders of hosts up to date, and tells what it
// changed. Commands that write at the same time take turns.
func (w *Workspace) Write(ctx context.Context, results []Result) (changes []Change, err error) {
	if changes, err = w.PlanAll(results); err != nil || len(changes) == 0 {
		return nil, err
	}
	folder, err := staging.Open(ctx, w.path("hosts"))
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	if changes, err = w.PlanAll(results); err != nil { // another command may have been at it meanwhile
		return nil, err
	}
	return changes, writing{w, folder.Path}.apply(changes)
}

// PlanAll is Plan for several hosts.
func (w *Workspace) PlanAll(results []Result) ([]Change, error) {
	var changes []Change
	for _, r := range results {
		planned, err := w.Plan(r)
		if err != nil {
			return nil, err
		}
		changes = append(changes, planned...)
	}
	return changes, nil
}

// writing carries out changes: new files in a folder of their own, one sync for
// all, and then the renames. Each file is replaced as a whole; what a run that was
// cut short did not come to is done by the next.
type writing struct {
	*Workspace
	staging string
}

func (w writing) apply(changes []Change) error {
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

// staged is where a new file is written before it takes its place.
func (w writing) staged(c Change) string {
	return filepath.Join(w.staging, filepath.FromSlash(c.File))
}

// stageAll writes on all cores: making a file takes the system most of a
// millisecond of one.
func (w writing) stageAll(changes []Change) (staged []string, err error) {
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

func (w writing) stage(c Change) error {
	if err := os.MkdirAll(filepath.Dir(w.staged(c)), 0o755); err != nil {
		return err
	}
	return os.WriteFile(w.staged(c), c.content, 0o644)
}

func (w writing) replace(c Change) error {
	if c.Action == Delete {
		return os.RemoveAll(w.path(c.File))
	}
	if err := os.MkdirAll(filepath.Dir(w.path(c.File)), 0o755); err != nil {
		return err
	}
	return os.Rename(w.staged(c), w.path(c.File))
}

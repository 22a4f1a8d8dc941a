package scaffold

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"pistack/internal/staging"
	"pistack/secrets/durable"
)

// CheckEmpty refuses a folder in which a fleet cannot begin: one that holds
// anything but a fresh Git repository, or what a killed run left. One that does
// not exist is fine.
func CheckEmpty(dir string) error {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return err
	}
	for _, e := range entries {
		if e.Name() != ".git" && e.Name() != staging.Name {
			return fmt.Errorf("%s is not empty: it has %s", dir, e.Name())
		}
	}
	return nil
}

// Write puts files below root, where nothing of theirs may be: each top entry
// that is new (the folder of a host, or everything of a fleet) appears as a
// whole, and after an error none is left. Files are synced before they appear.
func Write(ctx context.Context, root string, files []File) (err error) {
	made, err := makeDir(root)
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			removeMade(made)
		}
	}()
	folder, err := staging.Open(ctx, root)
	if err != nil {
		return err
	}
	defer func() { err = errors.Join(err, folder.Close()) }()
	var paths []string
	for _, f := range files {
		path := filepath.Join(folder.Path, filepath.FromSlash(f.Path))
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			return err
		}
		if err := os.WriteFile(path, []byte(f.Text), 0o644); err != nil {
			return err
		}
		paths = append(paths, path)
	}
	if err := durable.Sync(folder.Path, paths); err != nil {
		return err
	}
	return place(folder.Path, root)
}

// place moves what is staged to where nothing is yet. Folders that exist are
// gone into; what was moved before an error goes away again.
func place(stage, root string) (err error) {
	var placed []string
	defer func() {
		if err != nil {
			for _, path := range slices.Backward(placed) {
				err = errors.Join(err, os.RemoveAll(path))
			}
		}
	}()
	var into func(folder string) error
	into = func(folder string) error {
		entries, err := os.ReadDir(filepath.Join(stage, folder))
		if err != nil {
			return err
		}
		for _, e := range entries {
			path := filepath.Join(folder, e.Name())
			info, err := os.Lstat(filepath.Join(root, path))
			switch {
			case errors.Is(err, fs.ErrNotExist):
				if err := os.Rename(filepath.Join(stage, path), filepath.Join(root, path)); err != nil {
					return err
				}
				placed = append(placed, filepath.Join(root, path))
			case err != nil:
				return err
			case e.IsDir() && info.IsDir():
				if err := into(path); err != nil {
					return err
				}
			default:
				return fmt.Errorf("%s exists already", filepath.ToSlash(path))
			}
		}
		return durable.SyncDir(filepath.Join(root, folder))
	}
	return into(".")
}

// makeDir makes a folder and those above it; it returns the ones that were not
// there, from the top.
func makeDir(dir string) (made []string, err error) {
	for d := filepath.Clean(dir); ; d = filepath.Dir(d) {
		if _, err := os.Stat(d); err == nil || d == filepath.Dir(d) {
			break
		}
		made = append(made, d)
	}
	slices.Reverse(made)
	return made, durable.MkdirAll(dir)
}

func removeMade(made []string) {
	for _, d := range slices.Backward(made) {
		os.Remove(d) // only what is empty
	}
}

// Refuse tells of the first of the files' folders or files that exists below
// root, for a message before anything is done.
func Refuse(root, folder string) error {
	if _, err := os.Lstat(filepath.Join(root, filepath.FromSlash(folder))); err == nil {
		return fmt.Errorf("%s exists already", strings.TrimSuffix(folder, "/"))
	} else if !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	return nil
}

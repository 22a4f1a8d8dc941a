package image

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"pistack/compose/images"
)

// Write brings the lock files of the fleet at root up to date. All are written
// beside the old ones before the first is replaced. One that would be empty is
// removed.
func Write(root string, files []LockFile) (err error) {
	var staged []*renameio.PendingFile
	defer func() {
		for _, s := range staged {
			err = errors.Join(err, s.Cleanup()) // does nothing to a file that has been put in place
		}
	}()
	var empty []string
	for _, f := range files {
		if !f.Changed() {
			continue
		}
		path := filepath.Join(root, filepath.FromSlash(images.Path(f.Stack)))
		if len(f.Lock()) == 0 {
			empty = append(empty, path)
			continue
		}
		s, err := stage(path, images.Print(f.Lock()))
		if err != nil {
			return fmt.Errorf("%s: %w", images.Path(f.Stack), err)
		}
		staged = append(staged, s)
	}
	for _, s := range staged {
		if err := s.CloseAtomicallyReplace(); err != nil {
			return err
		}
	}
	for _, path := range empty {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	return nil
}

func stage(path string, content []byte) (*renameio.PendingFile, error) {
	s, err := renameio.NewPendingFile(path, renameio.WithTempDir(filepath.Dir(path)), renameio.WithPermissions(0o644))
	if err != nil {
		return nil, err
	}
	if _, err := s.Write(content); err != nil {
		return nil, errors.Join(err, s.Cleanup())
	}
	return s, nil
}

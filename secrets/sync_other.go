//go:build !linux

package secrets

import (
	"errors"
	"os"
	"path/filepath"
)

// syncTree makes the files of dir durable, one by one.
func syncTree(dir string) error {
	files, err := filepath.Glob(filepath.Join(dir, "*"))
	if err != nil {
		return err
	}
	for _, file := range files {
		f, err := os.Open(file)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return syncDir(dir)
}

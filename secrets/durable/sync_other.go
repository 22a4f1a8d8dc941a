//go:build !linux

package durable

import (
	"errors"
	"os"
)

// Sync makes files, and the names in folders, durable, one by one.
func Sync(dir string, paths []string) error {
	for _, p := range paths {
		f, err := os.Open(p)
		if err != nil {
			return err
		}
		if err := errors.Join(f.Sync(), f.Close()); err != nil {
			return err
		}
	}
	return SyncDir(dir)
}

package install

import (
	"fmt"
	"os"

	"pistack/secrets/memory"
)

// checkStorage refuses a root where plaintext could reach a disk.
func checkStorage(root string, try bool) error {
	info, err := os.Stat(root)
	switch {
	case err != nil && try:
		return fmt.Errorf("%w: it must be a folder on a tmpfs: mkdir -p %s", pathReason(err), root)
	case err != nil:
		return fmt.Errorf("%w: it must be a mounted ramfs (on NixOS run-pistack.mount does that)", pathReason(err))
	}
	if !info.IsDir() {
		return fmt.Errorf("%s is not a folder", root)
	}
	kind, err := memory.Of(root)
	if err != nil {
		return err
	}
	switch {
	case kind == memory.Pinned, kind == memory.Swapped && try:
		return nil
	case kind == memory.Swapped:
		return fmt.Errorf("%s is a tmpfs that can be swapped to a disk: mount a ramfs, or a tmpfs with noswap", root)
	}
	return fmt.Errorf("%s is not in memory: secrets are written to a ramfs, or a tmpfs with noswap, only", root)
}

// Package staging gives new files a folder to be written in, before they are
// renamed into place. One command at a time has it, Git never takes what is in
// it, and what a killed command left there is removed by the next.
package staging

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"syscall"
)

// Name is what the folder is called.
const Name = ".pistack-new"

// Folder is one that this process has.
type Folder struct {
	Path  string // an empty folder on the file system of its parent
	whole string // with what keeps Git out
	lock  *os.File
}

// Open waits until nobody else has the folder in parent, and makes it anew. Close
// it after use.
func Open(ctx context.Context, parent string) (*Folder, error) {
	lock, err := lockFolder(ctx, parent)
	if err != nil {
		return nil, err
	}
	f := &Folder{Path: filepath.Join(parent, Name, "files"), whole: filepath.Join(parent, Name), lock: lock}
	if err := f.make(); err != nil {
		return nil, errors.Join(err, f.Close())
	}
	return f, nil
}

func (f *Folder) make() error {
	if err := os.RemoveAll(f.whole); err != nil {
		return err
	}
	if err := os.Mkdir(f.whole, 0o755); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(f.whole, ".gitignore"), []byte("*\n"), 0o644); err != nil {
		return err
	}
	return os.Mkdir(f.Path, 0o755)
}

// Close removes the folder, and lets the next command have it.
func (f *Folder) Close() error {
	return errors.Join(os.RemoveAll(f.whole), f.lock.Close())
}

// lockFolder locks a folder itself: no lock file is left, and the kernel releases
// it when the process dies. A file system that locks no folders, such as NFS, is
// taken to be used by one command at a time.
func lockFolder(ctx context.Context, path string) (*os.File, error) {
	folder, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	locked := make(chan error, 1)
	go func() { locked <- flock(folder) }()
	select {
	case <-ctx.Done():
		return nil, ctx.Err() // folder stays open: who waits for it cannot be woken, and the command ends
	case err := <-locked:
		if err != nil && !errors.Is(err, syscall.EBADF) && !errors.Is(err, errors.ErrUnsupported) {
			folder.Close()
			return nil, fmt.Errorf("lock %s: %w", path, err)
		}
		return folder, nil
	}
}

func flock(f *os.File) error {
	for {
		if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

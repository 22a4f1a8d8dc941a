package editor

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"pistack/secrets/memory"
)

const (
	prefix    = "pisec-edit-" // of every folder's name
	temporary = "tmp"         // folder of temporary files inside
)

// Folder is a folder in memory that only this user can enter. It holds a lock
// on itself, which the kernel releases when the process dies: that is how the
// next one knows which folders are left over.
type Folder struct {
	Path string
	lock *os.File
}

// Parents are the folders that may be in memory: of the session, of the system.
func Parents(getenv func(string) string, uid int) []string {
	parents := []string{"/dev/shm", fmt.Sprintf("/run/user/%d", uid)}
	if dir := getenv("XDG_RUNTIME_DIR"); filepath.IsAbs(dir) {
		parents = append([]string{filepath.Clean(dir)}, parents...)
	}
	return parents
}

// NewFolder makes a folder in the first parent that is in memory, one that is
// never swapped before others, and removes what killed processes left there.
func NewFolder(parents []string) (*Folder, error) { return newFolder(parents, memory.Of) }

func newFolder(parents []string, kindOf func(string) (memory.Kind, error)) (*Folder, error) {
	usable, problems := usable(parents, kindOf)
	for _, parent := range usable {
		sweep(parent)
	}
	for _, parent := range usable {
		f, err := makeIn(parent)
		if err == nil {
			return f, nil
		}
		problems = append(problems, err.Error())
	}
	return nil, noMemory(problems)
}

// usable are the parents in memory, best first, and why the others are not.
func usable(parents []string, kindOf func(string) (memory.Kind, error)) (dirs, problems []string) {
	kinds := map[string]memory.Kind{}
	for _, parent := range parents {
		kind, err := kindOf(parent)
		if err == nil && kind == memory.Disk {
			err = fmt.Errorf("%s is not in memory", parent)
		}
		if err == nil {
			err = trusted(parent)
		}
		if err != nil {
			problems = append(problems, err.Error())
			continue
		}
		kinds[parent] = kind
		dirs = append(dirs, parent)
	}
	slices.SortStableFunc(dirs, func(a, b string) int { return int(kinds[b]) - int(kinds[a]) })
	return dirs, problems
}

// trusted refuses a parent in which somebody else could put another folder in
// the place of ours.
func trusted(dir string) error {
	info, err := os.Stat(dir)
	if err != nil {
		return err
	}
	owner := ownerOf(info)
	if owner != os.Getuid() && owner != 0 {
		return fmt.Errorf("%s belongs to another user", dir)
	}
	if info.Mode().Perm()&0o022 != 0 && info.Mode()&os.ModeSticky == 0 {
		return fmt.Errorf("%s can be changed by other users", dir)
	}
	return nil
}

func ownerOf(info os.FileInfo) int {
	if st, ok := info.Sys().(*syscall.Stat_t); ok {
		return int(st.Uid)
	}
	return -1
}

// makeIn makes a locked folder. A sweep of another process can remove it before
// it is locked; then another one is made.
func makeIn(parent string) (*Folder, error) {
	for range 100 {
		path, err := os.MkdirTemp(parent, prefix) // 0700
		if err != nil {
			return nil, err
		}
		lock, err := lockDir(path)
		if err != nil {
			continue
		}
		f := &Folder{Path: path, lock: lock}
		if err := os.Mkdir(filepath.Join(path, temporary), 0o700); err != nil {
			return nil, errors.Join(err, f.Remove())
		}
		return f, nil
	}
	return nil, fmt.Errorf("%s: every new folder is removed by somebody", parent)
}

// lockDir locks a folder of this user that still has its name.
func lockDir(path string) (*os.File, error) {
	f, err := os.OpenFile(path, os.O_RDONLY|syscall.O_DIRECTORY|syscall.O_NOFOLLOW, 0)
	if err != nil {
		return nil, err
	}
	mine, err := f.Stat()
	if err == nil && ownerOf(mine) != os.Getuid() {
		err = errors.New("belongs to another user")
	}
	if err == nil {
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
	}
	if err == nil {
		there, statErr := os.Lstat(path)
		if statErr != nil || !os.SameFile(mine, there) {
			err = errors.New("was removed")
		}
	}
	if err != nil {
		f.Close()
		return nil, err
	}
	return f, nil
}

// sweep removes the folders of this user whose process has died.
func sweep(parent string) {
	entries, err := os.ReadDir(parent)
	if err != nil {
		return
	}
	for _, e := range entries {
		if !strings.HasPrefix(e.Name(), prefix) {
			continue
		}
		path := filepath.Join(parent, e.Name())
		if lock, err := lockDir(path); err == nil {
			_ = os.RemoveAll(path) // the next sweep tries again
			lock.Close()
		}
	}
}

// Remove removes the folder with all that is in it. It can be called twice.
func (f *Folder) Remove() error {
	if f.lock == nil {
		return nil
	}
	err := os.RemoveAll(f.Path)
	// A child that the editor left behind may be writing, and about to end.
	for range 20 {
		if err == nil {
			break
		}
		time.Sleep(50 * time.Millisecond)
		err = os.RemoveAll(f.Path)
	}
	f.lock.Close()
	f.lock = nil
	if err != nil {
		return &Refusal{Message: "the text could not be removed from memory: " + err.Error(), Fix: "rm -r " + f.Path}
	}
	return nil
}

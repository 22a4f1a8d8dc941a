package secrets

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"syscall"
)

// lockFile keeps two commands from changing secrets at once. It exists only
// while one does; the kernel releases the lock when the process dies.
const lockFile = "hosts/.pisec.lock"

// lock takes the lock or refuses, naming who has it.
func (s Store) lock() (unlock func(), err error) {
	path := s.path(lockFile)
	for {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o644)
		if err != nil {
			return nil, &Error{Message: lockFile, Err: fileReason(err), Fix: "pisec has to be able to write in hosts/: see who owns it"}
		}
		err = syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			defer f.Close()
			return nil, &Error{Message: "secrets of this fleet are being changed by " + holder(f), Fix: "wait for it to end and run this again"}
		}
		if err != nil {
			f.Close()
			return nil, &os.PathError{Op: "flock", Path: lockFile, Err: err}
		}
		if !current(f, path) {
			f.Close() // its holder removed it between our open and our lock
			continue
		}
		if err := sign(f); err != nil {
			f.Close()
			return nil, err
		}
		return func() { os.Remove(path); f.Close() }, nil
	}
}

// sweepLock removes the lock file of a process that was killed. One that is held
// stays.
func (s Store) sweepLock() {
	path := s.path(lockFile)
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return // most often there is none
	}
	defer f.Close()
	if syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB) == nil && current(f, path) {
		os.Remove(path)
	}
}

// current tells whether the path still names the open file.
func current(f *os.File, path string) bool {
	mine, err1 := f.Stat()
	there, err2 := os.Stat(path)
	return err1 == nil && err2 == nil && os.SameFile(mine, there)
}

// sign says in the lock file who holds it.
func sign(f *os.File) error {
	if err := f.Truncate(0); err != nil {
		return err
	}
	_, err := fmt.Fprintf(f, "process %d\n", os.Getpid())
	return err
}

func holder(f *os.File) string {
	text, err := io.ReadAll(io.LimitReader(f, 100))
	if name := strings.TrimSpace(string(text)); err == nil && name != "" {
		return name
	}
	return "another process"
}

package fleet

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// RefuseSymlinks refuses a path of the repository that leads through a symlink:
// what is written or removed there would be so somewhere else. What does not
// exist leads nowhere.
func (f *Fleet) RefuseSymlinks(file string) error {
	for end := 1; end <= len(file); end++ {
		if end < len(file) && file[end] != '/' {
			continue
		}
		part := file[:end]
		info, err := os.Lstat(filepath.Join(f.Root, filepath.FromSlash(part)))
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return nil
		case err != nil:
			return &Problem{File: part, Message: "cannot be read: " + reason(err)}
		case info.Mode()&fs.ModeSymlink != 0:
			return &Problem{
				File: part, Message: "is a symlink: what is written or removed there would be so somewhere else",
				Fix: "keep the folder itself in the repository; to remove the link: rm " + part,
			}
		}
	}
	return nil
}

// refuseLinkedHosts refuses hosts whose folder is elsewhere.
func (f *Fleet) refuseLinkedHosts() []error {
	if err := f.RefuseSymlinks("hosts"); err != nil {
		return []error{err}
	}
	var problems []error
	for _, h := range f.Hosts {
		if err := f.RefuseSymlinks(h.Dir()); err != nil {
			problems = append(problems, err)
		}
	}
	return problems
}

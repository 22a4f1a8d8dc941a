package contexts

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
)

// Bounds of one folder.
const (
	maxFiles = 500_000
	maxBytes = 32 << 30
)

// entry is a file that the builder gets to see.
type entry struct {
	path string // relative to the folder, with slashes
	mode fs.FileMode
	size int64
	sum  [32]byte // of its content, or of its target
}

// walk finds the files of a folder.
type walk struct {
	repository Repository
	dir        string // relative to the root
	ignored    ignores
	entries    []entry
	bytes      int64
}

func (w *walk) file(rel string) string {
	return filepath.Join(w.repository.Root, filepath.FromSlash(w.dir), filepath.FromSlash(rel))
}

func (w *walk) fail(rel, message, fix string) error {
	return &Error{path.Join(w.dir, rel), message, fix}
}

func (w *walk) run(ctx context.Context) error {
	return w.folder(ctx, "", patternmatcher.MatchInfo{})
}

// folder adds what is below rel; parent is what was made out about that folder.
func (w *walk) folder(ctx context.Context, rel string, parent patternmatcher.MatchInfo) error {
	if err := ctx.Err(); err != nil {
		return err
	}
	list, err := os.ReadDir(w.file(rel))
	if err != nil {
		return w.fail(rel, reason(err), "")
	}
	for _, e := range list {
		name := path.Join(rel, e.Name())
		out, info, err := w.ignored.matcher.MatchesUsingParentResults(name, parent)
		if err != nil {
			return w.fail(name, err.Error(), "")
		}
		switch {
		case e.IsDir() && out && !w.ignored.reaches(name):
		case e.IsDir():
			err = w.folder(ctx, name, info)
		case !out:
			err = w.add(name, e)
		}
		if err != nil {
			return err
		}
	}
	return nil
}

func (w *walk) add(name string, e fs.DirEntry) error {
	info, err := e.Info()
	if err != nil {
		return w.fail(name, reason(err), "")
	}
	if t := info.Mode().Type(); t != 0 && t != fs.ModeSymlink {
		return w.fail(name, "is neither a file nor a folder nor a symlink", "remove it, or list it in "+w.ignored.file)
	}
	if isOwn(path.Join(w.dir, name)) {
		return w.refuseOwn(name)
	}
	w.bytes += info.Size()
	w.entries = append(w.entries, entry{path: name, mode: info.Mode(), size: info.Size()})
	if len(w.entries) > maxFiles || w.bytes > maxBytes {
		return &Error{w.dir, fmt.Sprintf("the builder would get to see more than %d files or %d GiB", maxFiles, maxBytes>>30), "list what the image does not need in " + w.ignored.file}
	}
	return nil
}

// checkFolder refuses what is no folder of the repository. Behind a symlink there
// may be anything.
func (r Repository) checkFolder(dir string) error {
	at := ""
	for part := range strings.SplitSeq(dir, "/") {
		at = path.Join(at, part)
		info, err := os.Lstat(filepath.Join(r.Root, filepath.FromSlash(at)))
		switch {
		case err != nil:
			return &Error{at, reason(err), "correct context: in the Compose file"}
		case info.Mode()&fs.ModeSymlink != 0:
			return &Error{at, "is a symlink, and would be built from what it points to", "name the folder itself"}
		case !info.IsDir():
			return &Error{at, "is not a folder", "name a folder as the context"}
		}
	}
	return nil
}

// reason strips operation and absolute path from a file error.
func reason(err error) string {
	var at *fs.PathError
	if errors.As(err, &at) {
		return at.Err.Error()
	}
	return err.Error()
}

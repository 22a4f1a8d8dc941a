package git

import (
	"bytes"
	"io"
	"io/fs"
	pathpkg "path"
	"slices"
	"strings"
	"time"
)

// Open implements fs.FS.
func (r *Revision) Open(name string) (fs.File, error) {
	info, err := r.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		entries, err := r.ReadDir(name)
		return &folder{info: info, entries: entries}, err
	}
	data, err := r.objects.read(info.blob)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	info.size = int64(len(data))
	return &file{Reader: bytes.NewReader(data), info: info}, nil
}

// ReadFile implements fs.ReadFileFS.
func (r *Revision) ReadFile(name string) ([]byte, error) {
	info, err := r.stat("open", name, true)
	if err != nil {
		return nil, err
	}
	if info.IsDir() {
		return nil, &fs.PathError{Op: "read", Path: name, Err: fs.ErrInvalid}
	}
	data, err := r.objects.read(info.blob)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: name, Err: err}
	}
	return slices.Clone(data), nil
}

// Stat implements fs.StatFS.
func (r *Revision) Stat(name string) (fs.FileInfo, error) { return r.sized("stat", name, true) }

// Lstat implements fs.ReadLinkFS.
func (r *Revision) Lstat(name string) (fs.FileInfo, error) { return r.sized("lstat", name, false) }

// ReadLink implements fs.ReadLinkFS.
func (r *Revision) ReadLink(name string) (string, error) {
	e, ok := r.entries[name]
	if !ok || e.mode&fs.ModeSymlink == 0 {
		return "", &fs.PathError{Op: "readlink", Path: name, Err: fs.ErrInvalid}
	}
	data, err := r.objects.read(e.blob)
	return string(data), err
}

// ReadDir implements fs.ReadDirFS.
func (r *Revision) ReadDir(name string) ([]fs.DirEntry, error) {
	if !fs.ValidPath(name) {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrInvalid}
	}
	real, err := r.resolve(name, true)
	if err != nil {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: err}
	}
	children := r.Tracked.children(real)
	if len(children) == 0 && real != "." {
		return nil, &fs.PathError{Op: "readdir", Path: name, Err: fs.ErrNotExist}
	}
	entries := make([]fs.DirEntry, 0, len(children))
	for _, child := range children {
		if !fs.ValidPath(child) {
			continue // not UTF-8: an fs.FS cannot open it
		}
		entries = append(entries, dirEntry{r, pathpkg.Join(real, child), r.info(pathpkg.Join(real, child))})
	}
	return entries, nil
}

// children lists the names right below a folder, sorted.
func (f Files) children(folder string) []string {
	prefix := folder + "/"
	if folder == "." {
		prefix = ""
	}
	var names []string
	at, _ := slices.BinarySearch(f.sorted, prefix)
	for at < len(f.sorted) && strings.HasPrefix(f.sorted[at], prefix) {
		name, _, below := strings.Cut(f.sorted[at][len(prefix):], "/")
		names = append(names, name)
		at++
		if below { // to the end of that folder: "0" follows "/"
			at, _ = slices.BinarySearch(f.sorted, prefix+name+"0")
		}
	}
	slices.Sort(names) // "a.b" stands before "a/b", and "a" before both
	return slices.Compact(names)
}

// stat is what is at a path, without its size.
func (r *Revision) stat(op, name string, follow bool) (info, error) {
	if !fs.ValidPath(name) {
		return info{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrInvalid}
	}
	real, err := r.resolve(name, follow)
	if err != nil {
		return info{}, &fs.PathError{Op: op, Path: name, Err: err}
	}
	found := r.info(real)
	if found.mode.IsDir() && real != "." && len(r.Tracked.Under(real)) == 0 {
		return info{}, &fs.PathError{Op: op, Path: name, Err: fs.ErrNotExist}
	}
	found.name = pathpkg.Base(name)
	return found, nil
}

// info takes what is no file for a folder.
func (r *Revision) info(real string) info {
	if e, ok := r.entries[real]; ok {
		return info{name: pathpkg.Base(real), mode: e.mode, blob: e.blob}
	}
	return info{name: pathpkg.Base(real), mode: fs.ModeDir | 0o755}
}

func (r *Revision) sized(op, name string, follow bool) (fs.FileInfo, error) {
	found, err := r.stat(op, name, follow)
	if err != nil || found.blob == "" {
		return found, err
	}
	found.size, err = r.objects.size(found.blob)
	if err != nil {
		return nil, &fs.PathError{Op: op, Path: name, Err: err}
	}
	return found, nil
}

// info is an fs.FileInfo. A commit keeps no times.
type info struct {
	name string
	mode fs.FileMode
	size int64
	blob string
}

func (i info) Name() string       { return i.name }
func (i info) Size() int64        { return i.size }
func (i info) Mode() fs.FileMode  { return i.mode }
func (i info) ModTime() time.Time { return time.Time{} }
func (i info) IsDir() bool        { return i.mode.IsDir() }
func (i info) Sys() any           { return nil }

type dirEntry struct {
	revision *Revision
	path     string
	info
}

func (d dirEntry) Type() fs.FileMode          { return d.mode.Type() }
func (d dirEntry) Info() (fs.FileInfo, error) { return d.revision.Lstat(d.path) }

// file is an open file, all of which is in memory.
type file struct {
	*bytes.Reader
	info info
}

func (f *file) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *file) Close() error               { return nil }

// folder is an open folder.
type folder struct {
	info    info
	entries []fs.DirEntry
}

func (f *folder) Stat() (fs.FileInfo, error) { return f.info, nil }
func (f *folder) Close() error               { return nil }
func (f *folder) Read([]byte) (int, error) {
	return 0, &fs.PathError{Op: "read", Path: f.info.name, Err: fs.ErrInvalid}
}

// ReadDir implements fs.ReadDirFile.
func (f *folder) ReadDir(n int) ([]fs.DirEntry, error) {
	if n <= 0 {
		n = len(f.entries)
	} else if len(f.entries) == 0 {
		return nil, io.EOF
	}
	n = min(n, len(f.entries))
	first := f.entries[:n]
	f.entries = f.entries[n:]
	return first, nil
}

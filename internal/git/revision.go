package git

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	pathpkg "path"
	"slices"
	"strings"

	"pistack/internal/run"
)

// Revision is a repository's files as a commit has them. It is an fs.FS whose
// files are read when they are opened; nothing is checked out. Symlinks are
// followed as long as they stay inside. Close it after use.
type Revision struct {
	Commit  string // its full name
	Tracked Files  // files and symlinks
	entries map[string]entry
	objects *objects
}

// entry is a file of a commit's tree.
type entry struct {
	mode fs.FileMode // regular, executable, or symlink
	blob string      // object name
}

// Resolve gives the commit that a revision names: a branch, a tag, HEAD~2 …
func Resolve(ctx context.Context, root, revision string) (string, error) {
	out, err := run.Output(ctx, command(root, nil, "rev-parse", "--verify", "--quiet", "--end-of-options", revision+"^{commit}"))
	var failed *run.Error
	if errors.As(err, &failed) && failed.Code == 1 {
		return "", &NoRevision{Name: revision}
	}
	if err != nil {
		return "", explain(root, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// MergeBase gives the commit in which two histories met last. Without one, which
// a shallow clone may be the reason for, it is a *NoMergeBase.
func MergeBase(ctx context.Context, root, a, b string) (string, error) {
	out, err := run.Output(ctx, command(root, nil, "merge-base", a, b))
	var failed *run.Error
	if errors.As(err, &failed) && failed.Code == 1 {
		return "", &NoMergeBase{A: a, B: b}
	}
	if err != nil {
		return "", explain(root, err)
	}
	return strings.TrimSpace(string(out)), nil
}

// OpenRevision lists the files of a commit at and below root.
func OpenRevision(ctx context.Context, root, commit string) (*Revision, error) {
	out, err := run.Output(ctx, command(root, nil, "ls-tree", "-r", "-z", commit))
	if err != nil {
		return nil, explain(root, err)
	}
	r := &Revision{Commit: commit, entries: map[string]entry{}, objects: newObjects(ctx, root)}
	var names []string
	for record := range strings.SplitSeq(string(out), "\x00") {
		name, e, ok := parseEntry(record)
		if !ok {
			continue
		}
		r.entries[name] = e
		names = append(names, name)
	}
	slices.Sort(names)
	r.Tracked = Files{sorted: names}
	return r, nil
}

// parseEntry reads "MODE TYPE OBJECT<tab>PATH". A submodule is no file of this
// repository and left out.
func parseEntry(record string) (string, entry, bool) {
	meta, name, found := strings.Cut(record, "\t")
	fields := strings.Fields(meta)
	if !found || len(fields) != 3 || fields[1] != "blob" {
		return "", entry{}, false
	}
	e := entry{mode: 0o644, blob: fields[2]}
	switch fields[0] {
	case "100755":
		e.mode = 0o755
	case "120000":
		e.mode = fs.ModeSymlink | 0o777
	}
	return name, e, true
}

// Close ends the process that reads objects.
func (r *Revision) Close() error { return r.objects.close() }

// Blob is the object name of a file's content and its mode: files of two
// revisions with the same are the same.
func (r *Revision) Blob(path string) (string, bool) {
	e, ok := r.entries[path]
	return fmt.Sprintf("%s %o", e.blob, e.mode), ok
}

// Symlinks lists the symlinks below a folder, sorted.
func (r *Revision) Symlinks(folder string) []string {
	var links []string
	for _, f := range r.Tracked.Under(folder) {
		if r.entries[f].mode&fs.ModeSymlink != 0 {
			links = append(links, f)
		}
	}
	return links
}

// maxLinks bounds how many symlinks one path may lead through.
const maxLinks = 16

var (
	errEscapes = errors.New("path escapes from the repository")
	errLinks   = errors.New("too many levels of symbolic links")
)

// resolve follows symlinks, of the last element only if last is set.
func (r *Revision) resolve(name string, last bool) (string, error) {
	for range maxLinks {
		link := r.linkIn(name, last)
		if link == "" {
			return name, nil
		}
		target, err := r.ReadLink(link)
		if err != nil {
			return "", err
		}
		rest := strings.TrimPrefix(name[len(link):], "/")
		name = pathpkg.Join(pathpkg.Dir(link), target, rest)
		if pathpkg.IsAbs(target) || !fs.ValidPath(name) {
			return "", errEscapes
		}
	}
	return "", errLinks
}

// linkIn is the first part of a path that is a symlink, or nothing.
func (r *Revision) linkIn(name string, last bool) string {
	if e, known := r.entries[name]; known && (!last || e.mode&fs.ModeSymlink == 0) {
		return ""
	}
	for end := 0; end < len(name); {
		next := strings.IndexByte(name[end+1:], '/')
		if next < 0 {
			next = len(name) - end - 1
		}
		end += next + 1
		if r.entries[name[:end]].mode&fs.ModeSymlink != 0 && (last || end < len(name)) {
			return name[:end]
		}
	}
	return ""
}

// NoRevision says that Git knows no commit of that name.
type NoRevision struct{ Name string }

func (e *NoRevision) Error() string { return fmt.Sprintf("no revision %q", e.Name) }

// Hint says what to type.
func (e *NoRevision) Hint() string {
	if e.Name == "HEAD" {
		return "there is no commit yet: git commit"
	}
	return "name a commit, a branch or a tag that is here; a branch of a remote: git fetch origin, then origin/main"
}

// NoMergeBase says that two revisions have no history in common.
type NoMergeBase struct{ A, B string }

func (e *NoMergeBase) Error() string {
	return fmt.Sprintf("%s and %s have no commit in common", e.A, e.B)
}

// Hint says what to type.
func (e *NoMergeBase) Hint() string { return "a shallow clone knows too little: git fetch --unshallow" }

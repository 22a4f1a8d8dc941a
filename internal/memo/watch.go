package memo

import (
	"bytes"
	"cmp"
	"fmt"
	"io/fs"
	"slices"
	"sync"
)

// watcher stands between a computation and a repository, and takes note of every
// question. It may be used by several goroutines.
type watcher struct {
	under Repository

	mu         sync.Mutex
	files      map[string]captured
	answers    map[question]string
	incomplete bool // something was asked that cannot be noted
}

type question struct {
	kind Kind
	path string
}

func watch(r Repository) *watcher {
	return &watcher{under: r, files: map[string]captured{}, answers: map[question]string{}}
}

func (w *watcher) repository() Repository {
	return Repository{Files: watchedFiles{w}, Tracked: watchedPaths{w}, Ignored: w.ignored}
}

// trace is all that was asked, in a fixed order, and whether it is everything.
func (w *watcher) trace() ([]Observation, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	var all []Observation
	for q, answer := range w.answers {
		all = append(all, Observation{q.kind, q.path, answer})
	}
	slices.SortFunc(all, func(a, b Observation) int { return cmp.Or(cmp.Compare(a.Kind, b.Kind), cmp.Compare(a.Path, b.Path)) })
	return all, !w.incomplete
}

func (w *watcher) note(kind Kind, path, answer string) {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.answers[question{kind, path}] = answer
}

func (w *watcher) cannotNote() {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.incomplete = true
}

// file captures a path once: every later question gets the same answer.
func (w *watcher) file(path string) captured {
	w.mu.Lock()
	defer w.mu.Unlock()
	c, known := w.files[path]
	if known {
		return c
	}
	c = capture(w.under.Files, path)
	w.files[path] = c
	answer, ok := c.answer()
	w.answers[question{kindFile, path}] = answer
	w.incomplete = w.incomplete || !ok
	return c
}

func (w *watcher) ignored(path string) (bool, error) {
	ignored, err := w.under.Ignored(path)
	if err != nil {
		w.cannotNote()
		return ignored, err
	}
	w.note(kindIgnored, path, fmt.Sprint(ignored))
	return ignored, nil
}

// watchedPaths is a PathSet.
type watchedPaths struct{ *watcher }

func (p watchedPaths) Has(path string) bool {
	has := p.watcher.under.Tracked.Has(path)
	p.note(kindTracked, path, fmt.Sprint(has))
	return has
}

func (p watchedPaths) Under(path string) []string {
	paths := p.watcher.under.Tracked.Under(path)
	p.note(kindUnder, path, underAnswer(paths))
	return paths
}

// watchedFiles is an fs.FS with all that package fs makes use of.
type watchedFiles struct{ *watcher }

func (f watchedFiles) Open(path string) (fs.File, error) {
	c := f.file(path)
	if c.infoErr != nil {
		return nil, c.infoErr
	}
	if !c.info.Mode().IsRegular() || c.tooLarge {
		f.cannotNote() // a folder, say, whose names are not known then
		return f.under.Files.Open(path)
	}
	return c.open()
}

func (f watchedFiles) Stat(path string) (fs.FileInfo, error) {
	c := f.file(path)
	return c.info, c.infoErr
}

func (f watchedFiles) Lstat(path string) (fs.FileInfo, error) {
	c := f.file(path)
	return c.linkInfo, c.linkErr
}

func (f watchedFiles) ReadLink(path string) (string, error) {
	c := f.file(path)
	if c.linkErr == nil && c.link == "" {
		f.cannotNote()
		return fs.ReadLink(f.under.Files, path)
	}
	return c.link, c.linkErr
}

func (f watchedFiles) ReadFile(path string) ([]byte, error) {
	c := f.file(path)
	if c.infoErr != nil {
		return nil, c.infoErr
	}
	if !c.info.Mode().IsRegular() || c.tooLarge {
		f.cannotNote()
		return fs.ReadFile(f.under.Files, path)
	}
	return bytes.Clone(c.data), c.dataErr
}

func (f watchedFiles) ReadDir(path string) ([]fs.DirEntry, error) {
	entries, err := fs.ReadDir(f.under.Files, path)
	f.note(kindFolder, path, folderAnswer(entries, err))
	return entries, err
}

package memo

import (
	"cmp"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"time"
)

// maxEntries is how many entries stay, the newest.
const maxEntries = 4000

// Close removes old entries, if there are new ones.
func (s *Store) Close() {
	if s == nil || s.written.Load() == 0 {
		return
	}
	files, err := os.ReadDir(s.dir)
	if err != nil || len(files) <= maxEntries {
		return
	}
	for _, f := range oldest(files, len(files)-maxEntries) {
		_ = os.Remove(filepath.Join(s.dir, f)) // another process may have done it
	}
}

// oldest names the n files that were written first.
func oldest(files []fs.DirEntry, n int) []string {
	type aged struct {
		name string
		at   time.Time
	}
	var all []aged
	for _, f := range files {
		if info, err := f.Info(); err == nil {
			all = append(all, aged{f.Name(), info.ModTime()})
		}
	}
	slices.SortFunc(all, func(a, b aged) int { return cmp.Or(a.at.Compare(b.at), cmp.Compare(a.name, b.name)) })
	var names []string
	for _, f := range all[:min(n, len(all))] {
		names = append(names, f.name)
	}
	return names
}

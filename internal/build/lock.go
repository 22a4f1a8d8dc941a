package build

import (
	"slices"
	"time"

	"pistack/compose/images"
	"pistack/internal/image"
)

// Locks makes the lock files of stacks from what became of their images. What was
// built and not pushed stays as it is locked.
func Locks(stacks []Stack, results []Result, now time.Time) []image.LockFile {
	var files []image.LockFile
	for _, s := range stacks {
		files = append(files, s.lock(results, now))
	}
	return files
}

func (s Stack) lock(results []Result, now time.Time) image.LockFile {
	f := image.LockFile{Stack: s.Name}
	add := func(status image.Status, e images.Entry, previous string) {
		f.Images = append(f.Images, image.Change{Status: status, Entry: e, Previous: previous})
	}
	done := map[string]bool{}
	for _, r := range results {
		if !slices.ContainsFunc(r.Task.Uses, func(u Use) bool { return u.Stack == s.Name }) || r.Digest == "" && len(r.IDs) == 0 {
			continue
		}
		entry := r.entry(now)
		i := slices.IndexFunc(s.Lock, func(e images.Entry) bool { return e.Build == entry.Build })
		switch {
		case i < 0:
			add(image.Added, entry, "")
		case s.Lock[i].Reference == entry.Reference && s.Lock[i].Digest == entry.Digest && slices.Equal(s.Lock[i].IDs, entry.IDs):
			add(image.Unchanged, s.Lock[i], "")
		default:
			add(image.Updated, entry, contentOf(s.Lock[i]))
		}
		done[entry.Build] = true
	}
	for _, e := range s.Lock {
		switch forgotten := e.Build != "" && s.Keys != nil && !slices.Contains(s.Keys, e.Build); {
		case forgotten:
			add(image.Removed, e, "")
		case !done[e.Build]:
			add(image.Unchanged, e, "")
		}
	}
	return f
}

func (r Result) entry(now time.Time) images.Entry {
	return images.Entry{
		Reference: r.Task.Reference, Digest: r.Digest, IDs: r.IDs, Platforms: r.Task.Platforms,
		Date: now.UTC().Format(time.RFC3339), Build: r.Task.Recipe.Key(),
	}
}

// contentOf says what an entry stands for.
func contentOf(e images.Entry) string {
	if len(e.IDs) > 0 {
		return e.IDs[0]
	}
	return e.Digest
}

package image

import (
	"fmt"
	"maps"
	"slices"
	"time"

	"pistack/compose"
	"pistack/compose/images"
)

// Stack is a stack whose images are to be locked.
type Stack struct {
	Name string
	Uses []images.Use // sorted by reference
	Keys []string     // of what is built for it, see images.Recipe
	Lock images.Lock  // what its lock file says now
}

// Mode says what happens to references that a lock file has already.
type Mode string

// Keep leaves them alone, Update looks them up again, and Compare does so with
// as little traffic as it takes to see whether they changed.
const (
	Keep    Mode = "keep"
	Update  Mode = "update"
	Compare Mode = "compare"
)

// Plan says which images have to be looked up.
type Plan struct {
	Requests []Request // sorted by reference
	stacks   []Stack
	mode     Mode
}

// NewPlan plans new lock files for stacks.
func NewPlan(stacks []Stack, mode Mode) Plan {
	requests := map[string]Request{}
	for _, s := range stacks {
		for _, u := range s.Uses {
			entry, locked := s.Lock.Find(u.Reference)
			if locked && mode == Keep {
				continue
			}
			q := requests[u.Reference]
			q.Reference = u.Reference
			if locked && mode == Compare {
				q.Known = append(q.Known, Image{entry.Digest, entry.Platforms})
			}
			requests[u.Reference] = q
		}
	}
	p := Plan{stacks: stacks, mode: mode}
	for _, reference := range slices.Sorted(maps.Keys(requests)) {
		p.Requests = append(p.Requests, requests[reference])
	}
	return p
}

// Failure is an image that could not be looked up, at a place that names it.
type Failure struct {
	Place     compose.Position
	Reference string
	Err       error
}

func (f *Failure) Error() string {
	return fmt.Sprintf("%s:%d:%d: image %s: %v", f.Place.File, f.Place.Line, f.Place.Column, compose.Redact(f.Reference), f.Err)
}

func (f *Failure) Unwrap() error { return f.Err }

// Finish makes lock files of what was found; results are those of Requests. An
// image that was not found is a failure for each place that names it, and then
// there are no lock files. Entries keep their date while their digest stays.
func (p Plan) Finish(results []Result, now time.Time) ([]LockFile, []*Failure) {
	found := map[string]Result{}
	for i, q := range p.Requests {
		found[q.Reference] = results[i]
	}
	var files []LockFile
	var failures []*Failure
	for _, s := range p.stacks {
		f := LockFile{Stack: s.Name}
		for _, u := range s.Uses {
			old, locked := s.Lock.Find(u.Reference)
			result, asked := found[u.Reference]
			switch {
			case locked && (p.mode == Keep || !asked):
				f.add(Unchanged, old, "")
			case result.Err != nil:
				for _, place := range u.Places {
					failures = append(failures, &Failure{place, u.Reference, result.Err})
				}
			default:
				f.found(old, locked, u.Reference, result.Image, now)
			}
		}
		f.dropUnused(s)
		files = append(files, f)
	}
	if len(failures) > 0 {
		return nil, failures
	}
	return files, nil
}

// LockFile is a stack's lock file as it should be.
type LockFile struct {
	Stack  string
	Images []Change // sorted by reference, removed ones last
}

// Change is what happens to an image of a lock file.
type Change struct {
	Status   Status
	Entry    images.Entry
	Previous string // the digest before, for Updated
}

// Status is what happens to an entry.
type Status string

// What can happen.
const (
	Unchanged Status = "unchanged"
	Added     Status = "added"
	Updated   Status = "updated"
	Removed   Status = "removed"
)

func (f *LockFile) add(status Status, e images.Entry, previous string) {
	f.Images = append(f.Images, Change{status, e, previous})
}

// found adds an image as it was just looked up.
func (f *LockFile) found(old images.Entry, locked bool, reference string, image Image, now time.Time) {
	entry := images.Entry{Reference: reference, Digest: image.Digest, Platforms: image.Platforms, Date: now.UTC().Format(time.RFC3339)}
	if locked && old.Digest == entry.Digest {
		entry.Date = old.Date
	}
	switch {
	case !locked:
		f.add(Added, entry, "")
	case old.Digest != entry.Digest || !slices.Equal(old.Platforms, entry.Platforms):
		f.add(Updated, entry, old.Digest)
	default:
		f.add(Unchanged, old, "")
	}
}

func (f *LockFile) dropUnused(s Stack) {
	for _, e := range s.Lock {
		switch used := e.UsedBy(s.Uses, s.Keys); {
		case !used:
			f.add(Removed, e, "")
		case e.Build != "":
			f.add(Unchanged, e, "") // pistack build is for these
		}
	}
}

// Changed tells whether the file would be written.
func (f LockFile) Changed() bool {
	return slices.ContainsFunc(f.Images, func(c Change) bool { return c.Status != Unchanged })
}

// Lock is the new content.
func (f LockFile) Lock() images.Lock {
	var lock images.Lock
	for _, c := range f.Images {
		if c.Status != Removed {
			lock = append(lock, c.Entry)
		}
	}
	return lock
}

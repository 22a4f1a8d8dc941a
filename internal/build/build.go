// Package build builds the images of stacks with the user's Docker, pushes them
// to their registry, or copies them to hosts over ssh.
//
// # The tag says what is inside
//
// The tag of an image is a hash of its recipe, of every file that the builder gets
// to see, and of its platforms. So an image whose tag exists needs no build, on
// whichever machine it was made; and the lock file names the tag with the digest
// that came of it.
//
// # One platform at a time
//
// Docker's ordinary builder keeps images of one platform, and only other
// builders, which people would have to set up, push several as one. So each
// platform is built by itself, by whatever builder the user has chosen, and loaded
// into the user's engine: that works with all of them. The index over the
// platforms is made and pushed here, by the same bounded client that asks
// registries for digests. It is pushed last: a push that was cut short has no tag.
//
// # Secrets
//
// A build secret reaches the builder by the name of a variable or a file. No
// value of it, and no credential of a registry, is an argument or is printed.
package build

import (
	"cmp"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"slices"
	"strings"

	"pistack/compose"
	"pistack/compose/images"
)

// Error is what keeps an image from being built, pushed or copied.
type Error struct {
	Message string
	Fix     string // what to do; may be empty
	Err     error  // may be nil
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do.
func (e *Error) Hint() string { return e.Fix }

// Tag is that of an image: of the hash of everything that it is made of, see
// contexts.Hash, and of its platforms, sorted.
func Tag(hash string, platforms []string) string {
	sum := sha256.Sum256([]byte(hash + "\n" + strings.Join(platforms, "\n")))
	return hex.EncodeToString(sum[:16])
}

// Stack is a stack whose images are to be built.
type Stack struct {
	Name   string
	Builds []images.Build // for the chosen hosts
	Keys   []string       // of all hosts: entries of other recipes are forgotten; nil to forget none
	Lock   images.Lock
}

// Use is a service that runs an image.
type Use struct{ Stack, Service string }

// Task is an image that some services need.
type Task struct {
	Uses      []Use            // sorted
	Place     compose.Position // of one of them
	Recipe    images.Recipe
	Means     images.Means
	Hash      string   // see contexts.Hash
	Platforms []string // sorted
	Reference string   // with its tag
	Locked    images.Entry
}

// Title names a task for people.
func (t Task) Title() string {
	var names []string
	for _, u := range t.Uses {
		names = append(names, u.Stack+"/"+u.Service)
	}
	return strings.Join(names, ", ")
}

// Local tells whether the image goes to hosts over ssh.
func (t Task) Local() bool { return images.IsLocal(t.Reference) }

// IsLocked tells whether the lock files have this very image.
func (t Task) IsLocked() bool { return t.Locked.Reference == t.Reference }

// Plan lists the images of stacks, each once, sorted by name. hashes are those of
// the recipes, by key. Platforms that the lock has of unchanged files stay.
func Plan(stacks []Stack, hashes map[string]string) []Task {
	tasks := map[string]*Task{}
	for _, s := range stacks {
		for _, b := range s.Builds {
			key := b.Recipe.Key()
			if tasks[key] == nil {
				tasks[key] = &Task{Place: b.Place, Recipe: b.Recipe, Means: b.Means, Hash: hashes[key]}
			}
			t := tasks[key]
			t.Uses = append(t.Uses, Use{s.Name, b.Service})
			t.Platforms = append(t.Platforms, b.Platform)
			t.Platforms = append(t.Platforms, unchanged(s.Lock, key, hashes[key]).Platforms...)
		}
	}
	var all []Task
	for _, key := range slices.Sorted(maps.Keys(tasks)) {
		t := tasks[key]
		t.Uses = sortedUses(t.Uses)
		slices.Sort(t.Platforms)
		t.Platforms = slices.Compact(t.Platforms)
		t.Reference = t.Recipe.Image + ":" + Tag(t.Hash, t.Platforms)
		t.Locked = lockedBy(stacks, *t)
		all = append(all, *t)
	}
	slices.SortStableFunc(all, func(a, b Task) int { return cmp.Compare(a.Title(), b.Title()) })
	return all
}

func sortedUses(uses []Use) []Use {
	slices.SortFunc(uses, func(a, b Use) int { return cmp.Or(cmp.Compare(a.Stack, b.Stack), cmp.Compare(a.Service, b.Service)) })
	return slices.Compact(uses)
}

// unchanged is the entry of a recipe whose files are still those that it was
// built from; an empty one for none.
func unchanged(lock images.Lock, key, hash string) images.Entry {
	for _, e := range lock {
		if e.Build == key && Current(e, hash) {
			return e
		}
	}
	return images.Entry{}
}

// Current tells whether an entry is of files with this hash.
func Current(e images.Entry, hash string) bool {
	return e.Reference == images.Repository(e.Reference)+":"+Tag(hash, e.Platforms)
}

// lockedBy is the entry that every stack of a task has; an empty one where one
// lacks it, or has another content.
func lockedBy(stacks []Stack, t Task) images.Entry {
	var found images.Entry
	for _, s := range stacks {
		if !slices.ContainsFunc(t.Uses, func(u Use) bool { return u.Stack == s.Name }) {
			continue
		}
		e, locked := s.Lock.Find(t.Reference)
		same := found.Reference == "" || found.Digest == e.Digest && slices.Equal(found.IDs, e.IDs)
		if !locked || e.Build != t.Recipe.Key() || !same {
			return images.Entry{}
		}
		found = e
	}
	return found
}

// Recipes lists the recipes of stacks, each once, by key.
func Recipes(stacks []Stack) map[string]images.Recipe {
	recipes := map[string]images.Recipe{}
	for _, s := range stacks {
		for _, b := range s.Builds {
			recipes[b.Recipe.Key()] = b.Recipe
		}
	}
	return recipes
}

// short is enough of a digest or a hash to tell two apart.
func short(text string) string {
	text = strings.TrimPrefix(text, "sha256:")
	return text[:min(len(text), 12)]
}

// localTag is what an image of one platform is called in the user's engine.
func (t Task) localTag(platform string) string {
	return fmt.Sprintf("%s-%s", t.Reference, strings.ReplaceAll(platform, "/", "-"))
}

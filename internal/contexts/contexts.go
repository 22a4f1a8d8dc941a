// Package contexts hashes what an image is built from: the Dockerfile, and the
// files that the builder gets to see. Equal hashes mean that there is nothing to
// build.
//
// # The same on every machine
//
// What counts of a file is its path, its content, and whether it can be executed:
// what Git keeps. Times, owners and other permission bits do not; of a symlink its
// target counts, and it is not followed. Empty folders do not count.
//
// # What Git tracks
//
// Docker sends whatever lies in the folder and .dockerignore does not list. A
// file among it that Git does not track would be in the image of one machine and
// not in that of another, so it is refused: either it is listed, or it is
// committed. The rules of .dockerignore are those of BuildKit, by its own library.
//
// # Bounds
//
// Number and size of the files are bounded, each file is read once and streamed,
// and everything ends with its context. What is no regular file is refused.
package contexts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"pistack/compose/images"
)

// Error is a file that keeps an image from being built, or its hash from being
// that of every machine.
type Error struct {
	File    string // relative to the repository's root
	Message string
	Fix     string // what to do; may be empty
}

func (e *Error) Error() string { return e.File + ": " + e.Message }

// Hint says what to do.
func (e *Error) Hint() string { return e.Fix }

// Repository is where the files are.
type Repository struct {
	Root    string                 // absolute path
	Tracked func(path string) bool // whether Git tracks this very file
}

// Hash is that of everything that a recipe's image is made of: 64 hex digits. Its
// error is an *Error, or that of ctx.
func Hash(ctx context.Context, r Repository, recipe images.Recipe) (string, error) {
	sum := sha256.New()
	fmt.Fprintf(sum, "pistack build 1\n%s\n", recipe.Key())
	own := ""
	if recipe.Inline == "" {
		dockerfile, err := r.dockerfile(recipe.Dockerfile)
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "dockerfile %s\n", dockerfile)
		own = recipe.Dockerfile + ".dockerignore"
	}
	whole, err := r.folder(ctx, recipe.Context, own)
	if err != nil {
		return "", err
	}
	fmt.Fprintf(sum, "context %s\n", whole)
	for _, name := range slices.Sorted(maps.Keys(recipe.Folders)) {
		part, err := r.folder(ctx, recipe.Folders[name], "")
		if err != nil {
			return "", err
		}
		fmt.Fprintf(sum, "folder %q %s\n", name, part)
	}
	return hex.EncodeToString(sum.Sum(nil)), nil
}

// folder hashes what a builder gets to see of a folder. own is the ignore file
// that goes before the folder's own; it need not exist.
func (r Repository) folder(ctx context.Context, dir, own string) (string, error) {
	if err := r.checkFolder(dir); err != nil {
		return "", err
	}
	ignored, err := r.ignores(dir, own)
	if err != nil {
		return "", err
	}
	w := walk{repository: r, dir: dir, ignored: ignored}
	if err := w.refuseLock(); err != nil {
		return "", err
	}
	if err := w.run(ctx); err != nil {
		return "", err
	}
	if err := w.refuseUntracked(ignored.file); err != nil {
		return "", err
	}
	if err := w.hash(ctx); err != nil {
		return "", err
	}
	return w.sum(), nil
}

// refuseLock refuses the folder of a stack that does not leave out the stack's lock
// file, also before there is one.
func (w *walk) refuseLock() error {
	if path.Dir(w.dir) != "stacks" {
		return nil
	}
	if out, err := w.ignored.matcher.MatchesOrParentMatches(images.File); err != nil || out {
		return err
	}
	return w.refuseOwn(images.File)
}

// refuseOwn refuses what pistack writes once an image is built: the image would
// never be up to date.
func (w *walk) refuseOwn(rel string) error {
	return w.fail(rel, "the builder would get to see it, and it changes with every build", "list "+rel+" in "+w.ignored.file)
}

// isOwn tells whether a file of the repository is such a one.
func isOwn(file string) bool {
	lock, _ := path.Match("stacks/*/"+images.File, file)
	generated, _ := path.Match("hosts/*/generated/*", file)
	return lock || generated
}

// refuseUntracked names some of the files that Git does not track.
func (w *walk) refuseUntracked(ignoreFile string) error {
	var wrong []string
	for _, e := range w.entries {
		if file := path.Join(w.dir, e.path); !w.repository.Tracked(file) {
			wrong = append(wrong, file)
		}
	}
	if len(wrong) == 0 {
		return nil
	}
	slices.Sort(wrong)
	message := "the builder would get to see it, and Git does not track it"
	if more := wrong[1:]; len(more) > 0 {
		message += fmt.Sprintf("; nor %s", strings.Join(more[:min(len(more), 3)], ", "))
		if len(more) > 3 {
			message += fmt.Sprintf(" and %d more", len(more)-3)
		}
	}
	return &Error{wrong[0], message, "git add what belongs into the image, and list the rest in " + ignoreFile}
}

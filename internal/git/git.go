// Package git asks Git about a fleet repository: which files it tracks. A flake
// sees only those, so generated files and deploys depend on it.
package git

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"pistack/internal/run"
)

// Files is a set of paths relative to the repository's root, with slashes.
type Files struct{ sorted []string }

// Has tells whether the set holds this very file.
func (f Files) Has(path string) bool {
	_, found := slices.BinarySearch(f.sorted, path)
	return found
}

// Under lists the files below a folder, sorted.
func (f Files) Under(folder string) []string {
	prefix := strings.TrimSuffix(folder, "/") + "/"
	start, _ := slices.BinarySearch(f.sorted, prefix)
	end := start
	for end < len(f.sorted) && strings.HasPrefix(f.sorted[end], prefix) {
		end++
	}
	return f.sorted[start:end]
}

// Tree is what Git knows of a work tree.
type Tree struct {
	Tracked   Files // in the index
	Untracked Files // neither in the index nor ignored
}

// Read asks Git about the work tree at root.
func Read(ctx context.Context, root string) (Tree, error) {
	tracked, err := list(ctx, root, "--cached")
	if err != nil {
		return Tree{}, err
	}
	untracked, err := list(ctx, root, "--others", "--exclude-standard")
	return Tree{Tracked: tracked, Untracked: untracked}, err
}

func list(ctx context.Context, root string, which ...string) (Files, error) {
	argv := append([]string{"git", "-C", root, "ls-files", "-z"}, which...)
	out, err := run.Output(ctx, run.Command{Argv: argv})
	if err != nil {
		return Files{}, explain(root, err)
	}
	files := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	slices.Sort(files)
	return Files{sorted: slices.Compact(files)}, nil
}

// NotARepository says that the fleet is not in Git.
type NotARepository struct{ Root string }

func (e *NotARepository) Error() string { return e.Root + " is not a Git repository" }

// Hint says what to type.
func (e *NotARepository) Hint() string {
	return fmt.Sprintf("flakes see only what Git tracks: git -C %s init && git -C %s add .", e.Root, e.Root)
}

func explain(root string, err error) error {
	var failed *run.Error
	if errors.As(err, &failed) && strings.Contains(strings.Join(failed.Last, " "), "not a git repository") {
		return &NotARepository{Root: root}
	}
	if errors.As(err, &failed) && len(failed.Last) > 0 {
		return fmt.Errorf("%w: %s", err, strings.Join(failed.Last, " "))
	}
	return err
}

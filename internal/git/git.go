// Package git asks Git about a fleet repository: which files it tracks. A flake
// sees only those, so generated files and deploys depend on it.
package git

import (
	"context"
	"errors"
	"fmt"
	"io"
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
	Tracked Files // in the index
	ignores *ignores
}

// Read asks Git about the work tree at root. Close the result after use.
func Read(ctx context.Context, root string) (Tree, error) {
	out, err := run.Output(ctx, command(root, nil, "ls-files", "-z", "--cached"))
	if err != nil {
		return Tree{}, explain(root, err)
	}
	files := strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })
	slices.Sort(files)
	return Tree{Tracked: Files{sorted: slices.Compact(files)}, ignores: newIgnores(ctx, root)}, nil
}

// Ignored tells whether a .gitignore of the repository lists a path, which need
// not exist. What only this workstation ignores (core.excludesFile,
// .git/info/exclude) does not count: everybody has to come to the same answer.
func (t Tree) Ignored(path string) (bool, error) { return t.ignores.ask(path) }

// Close ends the process that Ignored asks.
func (t Tree) Close() error { return t.ignores.close() }

// command is Git at root. Git sets variables for its hooks that would send it
// to another repository, and others change what a pathspec means; they do not count.
func command(root string, stdin io.Reader, args ...string) run.Command {
	return run.Command{
		Argv: append([]string{"git", "-C", root}, args...),
		Unset: []string{
			"GIT_DIR", "GIT_WORK_TREE", "GIT_INDEX_FILE", "GIT_COMMON_DIR", "GIT_OBJECT_DIRECTORY", "GIT_NAMESPACE", "GIT_PREFIX",
			"GIT_LITERAL_PATHSPECS", "GIT_GLOB_PATHSPECS", "GIT_NOGLOB_PATHSPECS", "GIT_ICASE_PATHSPECS",
		},
		Stdin: stdin,
	}
}

// NotARepository says that the fleet is not in Git.
type NotARepository struct{ Root string }

func (e *NotARepository) Error() string { return e.Root + " is not a Git repository" }

// Hint says what to type.
func (e *NotARepository) Hint() string {
	return fmt.Sprintf("flakes see only what Git tracks: git -C %[1]s init && git -C %[1]s add .", run.Quote(e.Root))
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

package git

import (
	"context"
	"slices"
	"strings"

	"pistack/internal/run"
)

// FilesOf makes a set of paths.
func FilesOf(paths []string) Files {
	sorted := slices.Clone(paths)
	slices.Sort(sorted)
	return Files{sorted: slices.Compact(sorted)}
}

// All lists the set, sorted.
func (f Files) All() []string { return f.sorted }

// Differ lists the paths at which two revisions are not the same.
func (r *Revision) Differ(other *Revision) Files {
	var paths []string
	for name, e := range r.entries {
		if other.entries[name] != e {
			paths = append(paths, name)
		}
	}
	for name := range other.entries {
		if _, known := r.entries[name]; !known {
			paths = append(paths, name)
		}
	}
	return FilesOf(paths)
}

// DifferFromTree lists the paths at which the work tree is not as a commit has
// it. Of a folder that Git knows nothing of it lists the name, with a slash.
func DifferFromTree(ctx context.Context, root, commit string) (Files, error) {
	var paths []string
	for _, args := range [][]string{
		{"diff", "--name-only", "-z", "--no-renames", "--no-ext-diff", "--no-textconv", "--relative", "--ignore-submodules=all", commit, "--"},
		{"ls-files", "-z", "--others", "--directory"},
	} {
		out, err := run.Output(ctx, command(root, nil, args...))
		if err != nil {
			return Files{}, explain(root, err)
		}
		paths = append(paths, strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 })...)
	}
	return FilesOf(paths), nil
}

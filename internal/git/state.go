package git

import (
	"context"
	"strings"

	"pistack/internal/run"
)

// State is where a work tree is.
type State struct {
	Commit string // of HEAD; "" before the first one
	Dirty  bool   // files that Git tracks differ from it
}

// ReadState tells where the work tree at root is. Files that Git does not track
// count for nothing: a flake does not see them either.
func ReadState(ctx context.Context, root string) (State, error) {
	out, err := run.Output(ctx, command(root, nil, "status", "--porcelain=v2", "--branch", "--untracked-files=no"))
	if err != nil {
		return State{}, err
	}
	return parseState(string(out)), nil
}

// parseState reads lines "# NAME VALUE" about the branch, and one for each file
// that differs.
func parseState(text string) State {
	var s State
	for line := range strings.Lines(text) {
		line = strings.TrimSuffix(line, "\n")
		if commit, ok := strings.CutPrefix(line, "# branch.oid "); ok && commit != "(initial)" {
			s.Commit = commit
		}
		s.Dirty = s.Dirty || line != "" && !strings.HasPrefix(line, "# ")
	}
	return s
}

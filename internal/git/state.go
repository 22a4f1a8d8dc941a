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
	out, err := run.Output(ctx, command(root, nil, "status", "--porcelain", "--untracked-files=no"))
	if err != nil {
		return State{}, err
	}
	s := State{Dirty: strings.TrimSpace(string(out)) != ""}
	out, err = run.Output(ctx, command(root, nil, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"))
	if err == nil {
		s.Commit = strings.TrimSpace(string(out))
	}
	return s, ctx.Err()
}

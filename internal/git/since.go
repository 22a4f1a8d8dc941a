package git

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	"pistack/internal/run"
)

// Count is how many commits to has that from has not. With paths, relative to
// root, only those count that touch one of them.
func Count(ctx context.Context, root, from, to string, paths []string) (int, error) {
	args := []string{"--literal-pathspecs", "rev-list", "--count", "--end-of-options", from + ".." + to, "--"}
	out, err := run.Output(ctx, command(root, nil, append(args, paths...)...))
	if err != nil {
		return 0, explain(root, err)
	}
	n, err := strconv.Atoi(strings.TrimSpace(string(out)))
	if err != nil {
		return 0, &Malformed{What: fmt.Sprintf("number of commits %.40q", out)}
	}
	return n, nil
}

// Edited lists the tracked files at and below root that differ from HEAD,
// relative to root; with paths, only those at and below one of them.
func Edited(ctx context.Context, root string, paths []string) ([]string, error) {
	args := []string{"--literal-pathspecs", "diff", "--name-only", "-z", "--relative", "--no-renames", "--no-ext-diff", "HEAD", "--"}
	out, err := run.Output(ctx, command(root, nil, append(args, paths...)...))
	if err != nil {
		return nil, explain(root, err)
	}
	return strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }), nil
}

package git

import (
	"context"
	"errors"

	"pistack/internal/run"
)

// Inside tells whether a folder that exists is in the work tree of a repository.
func Inside(ctx context.Context, dir string) (bool, error) {
	_, err := Prefix(ctx, dir)
	var none *NotARepository
	if errors.As(err, &none) {
		return false, nil
	}
	return err == nil, err
}

// Init makes a folder the root of a new repository. Its branch is main whatever this
// workstation is set to: workflows name it.
func Init(ctx context.Context, dir string) error {
	_, err := run.Output(ctx, command(dir, nil, "init", "--quiet", "--initial-branch=main"))
	return explain(dir, err)
}

// Add puts files, given relative to root, into the index: also those that an
// ignore list of this workstation names, such as .env.
func Add(ctx context.Context, root string, paths []string) error {
	_, err := run.Output(ctx, command(root, nil, append([]string{"add", "--force", "--"}, paths...)...))
	return explain(root, err)
}

package git

import (
	"context"
	"errors"
	"strings"

	"pistack/internal/run"
)

// Prefix is where root stands in its work tree, with a slash at the end; "" for
// the top folder itself.
func Prefix(ctx context.Context, root string) (string, error) {
	out, err := run.Output(ctx, command(root, nil, "rev-parse", "--show-prefix"))
	if err != nil {
		return "", explain(root, err)
	}
	return strings.TrimSuffix(string(out), "\n"), nil
}

// LocalConfig reads a setting of the repository's own configuration. Of several
// values the last one counts.
func LocalConfig(ctx context.Context, root, key string) (value string, set bool, err error) {
	out, err := run.Output(ctx, command(root, nil, "config", "--local", "-z", "--get", key))
	if exited(err, 1) {
		return "", false, nil
	}
	if err != nil {
		return "", false, explain(root, err)
	}
	return strings.TrimSuffix(string(out), "\x00"), true, nil
}

// SetLocalConfig gives a setting one value, in the place of all it had.
func SetLocalConfig(ctx context.Context, root, key, value string) error {
	_, err := run.Output(ctx, command(root, nil, "config", "--local", "--replace-all", key, value))
	return explain(root, err)
}

// UnsetLocalConfig removes a setting, if it is there.
func UnsetLocalConfig(ctx context.Context, root, key string) error {
	_, err := run.Output(ctx, command(root, nil, "config", "--local", "--unset-all", key))
	if exited(err, 5) {
		return nil
	}
	return explain(root, err)
}

func exited(err error, code int) bool {
	var failed *run.Error
	return errors.As(err, &failed) && failed.Code == code
}

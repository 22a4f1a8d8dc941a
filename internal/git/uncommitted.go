package git

import (
	"context"
	"strings"

	"pistack/internal/run"
)

// Uncommitted lists the files of a folder that are not in the last commit as they
// are: edited, staged, or unknown and not ignored. Files that were removed do not
// count: the commit has them.
func Uncommitted(ctx context.Context, root, folder string) ([]string, error) {
	out, err := run.Output(ctx, command(root, nil, "status", "--porcelain=v1", "-z", "--no-renames", "--untracked-files=all", "--", folder))
	if err != nil {
		return nil, explain(root, err)
	}
	var files []string
	for _, record := range strings.FieldsFunc(string(out), func(r rune) bool { return r == 0 }) {
		if len(record) < 4 || strings.Trim(record[:2], "D ") == "" {
			continue
		}
		files = append(files, record[3:])
	}
	return files, nil
}

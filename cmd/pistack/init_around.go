package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/run"
)

// lookAround refuses a place inside another fleet, and says it when the files of
// the new one go into a repository that is there already. A folder that is a
// repository of its own can be anywhere.
func lookAround(c *ucli.Context, dir string) error {
	if _, err := os.Lstat(filepath.Join(dir, ".git")); err == nil {
		return nil
	}
	alone := "git init " + strings.TrimSpace(run.Quote(c.Args().First()))
	if root, err := fleet.FindRoot(dir); err == nil {
		return &fleet.Problem{
			Message: fmt.Sprintf("%s is inside the fleet %s", dir, root),
			Fix:     "go on in that fleet: pistack host add, pistack stack add; or name a folder elsewhere; or make this one a repository of its own: " + alone,
		}
	}
	if top := repositoryAround(c.Context, dir); top != "" {
		fmt.Fprintf(c.App.ErrWriter, "note: the files go into the Git repository %s; for one of its own, before this: %s\n", top, alone)
	}
	return nil
}

// repositoryAround is the top folder of the repository that a folder, which need
// not exist, would be in; or nothing.
func repositoryAround(ctx context.Context, dir string) string {
	for {
		if info, err := os.Stat(dir); err == nil && info.IsDir() {
			break
		}
		dir = filepath.Dir(dir)
	}
	prefix, err := git.Prefix(ctx, dir)
	if err != nil {
		return "" // none, or said when Git is told of the files
	}
	for range strings.Count(prefix, "/") {
		dir = filepath.Dir(dir)
	}
	return dir
}

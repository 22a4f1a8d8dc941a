package main

import (
	"context"
	"fmt"
	"os"
	"path"
	"path/filepath"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/readers"
	"pistack/secrets"
)

func hostRetireCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "retire",
		Usage:     "remove a host, its secrets and generated files, and list what it knows",
		ArgsUsage: "HOST",
		Description: `Removes the files below hosts/HOST that Git tracks; all of them stay in its history.
Files that were edited since the last commit, or that Git does not know, keep the
command from doing anything; with --force edits are lost, and unknown files stay.

The machine itself is not touched: it keeps running, with its secrets, until you
switch it off. It is told first which of its values others use, too, and which only
that machine knows.

Examples:
  pistack host retire rpi-box-03 --dry-run
  pistack host retire rpi-box-03`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "force", Usage: "even if files were edited since the last commit, or are unknown to Git"},
			cli.DryRunFlag(),
			cli.YesFlag(),
		},
		BashComplete: cli.CompleteHosts,
		Action:       retireHost,
	}
}

func retireHost(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 1, 1)
	if err != nil {
		return err
	}
	files, err := retiring(c.Context, f, host, c.Bool("force"))
	if err != nil {
		return err
	}
	for _, file := range files {
		fmt.Fprintf(c.App.Writer, "- %s\n", file)
	}
	if old, err := host.PublicKey(); err == nil { // without a key it could read nothing
		if err := readers.PrintKnown(c.Context, c.App.Writer, f, old, host.Name); err != nil {
			return err
		}
	}
	if c.Bool("dry-run") {
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Remove %s and %s?", host.Name, cli.Count(len(files), "file"))); err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	err = secrets.Store{Root: f.Root}.Alone(func() error {
		now, err := retiring(c.Context, f, host, c.Bool("force"))
		if err == nil && !slices.Equal(now, files) {
			err = &fleet.Problem{File: host.Dir(), Message: "its files have changed meanwhile", Fix: "nothing was removed; run this again"}
		}
		if err != nil {
			return err
		}
		return removeHost(f.Root, host, files)
	})
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "removed %s\n", host.Name)
	if _, err := os.Lstat(imageOf(f, host)); err == nil {
		fmt.Fprintf(c.App.ErrWriter, "note: %s still holds its private key: remove it\n", shown(imageOf(f, host)))
	}
	fmt.Fprintf(c.App.ErrWriter, "next: git add -A hosts/%s && git commit; then switch the machine off and wipe its card\n", host.Name)
	return nil
}

// retiring lists the files to remove, host.toml last: until it is gone, the same
// command can be given again.
func retiring(ctx context.Context, f *fleet.Fleet, host fleet.Host, force bool) ([]string, error) {
	tree, err := git.Read(ctx, f.Root)
	if err != nil {
		return nil, err
	}
	defer tree.Close()
	changed, err := git.Uncommitted(ctx, f.Root, host.Dir())
	if err != nil {
		return nil, err
	}
	if len(changed) > 0 && !force {
		return nil, &fleet.Problem{Message: fmt.Sprintf("%s: not in the last commit as it is", strings.Join(changed, ", ")),
			Fix: "commit or remove it first, so that it can be found again; or say --force"}
	}
	var files []string
	for _, file := range tree.Tracked.Under(host.Dir()) {
		if err := f.RefuseSymlinks(path.Dir(file)); err != nil {
			return nil, err
		}
		if _, err := os.Lstat(filepath.Join(f.Root, file)); err == nil && file != host.File() {
			files = append(files, file)
		}
	}
	return append(files, host.File()), nil
}

// removeHost removes files, and the folders that are empty then.
func removeHost(root string, host fleet.Host, files []string) error {
	var folders []string
	for _, file := range files {
		if err := os.Remove(filepath.Join(root, file)); err != nil {
			return err
		}
		for dir := filepath.Dir(file); strings.HasPrefix(dir, host.Dir()); dir = filepath.Dir(dir) {
			if !slices.Contains(folders, dir) {
				folders = append(folders, dir)
			}
		}
	}
	slices.SortFunc(folders, func(a, b string) int { return len(b) - len(a) })
	for _, dir := range folders {
		_ = os.Remove(filepath.Join(root, dir)) // only what is empty
	}
	return nil
}

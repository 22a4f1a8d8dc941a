package main

import (
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/secrets"
)

func rmCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "rm",
		Usage:     "remove a secret of a host",
		ArgsUsage: "HOST NAME",
		Description: `The file stays in Git's history, and whoever could read it still can: replace the
value wherever it is valid.

Examples:
  pisec rm rpi-box-01 OPENAI_KEY`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			cli.DryRunFlag(),
			cli.YesFlag(),
		},
		BashComplete: completeSecrets,
		Action:       remove,
	}
}

func remove(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 2, 2)
	if err != nil {
		return err
	}
	name := c.Args().Get(1)
	if err := checkNames(name); err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	if err := store.CheckPresent(host.Name, name); err != nil {
		return err
	}
	file := secrets.File(host.Name, name)
	if c.Bool("dry-run") {
		fmt.Fprintf(c.App.Writer, "would remove %s\n", file)
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Remove %s?", file)); err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if err := store.Remove(host.Name, name); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "removed %s\n", file)
	fmt.Fprintf(c.App.ErrWriter, "next: pistack generate %s && git add hosts/%s\n", host.Name, host.Name)
	return nil
}

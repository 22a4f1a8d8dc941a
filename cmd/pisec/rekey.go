package main

import (
	"fmt"
	"io"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/readers"
	"pistack/secrets"
)

func rekeyCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "rekey",
		Usage:     "encrypt secrets to the hosts' keys and operators as they are now",
		ArgsUsage: "[HOST|GLOB|@TAG…]",
		Description: `For when a machine or an operator has a new key. Only files whose readers differ
are touched, and values stay as they are, to the byte: rekeying restarts nothing.
All files are replaced, or none; a run that was killed is completed by the next.

Who could read a value before still knows it: the list at the end says which
values to replace with "pisec add --replace", and "pisec audit" keeps saying so.

Examples:
  pisec host-key rpi-box-01 --file new.pub && pisec rekey rpi-box-01
  pisec rekey --dry-run
  pisec rekey --all       also files whose readers look right: an age key that
                          took another one's place does not show in a header`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			identityFlag(),
			&ucli.BoolFlag{Name: "all", Usage: "also files whose readers look right"},
			cli.DryRunFlag(),
			cli.YesFlag(),
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       rekey,
	}
}

func rekey(c *ucli.Context) error {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.Args().Slice())
	if err != nil {
		return err
	}
	wanted, err := wantedReaders(c, f, hosts)
	if err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	if !c.Bool("dry-run") {
		if err := completeEarlierRun(c, store); err != nil {
			return err
		}
	}
	plan, err := store.PlanRekey(wanted, c.Bool("all"))
	if err != nil {
		return err
	}
	showRekey(c.App.Writer, plan)
	if c.Bool("dry-run") || len(plan.Changes) == 0 {
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Rekey %s?", cli.Count(len(plan.Changes), "file"))); err != nil {
		return err
	}
	identities, err := loadIdentities(c, f)
	if err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	store.Check = sameReaders(c, f, wanted)
	if err := store.ApplyRekey(plan, identities...); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "rekeyed %s\n", cli.Count(len(plan.Changes), "file"))
	readers.PrintLost(c.Context, c.App.Writer, f, plan)
	fmt.Fprintln(c.App.ErrWriter, "next: git add hosts && git commit")
	return nil
}

func completeEarlierRun(c *ucli.Context, store secrets.Store) error {
	found, err := store.Recover()
	if found && err == nil {
		fmt.Fprintln(c.App.ErrWriter, "note: an earlier run was cut short; it has been completed or removed")
	}
	return err
}

func showRekey(w io.Writer, plan *secrets.Rekey) {
	for _, c := range plan.Changes {
		if c.Difference.None() {
			fmt.Fprintf(w, "~ %s: same readers, written anew\n", c.Entry.File)
			continue
		}
		fmt.Fprintf(w, "~ %s: %s\n", c.Entry.File, c.Difference)
	}
	fmt.Fprintf(w, "%d to rekey, %d with the right readers\n", len(plan.Changes), plan.Unchanged)
}

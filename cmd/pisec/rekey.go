package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/audit"
	"pistack/internal/cli"
	"pistack/internal/fleet"
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
	showLost(c, f, plan)
	fmt.Fprintln(c.App.ErrWriter, "next: git add hosts && git commit")
	return nil
}

// showLost is showRotation, when the rekey took something from somebody.
func showLost(c *ucli.Context, f *fleet.Fleet, plan *secrets.Rekey) {
	if slices.ContainsFunc(plan.Changes, func(r secrets.Rewrap) bool { return len(r.Difference.Loses) > 0 }) {
		trail, err := audit.TrailOf(c.Context, f)
		showRotation(c.App.Writer, plan, trail, err)
	}
}

// wantedReaders says who shall read the secrets of hosts.
func wantedReaders(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) ([]secrets.Wanted, error) {
	store := secrets.Store{Root: f.Root}
	var wanted []secrets.Wanted
	var problems []error
	for _, h := range hosts {
		if !store.Any(h.Name) {
			continue // a host that is not pinned yet is no reason to stop
		}
		readers, err := readersOf(c, f, h)
		problems = append(problems, err)
		wanted = append(wanted, secrets.Wanted{Host: h.Name, Readers: readers})
	}
	return wanted, errors.Join(problems...)
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

// showRotation lists the values that somebody knows who shall not read them, by
// who that is. trail knows where the keys of ssh readers stood; it is nil for a
// history that could not be read, and unread says why.
func showRotation(w io.Writer, plan *secrets.Rekey, trail *audit.Trail, unread error) {
	var lost []string
	values := map[string][]string{}
	remembered := true
	for _, c := range plan.Changes {
		for _, reader := range lostReaders(c, trail) {
			if values[reader] == nil {
				lost = append(lost, reader)
			}
			values[reader] = append(values[reader], fmt.Sprintf("pisec add --replace %s %s", c.Entry.Host, c.Entry.Name))
		}
		for _, s := range lostStanzas(c) {
			remembered = remembered && trail.Committed(c.Entry, s)
		}
	}
	fmt.Fprintln(w, "lost readers still know these values; if their keys may be in wrong hands, replace them:")
	for _, reader := range lost {
		fmt.Fprintf(w, "%s\n  %s\n", reader, strings.Join(values[reader], "\n  "))
	}
	switch {
	case trail == nil:
		fmt.Fprintf(w, "keep this list: pisec audit needs the history in Git, which could not be read: %v\n", unread)
	case !remembered:
		fmt.Fprintln(w, "pisec audit keeps them listed until each has a new value, but for those that were never committed with these readers")
	default:
		fmt.Fprintln(w, "pisec audit keeps them listed until each has a new value")
	}
}

// lostReaders names the readers that a file loses, by tag and by where the key
// stood.
func lostReaders(c secrets.Rewrap, trail *audit.Trail) []string {
	var names []string
	for _, s := range lostStanzas(c) {
		name := s.String()
		if source, known := trail.Source(s); known {
			name += fmt.Sprintf(", %s until %s", source.File, untilText(source.Span))
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func lostStanzas(c secrets.Rewrap) []secrets.Stanza {
	var lost []secrets.Stanza
	for _, s := range c.Entry.Header.Readers {
		if slices.Contains(c.Difference.Loses, s.String()) {
			lost = append(lost, s)
		}
	}
	return lost
}

package main

import (
	"fmt"
	"slices"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/readers"
	"pistack/secrets"
)

// operatorChange is another list of operators.
type operatorChange struct {
	wanted []string // recipients
	symbol string   // "+" or "-"
	who    string   // recipient that comes or goes
	edit   func() ([]byte, error)
}

// changeOperators shows what another list of operators means, and asks. Then
// fleet.toml and every secret are replaced in one transaction.
func changeOperators(c *ucli.Context, f *fleet.Fleet, change operatorChange) error {
	store := secrets.Store{Root: f.Root}
	if !c.Bool("dry-run") {
		if err := completeEarlierRun(c, store); err != nil {
			return err
		}
	}
	if _, err := change.edit(); err != nil { // before anybody is asked
		return err
	}
	plan, wanted, err := planOperators(c, f, store, change.wanted)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s %s: %s\n", change.symbol, fleet.Marker, change.who)
	showRekey(c.App.Writer, plan)
	if c.Bool("dry-run") {
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Change fleet.toml and rekey %s?", cli.Count(len(plan.Changes), "file"))); err != nil {
		return err
	}
	if err := applyOperators(c, f, store, plan, wanted, change); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "wrote %s, rekeyed %s\n", fleet.Marker, cli.Count(len(plan.Changes), "file"))
	readers.PrintLost(c.Context, c.App.Writer, f, plan)
	fmt.Fprintln(c.App.ErrWriter, "next: git add fleet.toml hosts && git commit")
	return nil
}

// planOperators is the rekey that makes all secrets follow a list of operators.
func planOperators(c *ucli.Context, f *fleet.Fleet, store secrets.Store, operators []string) (*secrets.Rekey, []secrets.Wanted, error) {
	changed := *f
	changed.Operators = operators
	wanted, err := wantedReaders(c, &changed, changed.Hosts)
	if err != nil {
		return nil, nil, err
	}
	plan, err := store.PlanRekey(wanted, false)
	return plan, wanted, err
}

func applyOperators(c *ucli.Context, f *fleet.Fleet, store secrets.Store, plan *secrets.Rekey, wanted []secrets.Wanted, change operatorChange) error {
	plan.Also(fleet.Marker, change.edit) // anew: somebody may have edited the file meanwhile
	store.Check = func() error { return stillApplies(c, f, wanted, change) }
	if len(plan.Changes) == 0 {
		return store.ApplyRekey(plan)
	}
	identities, err := loadIdentities(c, f)
	if err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	return store.ApplyRekey(plan, identities...)
}

// stillApplies tells whether the operators are those that the change was made
// from, and the hosts' keys those that were planned with.
func stillApplies(c *ucli.Context, f *fleet.Fleet, wanted []secrets.Wanted, change operatorChange) error {
	now, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	if !slices.Equal(now.Operators, f.Operators) {
		return &secrets.Error{Message: "the operators in fleet.toml have changed meanwhile", Fix: "nothing was written; run this again"}
	}
	now.Operators = change.wanted
	return haveReaders(c, now, wanted)
}

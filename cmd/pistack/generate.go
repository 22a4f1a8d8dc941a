package main

import (
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/generate"
)

func generateCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "generate",
		Usage:     "write hosts/HOST/generated: the NixOS options and Compose overrides",
		ArgsUsage: "[HOST|GLOB|@TAG|!NOT…]",
		Description: `All hosts are loaded before anything is written; with an error in one, nothing
is. Commit the result: a flake sees only what Git tracks, and a reviewer sees
what will run.

Examples:
  pistack generate
  pistack generate rpi-box-01 --dry-run
  pistack generate --check            exits with 3 when something is stale`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "check", Usage: "write nothing; exit with 3 when something is stale"},
			cli.DryRunFlag(),
			cli.JSONFlag(),
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       generateFiles,
	}
}

// generateReport is the JSON form of "pistack generate"; it is only ever extended.
type generateReport struct {
	Schema  int               `json:"schema"`
	Written bool              `json:"written"`
	Changes []generatedChange `json:"changes"`
}

type generatedChange struct {
	File   string          `json:"file"`
	Action generate.Action `json:"action"`
}

func generateFiles(c *ucli.Context) error {
	w, results, err := openHosts(c)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := refuseErrors(c, results, "nothing was written"); err != nil {
		return err
	}
	write := !c.Bool("check") && !c.Bool("dry-run")
	change := w.PlanAll
	if write {
		change = func(results []generate.Result) ([]generate.Change, error) { return w.Write(c.Context, results) }
	}
	changes, err := change(results)
	if err != nil {
		return err
	}
	if err := showChanges(c, changes, write, len(results)); err != nil {
		return err
	}
	if c.Bool("check") && len(changes) > 0 {
		return cli.Differences()
	}
	return nil
}

func showChanges(c *ucli.Context, changes []generate.Change, written bool, hosts int) error {
	if c.Bool("json") {
		report := generateReport{Schema: 1, Written: written, Changes: []generatedChange{}}
		for _, change := range changes {
			report.Changes = append(report.Changes, generatedChange{change.File, change.Action})
		}
		return cli.PrintJSON(c.App.Writer, report)
	}
	symbols := map[generate.Action]string{generate.Create: "+", generate.Update: "~", generate.Delete: "-"}
	for _, change := range changes {
		fmt.Fprintf(c.App.Writer, "%s %s\n", symbols[change.Action], change.File)
	}
	switch {
	case len(changes) == 0:
		fmt.Fprintf(c.App.ErrWriter, "%s: up to date\n", cli.Count(hosts, "host"))
	case written:
		fmt.Fprintf(c.App.ErrWriter, "%s written; next: git add hosts && git commit\n", cli.Count(len(changes), "file"))
	case c.Bool("check"):
		fmt.Fprintf(c.App.ErrWriter, "%s stale; run: pistack generate\n", cli.Count(len(changes), "file"))
	}
	return nil
}

package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/compare"
	"pistack/internal/fleet"
	"pistack/internal/term"
	"pistack/internal/view"
)

func diffCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "diff",
		Usage:     "show what a change does to hosts: dangers, effects on containers and their causes, secrets",
		ArgsUsage: "[HOST|GLOB|@TAG|!NOT…]",
		Description: `Compares the work tree, or --head, with where its history and --base met last, as a
pull request does; so --base origin/main is the right one in CI, which needs a clone
that has that history. When --head is older than --base, both are compared as they
are: that is what going back would do. Needs no network, no private key and no
checkout, and never shows a secret's value.

An effect is what "docker compose up" will do on the device: none, restart, scale,
recreate, pull (another image), rebuild, create, remove (volumes are kept).

Exits with 0 also when something differs, unless --exit-code is given; with 1 when
the new version has errors, and a part of it could not be compared.

Examples:
  pistack diff                                   the work tree against HEAD
  pistack diff rpi-box-01 --base HEAD~3
  pistack diff --base v2 --head v1               what going back to v1 would do
  pistack diff --base origin/main --format markdown >comment.md`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.StringFlag{Name: "base", Value: "HEAD", Usage: "compare with this `REVISION`"},
			&ucli.StringFlag{Name: "head", Usage: "compare this `REVISION` instead of the work tree"},
			&ucli.StringFlag{Name: "format", Value: "text", Usage: "`FORMAT` is text, markdown or json (schema 1)"},
			cli.JSONFlag(),
			&ucli.BoolFlag{Name: "exit-code", Usage: "exit with 3 when something differs"},
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       diff,
	}
}

func diff(c *ucli.Context) error {
	format := c.String("format")
	if c.Bool("json") {
		if c.IsSet("format") && format != "json" {
			return cli.Usage("--json and --format %s: say one of them", format)
		}
		format = "json"
	}
	if !slices.Contains([]string{"text", "markdown", "json"}, format) {
		return cli.Usage("--format %q: want text, markdown or json", format)
	}
	root, err := fleet.FindRoot(cmp.Or(c.Path("fleet"), "."))
	if err != nil {
		return err
	}
	pair, err := compare.Open(c.Context, root, c.String("base"), c.String("head"))
	if err != nil {
		return err
	}
	defer pair.Close()
	report, err := compare.Hosts(c.Context, pair, c.Args().Slice())
	if err != nil {
		return err
	}
	if err := showDiff(c, report, format); err != nil {
		return err
	}
	if n := report.Failed(); n > 0 {
		return fmt.Errorf("%s in %s: see what was not compared", cli.Count(n, "error"), report.Head)
	}
	if c.Bool("exit-code") && !report.Empty() {
		return cli.Differences()
	}
	return nil
}

func showDiff(c *ucli.Context, report compare.Report, format string) error {
	switch format {
	case "json":
		return view.DiffJSON(c.App.Writer, report)
	case "markdown":
		return view.DiffMarkdown(c.App.Writer, report)
	}
	colour := term.IsTerminal(os.Stdout) && os.Getenv("NO_COLOR") == ""
	return view.DiffText(c.App.Writer, report, colour)
}

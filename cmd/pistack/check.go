package main

import (
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/compose"
	"pistack/internal/cli"
	"pistack/internal/generate"
	"pistack/internal/term"
	"pistack/internal/view/findings"
)

func checkCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "check",
		Usage:     "check the stacks of hosts, each and together, against the host",
		ArgsUsage: "[HOST|GLOB|@TAG|!NOT…]",
		Description: `Needs no network and no private key. Exits with 3 when there is an error, or a
warning with --fail-on warning. A finding is accepted in the Compose file, with
a reason; --explain says how.

Examples:
  pistack check
  pistack check rpi-box-01
  pistack check '@lab' --json
  pistack check --format github --fail-on warning     in a workflow
  pistack check --explain port-clash
  pistack check --explain list                        all codes, a line each`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			cli.JSONFlag(),
			&ucli.StringFlag{Name: "format", Value: "text", Usage: "print as `FORMAT`: text, json, github (workflow annotations) or sarif (2.1.0)"},
			&ucli.StringFlag{Name: "fail-on", Value: "error", Usage: "exit with 3 for findings of this `SEVERITY` or graver: warning or error"},
			&ucli.StringFlag{Name: "explain", Usage: "explain the findings of `CODE` and stop; all for every code, list for a line each"},
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       check,
	}
}

// checkReport is the JSON form of "pistack check"; it is only ever extended.
type checkReport struct {
	Schema   int               `json:"schema"`
	Hosts    []string          `json:"hosts"`
	Totals   findings.Totals   `json:"totals"`
	Findings []compose.Finding `json:"findings"`
}

func check(c *ucli.Context) error {
	if c.IsSet("explain") {
		return explain(c)
	}
	show, err := checkFormat(c)
	if err != nil {
		return err
	}
	least := compose.Severity(c.String("fail-on"))
	if least != compose.Error && least != compose.Warning {
		return cli.Usage("--fail-on is warning or error, not %q", string(least))
	}
	w, results, err := openHosts(c)
	if err != nil {
		return err
	}
	defer w.Close()
	stale, err := staleBuilds(c.Context, w, results)
	if err != nil {
		return err
	}
	found := compose.SortFindings(slices.Concat(findingsOf(results), w.UnusedLocks(results), w.Keys(), stale))
	if err := show(results, found); err != nil {
		return err
	}
	for _, f := range found {
		if f.Counts(least) {
			return cli.Differences()
		}
	}
	return nil
}

// checkFormat chooses how the findings are shown.
func checkFormat(c *ucli.Context) (func([]generate.Result, []compose.Finding) error, error) {
	format, out := c.String("format"), c.App.Writer
	if c.Bool("json") {
		if c.IsSet("format") && format != "json" {
			return nil, cli.Usage("--json is --format json: leave one of the two out")
		}
		format = "json"
	}
	shown := func(print func(found []compose.Finding) error) func([]generate.Result, []compose.Finding) error {
		return func(results []generate.Result, found []compose.Finding) error {
			err := print(found)
			if err == nil {
				_, err = fmt.Fprintln(c.App.ErrWriter, checkSummary(results, found))
			}
			return err
		}
	}
	switch format {
	case "text":
		return shown(func(found []compose.Finding) error { return findings.Text(out, found, inColour(out)) }), nil
	case "github":
		return shown(func(found []compose.Finding) error { return findings.GitHub(out, found) }), nil
	case "sarif":
		return shown(func(found []compose.Finding) error { return findings.SARIF(out, found, c.App.Version) }), nil
	case "json":
		return func(results []generate.Result, found []compose.Finding) error {
			return cli.PrintJSON(out, newCheckReport(results, found))
		}, nil
	}
	return nil, cli.Usage("--format is text, json, github or sarif, not %q", format)
}

// inColour tells whether w is a terminal whose user has not refused colour.
func inColour(w io.Writer) bool {
	f, isFile := cli.File(w)
	return isFile && term.IsTerminal(f) && os.Getenv("NO_COLOR") == "" && os.Getenv("TERM") != "dumb"
}

func newCheckReport(results []generate.Result, found []compose.Finding) checkReport {
	report := checkReport{Schema: 1, Hosts: []string{}, Totals: findings.Count(found), Findings: found}
	for _, r := range results {
		report.Hosts = append(report.Hosts, r.Host.Name)
	}
	if report.Findings == nil {
		report.Findings = []compose.Finding{}
	}
	return report
}

func checkSummary(results []generate.Result, found []compose.Finding) string {
	t := findings.Count(found)
	parts := []string{cli.Count(t.Errors, "error"), cli.Count(t.Warnings, "warning")}
	if t.Notes > 0 {
		parts = append(parts, cli.Count(t.Notes, "note"))
	}
	if t.Accepted > 0 {
		parts = append(parts, fmt.Sprintf("%d accepted", t.Accepted))
	}
	return fmt.Sprintf("%s checked: %s", cli.Count(len(results), "host"), strings.Join(parts, ", "))
}

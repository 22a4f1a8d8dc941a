package main

import (
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/compose"
	"pistack/internal/cli"
	"pistack/internal/generate"
)

func checkCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "check",
		Usage:     "check the stacks of hosts: Compose, variables, secrets, files",
		ArgsUsage: "[HOST|GLOB|@TAG…]",
		Description: `Needs no network and no private key. Exits with 3 when there is an error;
warnings are worth knowing and do not fail.

Examples:
  pistack check
  pistack check rpi-box-01
  pistack check '@lab' --json`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			cli.JSONFlag(),
		},
		BashComplete: cli.CompleteHosts(true),
		Action:       check,
	}
}

// checkReport is the JSON form of "pistack check"; it is only ever extended.
type checkReport struct {
	Schema   int               `json:"schema"`
	Hosts    []string          `json:"hosts"`
	Findings []compose.Finding `json:"findings"`
}

func check(c *ucli.Context) error {
	w, results, err := openHosts(c)
	if err != nil {
		return err
	}
	defer w.Close()
	findings := findingsOf(results)
	if c.Bool("json") {
		err = cli.PrintJSON(c.App.Writer, newCheckReport(results, findings))
	} else {
		printFindings(c.App.Writer, findings)
		fmt.Fprintln(c.App.ErrWriter, checkSummary(results, findings))
	}
	if err == nil && compose.HasErrors(findings) {
		return cli.Differences()
	}
	return err
}

func newCheckReport(results []generate.Result, findings []compose.Finding) checkReport {
	report := checkReport{Schema: 1, Hosts: []string{}, Findings: findings}
	for _, r := range results {
		report.Hosts = append(report.Hosts, r.Host.Name)
	}
	if report.Findings == nil {
		report.Findings = []compose.Finding{}
	}
	return report
}

func checkSummary(results []generate.Result, findings []compose.Finding) string {
	errors := 0
	for _, f := range findings {
		if f.Severity == compose.Error {
			errors++
		}
	}
	return fmt.Sprintf("%s checked: %s, %s", cli.Count(len(results), "host"), cli.Count(errors, "error"), cli.Count(len(findings)-errors, "warning"))
}

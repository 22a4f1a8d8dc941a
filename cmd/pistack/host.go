package main

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	ucli "github.com/urfave/cli/v2"

	"pistack/compose"
	"pistack/compose/rules"
	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/memo"
	"pistack/internal/term"
	"pistack/internal/view/findings"
)

// openHosts reads the fleet and loads the hosts that the arguments select.
// Close the workspace after use.
func openHosts(c *ucli.Context) (*generate.Workspace, []generate.Result, error) {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return nil, nil, err
	}
	hosts, err := f.Select(c.Args().Slice())
	if err != nil {
		return nil, nil, err
	}
	w, err := generate.Open(c.Context, f, openMemo())
	if err != nil {
		return nil, nil, err
	}
	results, err := loadAll(c, w, hosts)
	if err != nil {
		w.Close()
		return nil, nil, err
	}
	return w, results, nil
}

func loadAll(c *ucli.Context, w *generate.Workspace, hosts []fleet.Host) ([]generate.Result, error) {
	progress := term.StartProgress(os.Stderr)
	defer progress.Stop()
	return w.Hosts(c.Context, hosts, func(done int) {
		progress.Show("checked %d of %s", done, cli.Count(len(hosts), "host"))
	})
}

// openMemo is where results are remembered; without a cache folder nothing is.
func openMemo() *memo.Store {
	dir, err := os.UserCacheDir()
	if err != nil {
		return nil
	}
	return memo.Open(filepath.Join(dir, "pistack", "hosts"))
}

// findingsOf joins the findings of hosts; a stack that two hosts share is
// reported once.
func findingsOf(results []generate.Result) []compose.Finding {
	var hosts []rules.HostFindings
	for _, r := range results {
		hosts = append(hosts, rules.HostFindings{Stacks: r.Host.Stacks, Findings: r.Findings})
	}
	return rules.Join(hosts)
}

// refuseErrors ends a command that needs hosts without errors.
func refuseErrors(c *ucli.Context, results []generate.Result, nothing string) error {
	return refuseFindings(c, findingsOf(results), nothing)
}

// refuseFindings ends a command when one of the findings is an error.
func refuseFindings(c *ucli.Context, found []compose.Finding, nothing string) error {
	return refuse(c.App.ErrWriter, inColour(c.App.ErrWriter), found, nothing)
}

func refuse(out io.Writer, coloured bool, found []compose.Finding, nothing string) error {
	var errors []compose.Finding
	for _, f := range found {
		if f.Counts(compose.Error) {
			errors = append(errors, f)
		}
	}
	if len(errors) == 0 {
		return nil
	}
	if err := findings.Text(out, errors, coloured); err != nil {
		return err
	}
	return fmt.Errorf("%s in the stacks; %s", cli.Count(len(errors), "error"), nothing)
}

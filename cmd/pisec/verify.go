package main

import (
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/secrets"
)

func verifyCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "verify",
		Usage:     "check every secret's header: host, name, readers",
		ArgsUsage: "[HOST|GLOB|@TAG…]",
		Description: `Needs no private key. It finds mistakes: a file that was moved, a reader that is
missing or that nobody wants. It is no proof against a forger, who can write what
he likes into a header; the device, which can open the file, checks that.
Exits with 3 when there is a finding.

Examples:
  pisec verify
  pisec verify rpi-box-01 --json`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "json", Usage: "print JSON (schema 1)"},
		},
		BashComplete: cli.CompleteHosts(true),
		Action:       verify,
	}
}

// verification is the JSON form of "pisec verify"; it is only ever extended.
type verification struct {
	Schema   int             `json:"schema"`
	Checked  int             `json:"checked"` // files whose header could be read
	Findings []verifyFinding `json:"findings"`
}

type verifyFinding struct {
	File    string   `json:"file,omitempty"`
	Message string   `json:"message"`
	Fix     string   `json:"fix,omitempty"`
	Lacks   []string `json:"lacks,omitempty"`    // readers that it should have
	Extra   []string `json:"unwanted,omitempty"` // readers that it should not have
}

func verify(c *ucli.Context) error {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.Args().Slice())
	if err != nil {
		return err
	}
	v := verification{Schema: 1, Findings: []verifyFinding{}}
	store := secrets.Store{Root: f.Root}
	for _, h := range hosts {
		readers, err := readersOf(f, h)
		if err != nil && store.Any(h.Name) {
			v.add(err)
			continue
		}
		v.host(store, secrets.Wanted{Host: h.Name, Readers: readers})
	}
	v.Findings = append(v.Findings, tagCollisions(f)...)
	if err := v.print(c); err != nil {
		return err
	}
	if len(v.Findings) > 0 {
		return cli.Differences()
	}
	return nil
}

func (v *verification) host(store secrets.Store, w secrets.Wanted) {
	entries, err := store.List(w.Host)
	v.add(err)
	for _, e := range entries {
		v.Checked++
		if d := e.Header.Compare(w.Readers); !d.None() {
			v.Findings = append(v.Findings, verifyFinding{
				File: e.File, Message: "readers differ: " + d.String(), Fix: "pisec rekey " + w.Host,
				Lacks: d.Gains, Extra: d.Loses,
			})
		}
	}
}

// add takes over the problems of files that are no secrets.
func (v *verification) add(err error) {
	joined, ok := err.(interface{ Unwrap() []error })
	if ok {
		for _, e := range joined.Unwrap() {
			v.add(e)
		}
		return
	}
	if err == nil {
		return
	}
	finding := verifyFinding{Message: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		finding.Fix = hinted.Hint()
	}
	v.Findings = append(v.Findings, finding)
}

// tagCollisions reports keys of the fleet that a header cannot tell apart.
func tagCollisions(f *fleet.Fleet) []verifyFinding {
	var findings []verifyFinding
	first := map[string]secrets.Reader{}
	for _, h := range f.Hosts {
		readers, err := readersOf(f, h)
		if err != nil {
			continue // reported for a selected host that has secrets
		}
		for _, r := range readers {
			other, seen := first[r.Tag]
			if r.Tag != "" && seen && other.Text != r.Text {
				findings = append(findings, verifyFinding{
					Message: fmt.Sprintf("%s and %s have the same tag %s: a header cannot tell them apart", other.Source, r.Source, r.Tag),
					Fix:     "make a new key for one of them",
				})
			}
			first[r.Tag] = r
		}
	}
	return findings
}

func (v *verification) print(c *ucli.Context) error {
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, v)
	}
	for _, f := range v.Findings {
		place := ""
		if f.File != "" {
			place = f.File + ": "
		}
		fmt.Fprintf(c.App.Writer, "%s%s\n", place, f.Message)
		if f.Fix != "" {
			fmt.Fprintf(c.App.Writer, "  hint: %s\n", f.Fix)
		}
	}
	_, err := fmt.Fprintf(c.App.ErrWriter, "%d secrets checked: %d findings\n", v.Checked, len(v.Findings))
	return err
}

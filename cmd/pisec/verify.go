package main

import (
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/usage"
	"pistack/secrets"
)

func verifyCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "verify",
		Usage:     "check every secret: header, readers, and whether it is used",
		ArgsUsage: "[HOST|GLOB|@TAG…]",
		Description: `Needs no private key. It finds mistakes: a file that was moved, a reader that is
missing or that nobody wants, a secret that no file of the host uses, and one that
a stack wants and nobody added. It is no proof against a forger, who can write what
he likes into a header; the device, which can open the file, checks that.
Exits with 3 when there is a finding.

Examples:
  pisec verify
  pisec verify rpi-box-01 --json`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			cli.JSONFlag(),
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       verify,
	}
}

// verification is the JSON form of "pisec verify"; it is only ever extended.
type verification struct {
	Schema   int               `json:"schema"`
	Checked  int               `json:"checked"` // files whose header could be read
	Findings []secrets.Finding `json:"findings"`
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
	v := verification{Schema: 1, Findings: []secrets.Finding{}}
	tree, done := treeOf(f)
	defer done()
	for _, h := range hosts {
		if err := c.Context.Err(); err != nil {
			return err
		}
		v.host(c, f, tree, h)
	}
	v.Findings = append(v.Findings, secrets.Collisions(allReaders(c, f))...)
	v.Findings = append(v.Findings, secrets.Store{Root: f.Root}.CutShort()...)
	if err := v.print(c); err != nil {
		return err
	}
	if len(v.Findings) > 0 {
		return cli.Differences()
	}
	return nil
}

func (v *verification) host(c *ucli.Context, f *fleet.Fleet, tree *usage.Tree, h fleet.Host) {
	store := secrets.Store{Root: f.Root}
	readers, err := readersOf(c, f, h)
	if err != nil && store.Any(h.Name) {
		v.Findings = append(v.Findings, hostFinding(h, err))
		return
	}
	entries, problems := store.List(h.Name)
	uses := tree.Of(usageHost(h, entries))
	expected := secrets.Expected{Host: h.Name, Readers: readers, Uses: uses.By, Missing: uses.Missing}
	v.Checked += len(entries)
	v.Findings = append(v.Findings, secrets.Verify(expected, entries, problems)...)
	v.Findings = append(v.Findings, store.Damaged(entries)...)
}

func hostFinding(h fleet.Host, err error) secrets.Finding {
	finding := secrets.Finding{Code: secrets.CodeHost, Host: h.Name, Message: err.Error()}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		finding.Fix = hinted.Hint()
	}
	return finding
}

// allReaders are those of the whole fleet; a host without a valid key has none.
func allReaders(c *ucli.Context, f *fleet.Fleet) []secrets.Reader {
	var all []secrets.Reader
	for _, h := range f.Hosts {
		readers, err := readersOf(c, f, h)
		if err == nil {
			all = append(all, readers...)
		}
	}
	return all
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
	_, err := fmt.Fprintf(c.App.ErrWriter, "%s checked: %s\n", cli.Count(v.Checked, "secret"), cli.Count(len(v.Findings), "finding"))
	return err
}

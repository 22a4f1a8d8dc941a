package main

import (
	"fmt"
	"os"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/audit"
	"pistack/internal/cli"
)

func auditCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "audit",
		Usage:     "list values that lost keys still know, from Git's history",
		ArgsUsage: "[HOST|GLOB|@TAG…]",
		Description: `A key that was replaced, or an operator who left, could read every value that was
ever encrypted to them: the files are in Git's history. Such a value stays listed,
with what to type, until it has a new one. Rekeying gives it other readers, and no
new value; a new value is one with another version and another payload.

With hosts, it lists every key that they ever had and all that these could open,
also of other hosts. With --key or --tag it lists all that this key could open.

It needs no private key. It reads the headers of all versions of all secrets: these
name ssh keys by a tag, and of an age key they tell only that there is one. Which
age key that was is inferred from the operators of fleet.toml in the commit that
wrote the file. It is evidence against mistakes, and no proof against a forger, who
can write what he likes into a header. A value that was copied by other ways than
"pisec cp" has a version of its own and does not show as the same.

It looks at the commits behind HEAD and at the work tree; --all looks at every
branch and tag as well. Exits with 3 when a lost key knows a value in use.

Examples:
  pisec audit
  pisec audit rpi-box-01                 every key it ever had, and what they knew
  pisec audit --key old_host_key.pub     from a backup, or a card that was lost
  pisec audit --tag SHA256:Bf1xY         as ssh-keygen -lf prints it, or its beginning
  pisec audit --wanted --json            everybody who can or could read anything`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.PathFlag{Name: "key", Usage: "what the key in `FILE` could open: ssh public or private key, or age recipient"},
			&ucli.StringFlag{Name: "tag", Usage: "what the key with this `TAG` or fingerprint could open"},
			&ucli.BoolFlag{Name: "wanted", Usage: "also what keys know that shall"},
			&ucli.BoolFlag{Name: "all", Usage: "also commits of other branches and of tags"},
			cli.JSONFlag(),
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       auditHistory,
	}
}

func auditHistory(c *ucli.Context) error {
	query := audit.Query{Wanted: c.Bool("wanted")}
	var err error
	if query.Named, err = namedKeys(c); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	a, err := audit.Of(c.Context, f, c.Bool("all"))
	if err != nil {
		return err
	}
	if c.NArg() > 0 {
		if query.Hosts, err = a.Select(f, c.Args().Slice()); err != nil {
			return err
		}
	}
	shown := a.View(query)
	if c.Bool("json") {
		err = cli.PrintJSON(c.App.Writer, auditJSON(a, shown))
	} else {
		err = printAudit(c, a, query, shown)
	}
	if err != nil {
		return err
	}
	if a.Problems != nil {
		return a.Problems
	}
	if keys, _ := audit.Alarms(shown); keys > 0 {
		return cli.Differences()
	}
	return nil
}

// namedKeys are the keys that flags name.
func namedKeys(c *ucli.Context) ([]audit.Pattern, error) {
	file, tag := c.Path("key"), c.String("tag")
	if c.IsSet("key") && c.IsSet("tag") || (c.IsSet("key") || c.IsSet("tag")) && c.NArg() > 0 {
		return nil, cli.Usage("name hosts, or one key with --key or with --tag")
	}
	var named audit.Pattern
	var err error
	switch {
	case c.IsSet("key"):
		named, err = keyIn(file)
	case c.IsSet("tag"):
		if named, err = audit.ParsePattern(tag); err != nil {
			err = cli.Usage("%w", err)
		}
	default:
		return nil, nil
	}
	return []audit.Pattern{named}, err
}

// maxKey bounds a key's file, in bytes.
const maxKey = 64 << 10

func keyIn(file string) (audit.Pattern, error) {
	info, err := os.Stat(file)
	if err != nil {
		return audit.Pattern{}, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxKey {
		return audit.Pattern{}, fmt.Errorf("%s: is not a key file", file)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return audit.Pattern{}, err
	}
	defer clear(data) // of a private key, only the public half is of interest
	return audit.ParseKey(file, data)
}

package main

import (
	"slices"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/random"
	"pistack/secrets"
)

func rotateCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "rotate",
		Usage:     "give secrets of a host new random values",
		ArgsUsage: "HOST NAME…",
		Description: `For values that only have to be random, such as a password that two containers
share. A key that somebody else issued is replaced with "pisec add --replace".

Examples:
  pisec rotate rpi-box-02 GRAFANA_ADMIN_PASSWORD
  pisec rotate rpi-box-02 SESSION_KEY CSRF_KEY --form hex:32`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.StringFlag{Name: "form", Value: "alnum:32", Usage: "`FORM` of the values: " + random.Examples},
			cli.DryRunFlag(),
			cli.YesFlag(),
		},
		BashComplete: completeSecrets,
		Action:       rotate,
	}
}

func rotate(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 2, -1)
	if err != nil {
		return err
	}
	if err := checkNames(c.Args().Tail()...); err != nil {
		return err
	}
	form, err := formOf(c.String("form"))
	if err != nil {
		return err
	}
	readers, err := readersOf(c, f, host)
	if err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	var additions []*secrets.Addition
	for i, name := range c.Args().Tail() {
		if slices.Contains(c.Args().Tail()[:i], name) {
			return cli.Usage("%s is named twice in the arguments", name)
		}
		if err := store.CheckPresent(host.Name, name); err != nil {
			return err
		}
		value, err := form.Value()
		if err != nil {
			return err
		}
		if err := checkLogin(host, name, value); err != nil {
			return err
		}
		a, err := store.Plan(host.Name, name, value, readers, true, time.Now())
		clear(value)
		if err != nil {
			return err
		}
		additions = append(additions, a)
	}
	if !c.Bool("dry-run") {
		if err := cli.Agree(c, "Replace the values? The old ones are only in Git's history then."); err != nil {
			return err
		}
	}
	return applyAdditions(c, f, store, []secrets.Wanted{{Host: host.Name, Readers: readers}}, additions)
}

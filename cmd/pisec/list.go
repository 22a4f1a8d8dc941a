package main

import (
	"errors"
	"fmt"
	"io"
	"text/tabwriter"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/secrets"
)

func listCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "list",
		Usage:     "list secrets: version, when the value was set, number of readers",
		ArgsUsage: "[HOST|GLOB|@TAG…]",
		Description: `Needs no private key: it reads the headers only.

Examples:
  pisec list
  pisec list rpi-box-01
  pisec list '@ai' --json`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "json", Usage: "print JSON (schema 1)"},
		},
		BashComplete: cli.CompleteHosts(true),
		Action:       list,
	}
}

// listing is the JSON form of "pisec list"; it is only ever extended.
type listing struct {
	Schema  int          `json:"schema"`
	Secrets []listedItem `json:"secrets"`
}

type listedItem struct {
	Host    string         `json:"host"`
	Name    string         `json:"name"`
	File    string         `json:"file"`
	Version string         `json:"version"`
	SetAt   string         `json:"setAt,omitempty"` // RFC 3339, UTC
	Readers []listedReader `json:"readers"`
}

type listedReader struct {
	Type string `json:"type"`
	Tag  string `json:"tag,omitempty"`
}

func list(c *ucli.Context) error {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.Args().Slice())
	if err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	out := listing{Schema: 1, Secrets: []listedItem{}}
	var problems []error
	for _, h := range hosts {
		entries, err := store.List(h.Name)
		problems = append(problems, err)
		for _, e := range entries {
			out.Secrets = append(out.Secrets, itemOf(e))
		}
	}
	if c.Bool("json") {
		err = cli.PrintJSON(c.App.Writer, out)
	} else {
		err = printListing(c.App.Writer, out)
	}
	return errors.Join(append(problems, err)...)
}

func itemOf(e secrets.Entry) listedItem {
	item := listedItem{Host: e.Host, Name: e.Name, File: e.File, Version: e.Header.Label.Version}
	if at, err := e.Header.Label.SetAt(); err == nil {
		item.SetAt = at.Format(time.RFC3339)
	}
	for _, r := range e.Header.Readers {
		item.Readers = append(item.Readers, listedReader(r))
	}
	return item
}

func printListing(w io.Writer, l listing) error {
	if len(l.Secrets) == 0 {
		_, err := fmt.Fprintln(w, "no secrets")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOST\tNAME\tSET\tREADERS\tVERSION")
	for _, s := range l.Secrets {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\n", s.Host, s.Name, s.SetAt, len(s.Readers), s.Version)
	}
	return t.Flush()
}

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/usage"
	"pistack/secrets"
)

func listCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "list",
		Usage:     "list secrets: version, age of the value, readers, who uses them",
		ArgsUsage: "[HOST|GLOB|@TAG…]",
		Description: `Needs no private key: it reads the headers, and looks through the stacks and the
NixOS files of the host for the names. The last column marks what is not in order:
  missing  a stack wants it, and nobody added it: pisec add
  unused   nothing uses it: pisec rm
  stale    its readers are not the host and the operators of now: pisec rekey

Examples:
  pisec list
  pisec list rpi-box-01
  pisec list '@ai' --json`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			cli.JSONFlag(),
		},
		BashComplete: cli.CompleteSelectors(true),
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
	File    string         `json:"file,omitempty"` // none when it is missing
	Version string         `json:"version,omitempty"`
	SetAt   string         `json:"setAt,omitempty"` // RFC 3339, UTC
	Readers []listedReader `json:"readers"`
	UsedBy  []string       `json:"usedBy"` // files, relative to the root
	Stacks  []string       `json:"stacks"`
	Marks   []string       `json:"marks"` // "missing", "unused", "stale"
}

type listedReader struct {
	Type   string `json:"type"`
	Tag    string `json:"tag,omitempty"`
	Source string `json:"source,omitempty"` // where its key stands, when it is one of the fleet's
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
	out := listing{Schema: 1, Secrets: []listedItem{}}
	var problems []error
	for _, h := range hosts {
		items, err := itemsOf(c, f, h)
		out.Secrets = append(out.Secrets, items...)
		problems = append(problems, err)
	}
	if c.Bool("json") {
		err = cli.PrintJSON(c.App.Writer, out)
	} else {
		err = printListing(c.App.Writer, out, time.Now())
	}
	return errors.Join(append(problems, err)...)
}

// itemsOf lists the secrets of a host, and those that it lacks, by name.
func itemsOf(c *ucli.Context, f *fleet.Fleet, h fleet.Host) ([]listedItem, error) {
	entries, err := secrets.Store{Root: f.Root}.List(h.Name)
	readers, _ := readersOf(c, f, h) // pisec verify says what is wrong with them
	uses := usesOf(f, h, entries)
	var items []listedItem
	for _, e := range entries {
		item := itemOf(e, readers)
		item.UsedBy, item.Stacks = append(item.UsedBy, uses.By[e.Name]...), usage.Stacks(uses.By[e.Name])
		if len(item.UsedBy) == 0 {
			item.Marks = append(item.Marks, "unused")
		}
		if readers != nil && !e.Header.Compare(readers).None() {
			item.Marks = append(item.Marks, "stale")
		}
		items = append(items, item)
	}
	for name, files := range uses.Missing {
		items = append(items, listedItem{Host: h.Name, Name: name, Readers: []listedReader{}, UsedBy: files, Stacks: usage.Stacks(files), Marks: []string{"missing"}})
	}
	slices.SortFunc(items, func(a, b listedItem) int { return strings.Compare(a.Name, b.Name) })
	return items, err
}

func itemOf(e secrets.Entry, readers []secrets.Reader) listedItem {
	item := listedItem{Host: e.Host, Name: e.Name, File: e.File, Version: e.Header.Label.Version, UsedBy: []string{}, Stacks: []string{}, Marks: []string{}}
	if at, err := e.Header.Label.SetAt(); err == nil {
		item.SetAt = at.Format(time.RFC3339)
	}
	for _, r := range e.Header.Readers {
		item.Readers = append(item.Readers, listedReader{Type: r.Type, Tag: r.Tag, Source: sourceOf(r, readers)})
	}
	return item
}

// sourceOf names the reader that a stanza's tag is of.
func sourceOf(s secrets.Stanza, readers []secrets.Reader) string {
	for _, r := range readers {
		if r.Tag != "" && r.Tag == s.Tag {
			return r.Source
		}
	}
	return ""
}

func printListing(w io.Writer, l listing, now time.Time) error {
	if len(l.Secrets) == 0 {
		_, err := fmt.Fprintln(w, "no secrets")
		return err
	}
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOST\tNAME\tAGE\tREADERS\tVERSION\tUSED BY\tSTATE")
	for _, s := range l.Secrets {
		fmt.Fprintf(t, "%s\t%s\t%s\t%d\t%s\t%s\t%s\n", s.Host, s.Name, ageOf(s, now), len(s.Readers), orDash(s.Version), orDash(usersOf(s)), stateOf(s))
	}
	return t.Flush()
}

// usersOf names stacks by their name and other files by their path.
func usersOf(s listedItem) string {
	users := slices.Clone(s.Stacks)
	for _, file := range s.UsedBy {
		if !strings.HasPrefix(file, "stacks/") {
			users = append(users, file)
		}
	}
	return strings.Join(users, ", ")
}

func stateOf(s listedItem) string {
	if len(s.Marks) == 0 {
		return "ok"
	}
	return strings.Join(s.Marks, ", ")
}

func orDash(text string) string {
	if text == "" {
		return "-"
	}
	return text
}

// ageOf tells how long a value has been the same: "5 m", "3 h", "12 d".
func ageOf(s listedItem, now time.Time) string {
	at, err := time.Parse(time.RFC3339, s.SetAt)
	if err != nil {
		return "-"
	}
	switch d := now.Sub(at); {
	case d < time.Hour:
		return fmt.Sprintf("%d m", max(0, int(d.Minutes())))
	case d < 48*time.Hour:
		return fmt.Sprintf("%d h", int(d.Hours()))
	default:
		return fmt.Sprintf("%d d", int(d.Hours()/24))
	}
}

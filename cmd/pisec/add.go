package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/secrets"
)

func addCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "add",
		Usage:     "encrypt a secret for a host, or for several",
		ArgsUsage: "HOST|GLOB|@TAG NAME",
		Description: `Asks for the value, without showing it, or reads it from standard input when
that is not a terminal. The value is never an argument: those are visible to
every process. Each host gets a file of its own, all or none are written.

Examples:
  pisec add rpi-box-01 OPENAI_KEY
  pass show openai | pisec add --trim '@ai' OPENAI_KEY
  pisec add rpi-box-01 SESSION_KEY --generate            32 letters and digits
  pisec add rpi-box-01 SESSION_KEY --generate=hex:32     or base64:32, words:8
  pisec add rpi-box-01 OPENAI_KEY --replace`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "replace", Usage: "give an existing secret a new value"},
			&ucli.PathFlag{Name: "file", Usage: "read the value from `FILE`; - is standard input"},
			generateFlag(),
			&ucli.BoolFlag{Name: "trim", Usage: "remove line breaks at the end of the value"},
			cli.DryRunFlag(),
		},
		BashComplete: cli.CompleteSelectors(false),
		Action:       add,
	}
}

func add(c *ucli.Context) error {
	if err := cli.Arguments(c, 2, 2); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.Args().Slice()[:1])
	if err != nil {
		return err
	}
	name := c.Args().Get(1)
	if err := checkNames(name); err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	wanted, err := addable(c, f, store, hosts, name)
	if err != nil {
		return err
	}
	value, err := readValue(c, name, hosts)
	if err != nil {
		return err
	}
	defer clear(value)
	if err := checkNUL(c, f, hosts, name, value); err != nil {
		return err
	}
	version, err := secrets.NewVersion(time.Now())
	if err != nil {
		return err
	}
	additions, err := planAdditions(c, f, store, wanted, name, version, value)
	if err != nil {
		return err
	}
	return applyAdditions(c, f, store, wanted, additions)
}

// planAdditions encrypts one value, of one version, for several hosts.
func planAdditions(c *ucli.Context, f *fleet.Fleet, store secrets.Store, wanted []secrets.Wanted, name, version string, value []byte) ([]*secrets.Addition, error) {
	var additions []*secrets.Addition
	for _, w := range wanted {
		h, err := f.Host(w.Host)
		if err != nil {
			return nil, err
		}
		if err := checkLogin(h, name, value); err != nil {
			return nil, err
		}
		a, err := store.PlanVersion(secrets.Label{Host: w.Host, Name: name, Version: version}, value, w.Readers, c.Bool("replace"))
		if err != nil {
			return nil, err
		}
		additions = append(additions, a)
	}
	return additions, nil
}

// addable refuses what cannot be written before anybody has to type a value.
func addable(c *ucli.Context, f *fleet.Fleet, store secrets.Store, hosts []fleet.Host, name string) ([]secrets.Wanted, error) {
	if err := secrets.CheckName(name); err != nil {
		return nil, err
	}
	var wanted []secrets.Wanted
	var problems []error
	for _, h := range hosts {
		readers, err := readersOf(c, f, h)
		problems = append(problems, err, onSameCommand(c, store.CheckAbsent(h.Name, name, c.Bool("replace"))))
		wanted = append(wanted, secrets.Wanted{Host: h.Name, Readers: readers})
	}
	return wanted, errors.Join(problems...)
}

// onSameCommand changes the hint of CheckAbsent, which names "pisec add", for
// commands that take the value from elsewhere.
func onSameCommand(c *ucli.Context, err error) error {
	var exists *secrets.Error
	if c.Command.Name == "add" || c.Bool("replace") || !errors.As(err, &exists) {
		return err
	}
	return &secrets.Error{Message: exists.Message, Fix: "to give it this value: the same command with --replace"}
}

// applyAdditions shows and, without --dry-run, writes what was encrypted to the
// wanted readers.
func applyAdditions(c *ucli.Context, f *fleet.Fleet, store secrets.Store, wanted []secrets.Wanted, additions []*secrets.Addition) error {
	store.Check = sameReaders(c, f, wanted)
	// A value that was cut short by Ctrl-C looks like any other.
	if err := c.Context.Err(); err != nil {
		return err
	}
	verb := "wrote"
	if c.Bool("dry-run") {
		verb = "would write"
	} else if err := store.Apply(additions...); err != nil {
		return err
	}
	slices.SortStableFunc(additions, func(a, b *secrets.Addition) int { return strings.Compare(a.Label.Host, b.Label.Host) })
	var files, hosts []string
	for _, a := range additions {
		showAddition(c.App.Writer, a, verb)
		files, hosts = append(files, a.File), append(hosts, a.Label.Host)
	}
	if !c.Bool("dry-run") {
		fmt.Fprintf(c.App.ErrWriter, "next: git add %s && pistack generate %s\n", strings.Join(files, " "), strings.Join(slices.Compact(hosts), " "))
	}
	return nil
}

func showAddition(w io.Writer, a *secrets.Addition, verb string) {
	replaces := ""
	if a.Replaces {
		replaces = ", replacing the old value"
	}
	fmt.Fprintf(w, "%s %s (version %s)%s\n", verb, a.File, a.Label.Version, replaces)
	for _, r := range a.Readers {
		fmt.Fprintf(w, "  reader: %s\n", r.Source)
	}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/term"
	"pistack/secrets"
)

func addCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "add",
		Usage:     "encrypt a secret for a host",
		ArgsUsage: "HOST NAME",
		Description: `Asks for the value, without showing it, or reads it from standard input when
that is not a terminal. The value is never an argument: those are visible to
every process.

Examples:
  pisec add rpi-box-01 OPENAI_KEY
  pass show openai | pisec add --trim rpi-box-01 OPENAI_KEY
  openssl rand -hex 32 | pisec add rpi-box-01 SESSION_KEY --trim --replace`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "replace", Usage: "give an existing secret a new value"},
			&ucli.BoolFlag{Name: "trim", Usage: "remove line breaks at the end of the value"},
			&ucli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "say what would be written, and to whom it would be encrypted"},
		},
		BashComplete: cli.CompleteHosts(false),
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
	host, err := f.Host(c.Args().Get(0))
	if err != nil {
		return err
	}
	name := c.Args().Get(1)
	if err := secrets.CheckName(name); err != nil {
		return err
	}
	readers, err := readersOf(f, host)
	if err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	// An existing secret is refused before anybody has to type a value.
	if err := store.CheckAbsent(host.Name, name, c.Bool("replace")); err != nil {
		return err
	}
	value, err := readValue(c, host.Name, name)
	if err != nil {
		return err
	}
	defer clear(value)
	addition, err := store.Plan(host.Name, name, value, readers, c.Bool("replace"), time.Now())
	if err != nil {
		return err
	}
	if c.Bool("dry-run") {
		showAddition(c.App.Writer, addition, "would write")
		return nil
	}
	if err := store.Apply(addition); err != nil {
		return err
	}
	showAddition(c.App.Writer, addition, "wrote")
	fmt.Fprintf(c.App.ErrWriter, "next: git add %s && pistack generate %s\n", addition.File, host.Name)
	return nil
}

// readersOf are the readers of a host's secrets: the host and the operators.
func readersOf(f *fleet.Fleet, host fleet.Host) ([]secrets.Reader, error) {
	key, err := host.PublicKey()
	if err != nil {
		return nil, err
	}
	first, err := secrets.ParseReader(host.Dir()+"/"+fleet.KeyFile, key)
	if err != nil {
		return nil, err
	}
	readers := []secrets.Reader{first}
	for i, text := range f.Operators {
		r, err := secrets.ParseReader(fleet.OperatorSource(i), text)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
	}
	return readers, nil
}

func readValue(c *ucli.Context, host, name string) ([]byte, error) {
	if term.IsTerminal(os.Stdin) {
		return term.ReadSecret(fmt.Sprintf("Value of %s for %s (not shown): ", name, host))
	}
	value, err := io.ReadAll(io.LimitReader(os.Stdin, secrets.MaxValue+1))
	if err != nil {
		return nil, fmt.Errorf("standard input: %w", err)
	}
	if c.Bool("trim") {
		value = bytes.TrimRight(value, "\r\n")
	} else if secrets.TrailingNewline(value) {
		fmt.Fprintf(c.App.ErrWriter, "note: the value ends in a line break; --trim would remove it\n")
	}
	return value, nil
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

package main

import (
	"fmt"
	"os"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/term"
	"pistack/secrets"
)

func showCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "show",
		Usage:     "decrypt a secret and print its value",
		ArgsUsage: "HOST NAME",
		Description: `Needs a private key of an operator (or of the host): --identity, else
PISEC_IDENTITY, else ~/.ssh/id_ed25519. An age identity file works too.

Examples:
  pisec show rpi-box-01 OPENAI_KEY
  pisec show --identity ~/keys/age.txt rpi-box-01 OPENAI_KEY | wl-copy`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			identityFlag(),
		},
		BashComplete: completeSecrets,
		Action:       show,
	}
}

func show(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 2, 2)
	if err != nil {
		return err
	}
	if err := checkNames(c.Args().Get(1)); err != nil {
		return err
	}
	identities, err := loadIdentities(c, f)
	if err != nil {
		return err
	}
	value, err := secrets.Store{Root: f.Root}.Show(host.Name, c.Args().Get(1), identities...)
	if err != nil {
		return err
	}
	defer clear(value)
	if _, err := c.App.Writer.Write(value); err != nil {
		return err
	}
	if term.IsTerminal(os.Stdout) && !secrets.TrailingNewline(value) {
		fmt.Fprintln(c.App.Writer)
	}
	return nil
}

// completeSecrets offers hosts for the first argument, its secrets for the second.
func completeSecrets(c *ucli.Context) {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return
	}
	switch c.NArg() {
	case 0:
		cli.CompleteHosts(c)
	default:
		entries, _ := secrets.Store{Root: f.Root}.List(c.Args().First())
		for _, e := range entries {
			fmt.Fprintln(c.App.Writer, e.Name)
		}
	}
}

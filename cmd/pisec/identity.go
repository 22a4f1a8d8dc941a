package main

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"

	"filippo.io/age"
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/term"
	"pistack/secrets"
)

// identityFlag names the private key of commands that decrypt.
func identityFlag() ucli.Flag {
	return &ucli.PathFlag{Name: "identity", Aliases: []string{"i"}, EnvVars: []string{"PISEC_IDENTITY"}, Usage: "private key `FILE` to decrypt with"}
}

func loadIdentities(c *ucli.Context) ([]age.Identity, error) {
	file, err := identityFile(c)
	if err != nil {
		return nil, err
	}
	return secrets.LoadIdentity(file, func(file string) ([]byte, error) {
		return term.ReadSecret(c.Context, fmt.Sprintf("Passphrase of %s: ", file))
	})
}

func identityFile(c *ucli.Context) (string, error) {
	if file := c.Path("identity"); file != "" {
		return file, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", errors.New("no --identity, no PISEC_IDENTITY, and no home folder to look for ~/.ssh/id_ed25519 in")
	}
	return filepath.Join(home, ".ssh", "id_ed25519"), nil
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"filippo.io/age"
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/fleet"
	"pistack/internal/term"
	"pistack/secrets"
)

// identityFlag names the private key of commands that decrypt.
func identityFlag() ucli.Flag {
	return &ucli.PathFlag{Name: "identity", Aliases: []string{"i"}, EnvVars: []string{"PISEC_IDENTITY"}, Usage: "private key `FILE` to decrypt with"}
}

func loadIdentities(c *ucli.Context, f *fleet.Fleet) ([]age.Identity, error) {
	file, named, err := identityFile(c)
	if err != nil {
		return nil, err
	}
	if _, err := os.Stat(file); !named && errors.Is(err, fs.ErrNotExist) {
		return nil, noIdentity(file)
	}
	return secrets.LoadIdentity(file, func(file string) ([]byte, error) {
		return term.ReadSecret(c.Context, fmt.Sprintf("Passphrase of %s: ", file))
	}, pluginsOf(c, f))
}

// identityFile is the private key's file, and whether the user named it.
func identityFile(c *ucli.Context) (file string, named bool, err error) {
	if file := c.Path("identity"); file != "" {
		return file, true, nil
	}
	home, err := os.UserHomeDir()
	if err != nil {
		return "", false, errors.New("no --identity, no PISEC_IDENTITY, and no home folder to look for ~/.ssh/id_ed25519 in")
	}
	return filepath.Join(home, ".ssh", "id_ed25519"), false, nil
}

// noIdentity explains what many expect to work: the key that ssh itself uses
// from an agent.
func noIdentity(file string) error {
	fix := "name a private key with --identity FILE or PISEC_IDENTITY"
	if os.Getenv("SSH_AUTH_SOCK") != "" {
		fix += "; a key that only ssh-agent holds cannot be used, since an agent signs and never decrypts"
	}
	return &secrets.Error{Message: fmt.Sprintf("there is no key to decrypt with: %s does not exist", file), Fix: fix}
}

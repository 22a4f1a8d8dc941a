package main

import (
	"filippo.io/age"
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/readers"
)

// identityFlag names the private key of commands that decrypt.
func identityFlag() ucli.Flag { return cli.IdentityFlag() }

func loadIdentities(c *ucli.Context, f *fleet.Fleet) ([]age.Identity, error) {
	return readers.Identities(c.Context, c.Path("identity"), pluginsOf(c, f))
}

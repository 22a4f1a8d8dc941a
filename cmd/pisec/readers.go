package main

import (
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/plugin"
	"pistack/internal/readers"
	"pistack/secrets"
)

// readersOf are the readers of a host's secrets: the host and the operators.
func readersOf(c *ucli.Context, f *fleet.Fleet, host fleet.Host) ([]secrets.Reader, error) {
	return readers.Of(f, host, pluginsOf(c, f))
}

// sameReaders tells whether hosts still have the readers that something was
// encrypted to. Between reading the fleet and writing secrets somebody may have
// typed a value, or a passphrase, and somebody else removed an operator.
func sameReaders(c *ucli.Context, f *fleet.Fleet, wanted []secrets.Wanted) func() error {
	return func() error {
		if f.SettingsUnchanged() {
			return haveReaders(c, f, wanted) // which reads the hosts' keys again
		}
		now, err := cli.LoadFleet(c)
		if err != nil {
			return err
		}
		return haveReaders(c, now, wanted)
	}
}

// haveReaders compares the readers of now with the wanted ones.
func haveReaders(c *ucli.Context, f *fleet.Fleet, wanted []secrets.Wanted) error {
	return readers.Check(f, wanted, pluginsOf(c, f))
}

// wantedReaders says who shall read the secrets of hosts.
func wantedReaders(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) ([]secrets.Wanted, error) {
	return readers.Wanted(f, hosts, pluginsOf(c, f))
}

// operatorsOf parses the recipients of fleet.toml.
func operatorsOf(c *ucli.Context, f *fleet.Fleet, texts []string) ([]secrets.Reader, error) {
	return readers.Operators(texts, pluginsOf(c, f))
}

// pluginsOf are the age plugins that may be started. f may be nil.
func pluginsOf(c *ucli.Context, f *fleet.Fleet) plugin.Allowed {
	return readers.Plugins(f, c.App.ErrWriter)
}

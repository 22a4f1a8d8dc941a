package main

import (
	"os"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/fleet"
	"pistack/internal/plugin"
	"pistack/secrets"
)

// readersOf are the readers of a host's secrets: the host and the operators.
func readersOf(c *ucli.Context, f *fleet.Fleet, host fleet.Host) ([]secrets.Reader, error) {
	key, err := host.PublicKey()
	if err != nil {
		return nil, err
	}
	first, err := secrets.ParseReader(host.Dir()+"/"+fleet.KeyFile, key, nil)
	if err != nil {
		return nil, err
	}
	operators, err := operatorsOf(c, f, f.Operators)
	return append([]secrets.Reader{first}, operators...), err
}

// operatorsOf parses the recipients of fleet.toml.
func operatorsOf(c *ucli.Context, f *fleet.Fleet, texts []string) ([]secrets.Reader, error) {
	allowed := pluginsOf(c, f)
	var readers []secrets.Reader
	for i, text := range texts {
		r, err := secrets.ParseReader(fleet.OperatorSource(i), text, allowed)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
	}
	return readers, nil
}

// pluginsOf are the age plugins that may be started: those that the fleet
// allows and those that the user does. f may be nil.
func pluginsOf(c *ucli.Context, f *fleet.Fleet) plugin.Allowed {
	names := strings.FieldsFunc(os.Getenv("PISEC_PLUGINS"), func(r rune) bool { return r == ',' || r == ' ' })
	if f != nil {
		names = slices.Concat(f.Plugins, names)
	}
	return plugin.Allowed{Names: names, Log: c.App.ErrWriter}
}

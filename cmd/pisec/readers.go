package main

import (
	"fmt"
	"os"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
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
	for _, w := range wanted {
		h, err := f.Host(w.Host)
		if err != nil {
			return err
		}
		now, err := readersOf(c, f, h)
		if err != nil {
			return err
		}
		if !slices.EqualFunc(now, w.Readers, func(a, b secrets.Reader) bool { return a.Text == b.Text }) {
			return &secrets.Error{
				Message: fmt.Sprintf("the readers of %s's secrets have changed meanwhile, by another command or an edit", w.Host),
				Fix:     "nothing was written; run this again",
			}
		}
	}
	return nil
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

// Package readers says who shall read a host's secrets: the host by its pinned key,
// and the fleet's operators. It changes a host's key together with all files that
// are encrypted to it, and tells which values somebody still knows who shall not.
package readers

import (
	"errors"
	"fmt"
	"io"
	"os"
	"slices"
	"strings"

	"pistack/internal/fleet"
	"pistack/internal/plugin"
	"pistack/secrets"
)

// Plugins are the age plugins that may be started: those that the fleet allows and
// those that the user does, in PISEC_PLUGINS. f may be nil. What a plugin says goes
// to log.
func Plugins(f *fleet.Fleet, log io.Writer) plugin.Allowed {
	names := strings.FieldsFunc(os.Getenv("PISEC_PLUGINS"), func(r rune) bool { return r == ',' || r == ' ' })
	if f != nil {
		names = slices.Concat(f.Plugins, names)
	}
	return plugin.Allowed{Names: names, Log: log}
}

// Of are the readers of a host's secrets: the host and the operators.
func Of(f *fleet.Fleet, host fleet.Host, plugins plugin.Allowed) ([]secrets.Reader, error) {
	key, err := host.PublicKey()
	if err != nil {
		return nil, err
	}
	return withKey(f, host, key, plugins)
}

// withKey are the readers when the host's key is another one.
func withKey(f *fleet.Fleet, host fleet.Host, key string, plugins plugin.Allowed) ([]secrets.Reader, error) {
	first, err := secrets.ParseReader(host.Dir()+"/"+fleet.KeyFile, key, nil)
	if err != nil {
		return nil, err
	}
	operators, err := Operators(f.Operators, plugins)
	return append([]secrets.Reader{first}, operators...), err
}

// Operators parses recipients of fleet.toml.
func Operators(texts []string, plugins plugin.Allowed) ([]secrets.Reader, error) {
	var readers []secrets.Reader
	for i, text := range texts {
		r, err := secrets.ParseReader(fleet.OperatorSource(i), text, plugins)
		if err != nil {
			return nil, err
		}
		readers = append(readers, r)
	}
	return readers, nil
}

// Wanted says who shall read the secrets of hosts. One without secrets is left out:
// that it is not pinned yet is no reason to stop.
func Wanted(f *fleet.Fleet, hosts []fleet.Host, plugins plugin.Allowed) ([]secrets.Wanted, error) {
	store := secrets.Store{Root: f.Root}
	var wanted []secrets.Wanted
	var problems []error
	for _, h := range hosts {
		if !store.Any(h.Name) {
			continue
		}
		readers, err := Of(f, h, plugins)
		problems = append(problems, err)
		wanted = append(wanted, secrets.Wanted{Host: h.Name, Readers: readers})
	}
	return wanted, errors.Join(problems...)
}

// Check compares the readers of now with the wanted ones.
func Check(f *fleet.Fleet, wanted []secrets.Wanted, plugins plugin.Allowed) error {
	for _, w := range wanted {
		h, err := f.Host(w.Host)
		if err != nil {
			return err
		}
		now, err := Of(f, h, plugins)
		if err != nil {
			return err
		}
		if !same(now, w.Readers) {
			return meanwhile(w.Host)
		}
	}
	return nil
}

func same(a, b []secrets.Reader) bool {
	return slices.EqualFunc(a, b, func(a, b secrets.Reader) bool { return a.Text == b.Text })
}

func meanwhile(host string) error {
	return &secrets.Error{
		Message: fmt.Sprintf("the readers of %s's secrets have changed meanwhile, by another command or an edit", host),
		Fix:     "nothing was written; run this again",
	}
}

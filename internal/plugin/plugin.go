// Package plugin lets secrets be encrypted to, and opened with, age plugins
// (https://c2sp.org/age-plugin), such as age-plugin-yubikey.
//
// A plugin is a program: the text "age1NAME1…" in fleet.toml, or a line of an
// identity file, makes age start age-plugin-NAME from PATH. So that nobody can
// have a program started by writing a recipient into a repository, only plugins
// whose names are allowed are used. A plugin sees keys of files, never a value.
package plugin

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"

	"filippo.io/age"
	"filippo.io/age/plugin"

	"pistack/secrets"
)

// Allowed is a list of plugins that may be started, by name ("yubikey"). It
// implements secrets.Plugins.
type Allowed struct {
	Names []string
	Log   io.Writer // what plugins say to the user
}

// Recipient parses the recipient of an allowed plugin. Nothing is started yet.
func (a Allowed) Recipient(text string) (age.Recipient, error) {
	name, _, err := plugin.ParseRecipient(text)
	if err != nil {
		return nil, err
	}
	if err := a.check(name); err != nil {
		return nil, err
	}
	r, err := plugin.NewRecipient(text, a.ui())
	if err != nil {
		return nil, err
	}
	return recipient{name, r}, nil
}

// Identity parses the identity of an allowed plugin. Nothing is started yet.
func (a Allowed) Identity(text string) (age.Identity, error) {
	name, _, err := plugin.ParseIdentity(text)
	if err != nil {
		return nil, err
	}
	if err := a.check(name); err != nil {
		return nil, err
	}
	id, err := plugin.NewIdentity(text, a.ui())
	if err != nil {
		return nil, err
	}
	return identity{name, id}, nil
}

func (a Allowed) check(name string) error {
	if slices.Contains(a.Names, name) {
		return nil
	}
	return &secrets.Error{
		Message: fmt.Sprintf("needs the program age-plugin-%s, which is not on the list of allowed plugins", name),
		Fix:     fmt.Sprintf(`if you trust it, allow it with plugins = [%q] in fleet.toml, or for yourself with PISEC_PLUGINS=%s`, name, name),
	}
}

func (a Allowed) ui() *plugin.ClientUI {
	say := func(format string, v ...any) {
		fmt.Fprintln(a.Log, strings.TrimSpace(fmt.Sprintf(format, v...)))
	}
	return plugin.NewTerminalUI(say, say)
}

// recipient and identity say of an error which plugin it comes from.
type recipient struct {
	name string
	*plugin.Recipient
}

// Wrap implements age.Recipient.
func (r recipient) Wrap(fileKey []byte) ([]*age.Stanza, error) {
	stanzas, _, err := r.WrapWithLabels(fileKey)
	return stanzas, err
}

// WrapWithLabels implements age.RecipientWithLabels.
func (r recipient) WrapWithLabels(fileKey []byte) ([]*age.Stanza, []string, error) {
	stanzas, labels, err := r.Recipient.WrapWithLabels(fileKey)
	return stanzas, labels, explain(r.name, err)
}

type identity struct {
	name string
	*plugin.Identity
}

// Unwrap implements age.Identity.
func (i identity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	key, err := i.Identity.Unwrap(stanzas)
	if errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, err // age compares it as it is
	}
	return key, explain(i.name, err)
}

func explain(name string, err error) error {
	if err == nil {
		return nil
	}
	var missing *plugin.NotFoundError
	if errors.As(err, &missing) {
		return &secrets.Error{Message: fmt.Sprintf("age-plugin-%s: not found on PATH", name), Fix: "install it, or use another identity with --identity FILE"}
	}
	return &secrets.Error{Message: "age-plugin-" + name, Err: err, Fix: "it is a program of its own: see what it needs (a touch, a PIN, the token plugged in)"}
}

package main

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/random"
	"pistack/internal/term"
	"pistack/secrets"
)

// readValue takes a value from where the flags say: a generator, a file, the
// terminal, or standard input.
func readValue(c *ucli.Context, name string, hosts []fleet.Host) ([]byte, error) {
	file := c.Path("file")
	if file == "-" {
		file = "" // as without --file
	} else if c.IsSet("file") && file == "" {
		return nil, cli.Usage("--file names no file")
	}
	if c.IsSet("file") && c.IsSet("generate") {
		return nil, cli.Usage("--file and --generate exclude each other")
	}
	if c.IsSet("generate") {
		form, err := formOf(c.String("generate"))
		if err != nil {
			return nil, err
		}
		return form.Value()
	}
	if file == "" && term.IsTerminal(os.Stdin) {
		value, err := term.ReadLine(c.Context, fmt.Sprintf("Value of %s for %s (not shown): ", name, names(hosts)))
		if errors.Is(err, term.ErrSeveralLines) {
			return nil, &secrets.Error{Message: err.Error(), Fix: "nothing was written; a value of several lines comes with --file FILE, or on standard input"}
		}
		return value, err
	}
	value, err := term.Wait(c.Context, func() ([]byte, error) { return readFrom(file) })
	if err != nil {
		return nil, err
	}
	if c.Bool("trim") {
		value = bytes.TrimRight(value, "\r\n")
	} else if secrets.TrailingNewline(value) {
		fmt.Fprintf(c.App.ErrWriter, "note: the value ends in a line break; --trim would remove it\n")
	}
	return value, nil
}

// generateFlag asks for a random value; alone it means the first of the forms.
func generateFlag() ucli.Flag {
	return cli.NewOptionalFlag("generate", "make a random value, of this `FORM`: "+random.Examples, "alnum:32", random.LooksLikeForm)
}

// checkNUL refuses a value with a NUL byte for hosts whose stacks put it into a
// variable: no process can have one there. Elsewhere it is only said.
func checkNUL(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host, name string, value []byte) error {
	if bytes.IndexByte(value, 0) < 0 {
		return nil
	}
	for _, h := range hosts {
		uses := usesOf(f, h, []secrets.Entry{{Name: name}})
		if uses.InEnv[name] {
			return &secrets.Error{
				Message: fmt.Sprintf("the value of %s holds a NUL byte, and %s wants it as a variable, which cannot hold one", name, strings.Join(uses.By[name], ", ")),
				Fix:     "nothing was written; deliver it as a Compose secret file, or encode it (base64)",
			}
		}
	}
	fmt.Fprintf(c.App.ErrWriter, "note: the value holds a NUL byte: a container can have it as a file, not as a variable\n")
	return nil
}

// formOf is the form that a flag asks for.
func formOf(text string) (random.Form, error) {
	form, err := random.ParseForm(text)
	if err != nil {
		return form, cli.Usage("%w", err)
	}
	return form, nil
}

// readFrom reads one byte more than a value may have, so that a larger one is
// refused and not cut.
func readFrom(file string) ([]byte, error) {
	in := os.Stdin
	if file != "" {
		f, err := os.Open(file)
		if err != nil {
			return nil, err
		}
		defer f.Close()
		in = f
	}
	value, err := io.ReadAll(io.LimitReader(in, secrets.MaxValue+1))
	if err != nil {
		return nil, fmt.Errorf("the value cannot be read: %w", err)
	}
	return value, nil
}

func names(hosts []fleet.Host) string {
	var all []string
	for _, h := range hosts {
		all = append(all, h.Name)
	}
	return strings.Join(all, ", ")
}

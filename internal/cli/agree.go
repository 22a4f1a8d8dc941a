package cli

import (
	"errors"
	"os"
	"strings"

	"github.com/urfave/cli/v2"

	"pistack/internal/term"
)

// YesFlag answers every question of a command; see Agree.
func YesFlag() cli.Flag {
	return &cli.BoolFlag{Name: "yes", Aliases: []string{"y"}, Usage: "do not ask"}
}

// DryRunFlag stops a command after it has shown what it would do.
func DryRunFlag() cli.Flag {
	return &cli.BoolFlag{Name: "dry-run", Aliases: []string{"n"}, Usage: "show what would be done, and stop"}
}

// Agree asks before something is changed, unless --yes was given. Without a
// terminal and without it the command is refused.
func Agree(c *cli.Context, question string) error {
	if c.Bool("yes") {
		return nil
	}
	yes, err := term.Confirm(c.Context, question)
	if errors.Is(err, term.ErrNoTerminal) {
		return noTerminal(c)
	}
	if err == nil && !yes {
		err = errors.New("nothing was changed")
	}
	return err
}

// CanAgree refuses a command that will ask, before it does any work, where nobody
// can answer.
func CanAgree(c *cli.Context) error {
	switch {
	case c.Bool("yes"):
		return nil
	case c.Bool("json"):
		return Usage("%s --json does not ask: say --yes", strings.TrimPrefix(c.Command.HelpName, c.App.Name+" "))
	case !term.IsTerminal(os.Stdin):
		return noTerminal(c)
	}
	return nil
}

// AgreeTyping is Agree for what cannot be undone: a word has to be typed.
func AgreeTyping(c *cli.Context, question, word string) error {
	if c.Bool("yes") {
		return nil
	}
	answer, err := term.Ask(c.Context, question+" ")
	if errors.Is(err, term.ErrNoTerminal) {
		return noTerminal(c)
	}
	if err == nil && answer != word {
		err = errors.New("nothing was changed")
	}
	return err
}

func noTerminal(c *cli.Context) error {
	return Usage("%s asks before it changes anything, and there is no terminal: say --yes", strings.TrimPrefix(c.Command.HelpName, c.App.Name+" "))
}

// Package cli is what both commands share of their command line: how an
// urfave/cli app is run, how errors are shown, what exit statuses mean, and
// shell completion.
//
// The answer of a command goes to standard output, everything else to standard
// error.
package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"runtime/debug"
	"strconv"
	"strings"
	"syscall"
	"unicode"

	"github.com/urfave/cli/v2"
)

// Exit statuses, the same in every command.
const (
	ExitOK          = 0   // done
	ExitFailure     = 1   // could not be done
	ExitUsage       = 2   // the command line is wrong
	ExitDifferences = 3   // done, and there is something to report: findings, stale files
	ExitInterrupted = 130 // ended by a signal
)

// ExitHelp documents the exit statuses; every app shows it.
const ExitHelp = "EXIT STATUS: 0 done, 1 failed, 2 wrong usage, 3 findings or differences, 130 interrupted"

// StatusError is an error that ends the process with a certain status. Without
// Err nothing is printed: the command has already said what there is to say.
type StatusError struct {
	Status int
	Err    error
}

func (e *StatusError) Error() string {
	if e.Err == nil {
		return fmt.Sprintf("exit status %d", e.Status)
	}
	return e.Err.Error()
}

func (e *StatusError) Unwrap() error { return e.Err }

// Usage is an error in the command line.
func Usage(format string, args ...any) error {
	return &StatusError{Status: ExitUsage, Err: fmt.Errorf(format, args...)}
}

// Differences ends a command that has reported findings.
func Differences() error { return &StatusError{Status: ExitDifferences} }

// Main runs an app with the process's arguments and returns its exit status.
// SIGINT, SIGTERM and SIGHUP cancel the context of the command, and so does a
// reader of its output that goes away.
func Main(app *cli.App) int {
	unheeded := signal.Ignored(syscall.SIGPIPE)
	defer withoutSIGPIPE()()
	read, end := context.WithCancelCause(context.Background())
	ctx, stop := signal.NotifyContext(read, os.Interrupt, syscall.SIGTERM, syscall.SIGHUP)
	defer stop()
	// The second signal ends a command that does not heed the first.
	context.AfterFunc(ctx, stop)
	out := &stream{file: os.Stdout, end: end, unheeded: unheeded}
	app.Writer, app.ErrWriter = out, &stream{file: os.Stderr, end: end, unheeded: unheeded}
	prepare(app)
	err := heard(ctx, out, app.RunContext(ctx, permute(app, os.Args)))
	if err == nil {
		return ExitOK
	}
	if ctx.Err() != nil && errors.Is(err, context.Canceled) {
		fmt.Fprintf(app.ErrWriter, "%s: interrupted\n", app.Name)
		return ExitInterrupted
	}
	var status *StatusError
	if !errors.As(err, &status) {
		status = &StatusError{Status: ExitFailure, Err: err}
	}
	if status.Err != nil {
		printError(app.ErrWriter, app.Name, status.Err)
	}
	if ctx.Err() != nil {
		return ExitInterrupted
	}
	return status.Status
}

// prepare makes usage errors ours, since urfave/cli would print help to
// standard output and exit by itself.
func prepare(app *cli.App) {
	app.EnableBashCompletion = true
	app.Version = version()
	app.ExitErrHandler = func(*cli.Context, error) {}
	app.OnUsageError = usageError
	if app.Action == nil {
		app.Action = func(c *cli.Context) error {
			if c.Args().Present() {
				return Usage("no command %q; see: %s --help", c.Args().First(), app.Name)
			}
			return cli.ShowAppHelp(c)
		}
	}
	app.Commands = append(app.Commands, completionCommand(app.Name))
	prepareCommands(app.Commands)
}

func prepareCommands(commands []*cli.Command) {
	for _, c := range commands {
		c.OnUsageError = usageError
		if len(c.Subcommands) > 0 && c.Action == nil {
			c.Action = subcommandNeeded
		}
		prepareCommands(c.Subcommands)
	}
}

// subcommandNeeded is the action of a command that only has subcommands.
func subcommandNeeded(c *cli.Context) error {
	var names []string
	for _, sub := range c.Command.Subcommands {
		if sub.Name != "help" {
			names = append(names, sub.Name)
		}
	}
	return Usage("usage: %s %s", c.Command.HelpName, strings.Join(names, "|"))
}

// Version is that of the running program.
func Version() string { return version() }

// version is that of the module or, built in a checkout, the revision.
func version() string {
	info, ok := debug.ReadBuildInfo()
	if !ok {
		return "unknown"
	}
	return info.Main.Version
}

func usageError(c *cli.Context, err error, _ bool) error {
	return Usage("%w; see: %s --help", err, c.Command.HelpName)
}

// Arguments checks the number of arguments; most < 0 means any number.
func Arguments(c *cli.Context, least, most int) error {
	n := c.NArg()
	if n >= least && (most < 0 || n <= most) {
		return nil
	}
	return Usage("usage: %s", strings.TrimSpace(c.Command.HelpName+" "+c.Command.ArgsUsage))
}

// hinted is implemented by errors that know what to do next.
type hinted interface{ Hint() string }

// printError prints each of several joined errors on its own, with its hint.
func printError(w io.Writer, name string, err error) {
	for _, e := range flatten(err) {
		text := strings.ReplaceAll(harmless(strings.TrimSpace(e.Error())), "\n", "\n  ")
		fmt.Fprintf(w, "%s: %s\n", name, text)
		var h hinted
		if errors.As(e, &h) && h.Hint() != "" {
			fmt.Fprintf(w, "  hint: %s\n", harmless(h.Hint()))
		}
	}
}

// harmless writes out what could move a cursor: an error may quote what a machine
// or a file said.
func harmless(text string) string {
	var out strings.Builder
	for _, r := range text {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		quoted := strconv.QuoteRuneToASCII(r)
		out.WriteString(quoted[1 : len(quoted)-1])
	}
	return out.String()
}

func flatten(err error) []error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return []error{err}
	}
	var all []error
	for _, e := range joined.Unwrap() {
		all = append(all, flatten(e)...)
	}
	return all
}

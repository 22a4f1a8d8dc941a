package cli

import (
	"slices"
	"strings"

	"github.com/urfave/cli/v2"
)

// completionFlag is what urfave/cli appends to ask for completions; it has to
// stay the last argument.
const completionFlag = "--generate-bash-completion"

// permute moves a command's flags before its arguments. urfave/cli stops
// reading flags at the first argument, so that "pisec add host NAME --replace"
// would take --replace for a third argument. What follows "--" stays as it is.
func permute(app *cli.App, args []string) []string {
	if n := len(args) - 1; n > 0 && args[n] == completionFlag {
		// Never the value of a flag: the command would run with it.
		return append(permute(app, args[:n]), completionFlag)
	}
	if len(args) == 0 {
		return args
	}
	return append(args[:1:1], permuteLevel(app.Flags, app.Commands, args[1:])...)
}

// permuteLevel moves the flags of the command that the words name, or of its
// subcommand.
func permuteLevel(flags []cli.Flag, commands []*cli.Command, args []string) []string {
	at := 0
	for at < len(args) && strings.HasPrefix(args[at], "-") && args[at] != "--" {
		at += words(flags, args[at])
	}
	if at >= len(args) {
		return args
	}
	if topic := args[at+1:]; args[at] == "help" && len(topic) > 0 {
		// urfave/cli knows only the first word of a topic, and a status of its own
		// for one that is none.
		return permuteLevel(flags, commands, slices.Concat(args[:at], topic, []string{"--help"}))
	}
	i := slices.IndexFunc(commands, func(c *cli.Command) bool { return c.HasName(args[at]) })
	if i < 0 {
		return args
	}
	command, head, tail := commands[i], slices.Clone(args[:at+1]), args[at+1:]
	if len(command.Subcommands) > 0 {
		return append(head, permuteLevel(command.Flags, command.Subcommands, tail)...)
	}
	moved, rest := split(command.Flags, tail, passesOn(command))
	return append(append(head, moved...), rest...)
}

// passesOn tells of a command that hands what follows "--" to another program:
// its usage says so. It finds the "--" among its arguments.
func passesOn(c *cli.Command) bool { return strings.Contains(c.ArgsUsage, "-- ") }

// split sorts words into flags (with their values) and arguments. Of a "--", all
// that follows is an argument; keepDash leaves it among them.
func split(flags []cli.Flag, args []string, keepDash bool) (moved, rest []string) {
	for i := 0; i < len(args); {
		if args[i] == "--" {
			if keepDash {
				rest = append(rest, "--")
			}
			return append(moved, "--"), append(rest, args[i+1:]...)
		}
		if !strings.HasPrefix(args[i], "-") || args[i] == "-" {
			rest = append(rest, args[i])
			i++
			continue
		}
		if slices.Contains(cli.HelpFlag.Names(), strings.TrimLeft(args[i], "-")) {
			return []string{"--help"}, nil // urfave/cli would take an argument for a topic
		}
		if i+1 < len(args) && optionalFits(flags, args[i], args[i+1]) {
			moved = append(moved, args[i]+"="+args[i+1])
			i += 2
			continue
		}
		end := min(i+words(flags, args[i]), len(args))
		moved = append(moved, args[i:end]...)
		i = end
	}
	return moved, rest
}

// words is how many words a flag takes: two when its value is the next one.
func words(flags []cli.Flag, arg string) int {
	name := strings.TrimLeft(arg, "-")
	if strings.Contains(name, "=") {
		return 1
	}
	for _, f := range flags {
		value, ok := f.(cli.DocGenerationFlag)
		if ok && value.TakesValue() && slices.Contains(f.Names(), name) {
			return 2
		}
	}
	return 1
}

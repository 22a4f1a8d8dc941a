package readers

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"

	"pistack/internal/audit"
	"pistack/internal/fleet"
	"pistack/secrets"
)

// PrintReplaced lists the values in use that the old key of a host knows, once that
// has another one: those of Git's history, and those that were never committed. A
// host that had no key has nobody who knows anything.
func PrintReplaced(ctx context.Context, w io.Writer, c *KeyChange) error {
	if c.Old == "" || SameKey(c.Old, c.New) {
		return nil
	}
	now, err := fleet.Load(c.fleet.Root)
	if err != nil {
		return err
	}
	var commands []string
	for _, r := range c.Rekey.Changes {
		commands = append(commands, replaceCommand(r.Entry.Host, r.Entry.Name))
	}
	return printKnown(ctx, w, now, c.Old, "", commands)
}

// PrintKnown lists, from Git's history, the values in use that a key could ever
// read, also those of other hosts, and how each is replaced. Of a host that goes,
// retired, it names those that are nowhere else then; "" for none.
func PrintKnown(ctx context.Context, w io.Writer, f *fleet.Fleet, line, retired string) error {
	return printKnown(ctx, w, f, line, retired, nil)
}

// printKnown adds to commands, which it lists even when there is no history.
func printKnown(ctx context.Context, w io.Writer, f *fleet.Fleet, line, retired string, commands []string) error {
	pattern, err := audit.ParseKey("the old key", []byte(line))
	if err != nil {
		return err
	}
	a, err := audit.Of(ctx, f, false)
	if err != nil {
		printCommands(w, commands)
		fmt.Fprintf(w, "what the old key knows is in Git's history, which could not be read: %v\n", err)
		return nil
	}
	var only []string
	for _, s := range a.View(audit.Query{Named: []audit.Pattern{pattern}}) {
		for _, k := range s.Knows {
			if k.Value.State == secrets.StateReplaced {
				continue
			}
			elsewhere := replacing(k.Value, retired)
			commands = append(commands, elsewhere...)
			if len(elsewhere) == 0 && retired != "" {
				only = append(only, k.Value.Name)
			}
		}
	}
	if len(commands)+len(only) == 0 {
		fmt.Fprintln(w, "the old key knows no value that is in use")
	}
	printCommands(w, commands)
	if len(only) > 0 {
		slices.Sort(only)
		fmt.Fprintln(w, "known to the lost machine only; revoke at the issuer: "+strings.Join(slices.Compact(only), ", "))
	}
	return nil
}

func printCommands(w io.Writer, commands []string) {
	if len(commands) == 0 {
		return
	}
	slices.Sort(commands)
	fmt.Fprintln(w, "the old key knows these values; if it may be in wrong hands, revoke them where they were issued, and replace them:")
	for _, command := range slices.Compact(commands) {
		fmt.Fprintln(w, "  "+command)
	}
}

// replacing is how a value is replaced, wherever it is but on a host that goes.
func replacing(v *secrets.Value, retired string) []string {
	var commands []string
	for _, file := range v.Files {
		host, name := secrets.SecretAt(file)
		if host != retired {
			commands = append(commands, replaceCommand(host, name))
		}
	}
	return commands
}

// replaceCommand gives a secret another value.
func replaceCommand(host, name string) string {
	return fmt.Sprintf("pisec add --replace %s %s", host, name)
}

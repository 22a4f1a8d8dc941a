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

// PrintKnown lists, from Git's history, the values in use that a key could ever
// read, also those of other hosts, and how each is replaced. Of a host that goes,
// retired, it names those that are nowhere else then; "" for none.
func PrintKnown(ctx context.Context, w io.Writer, f *fleet.Fleet, line, retired string) error {
	pattern, err := audit.ParseKey("the old key", []byte(line))
	if err != nil {
		return err
	}
	a, err := audit.Of(ctx, f, false)
	if err != nil {
		fmt.Fprintf(w, "what the old key knows is in Git's history, which could not be read: %v\n", err)
		return nil
	}
	var commands, only []string
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
			commands = append(commands, fmt.Sprintf("pisec add --replace %s %s", host, name))
		}
	}
	return commands
}

package readers

import (
	"context"
	"fmt"
	"io"
	"slices"

	"pistack/internal/audit"
	"pistack/internal/fleet"
	"pistack/secrets"
)

// PrintKnown lists, from Git's history, the values in use that a key could ever
// read, also those of other hosts, and how each is replaced.
func PrintKnown(ctx context.Context, w io.Writer, f *fleet.Fleet, line string) error {
	pattern, err := audit.ParseKey("the old key", []byte(line))
	if err != nil {
		return err
	}
	a, err := audit.Of(ctx, f, false)
	if err != nil {
		fmt.Fprintf(w, "what the old key knows is in Git's history, which could not be read: %v\n", err)
		return nil
	}
	var commands []string
	for _, s := range a.View(audit.Query{Named: []audit.Pattern{pattern}}) {
		for _, k := range s.Knows {
			if k.Value.State != secrets.StateReplaced {
				commands = append(commands, replacing(k.Value)...)
			}
		}
	}
	slices.Sort(commands)
	if len(commands) == 0 {
		fmt.Fprintln(w, "the old key knows no value that is in use")
		return nil
	}
	fmt.Fprintln(w, "the old key knows these values; if it may be in wrong hands, revoke them where they were issued, and replace them:")
	for _, command := range slices.Compact(commands) {
		fmt.Fprintln(w, "  "+command)
	}
	return nil
}

// replacing is how a value is replaced, wherever it is.
func replacing(v *secrets.Value) []string {
	var commands []string
	for _, file := range v.Files {
		host, name := secrets.SecretAt(file)
		commands = append(commands, fmt.Sprintf("pisec add --replace %s %s", host, name))
	}
	return commands
}

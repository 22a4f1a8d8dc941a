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

// PrintLost lists what is to be replaced when a rekey took something from somebody.
func PrintLost(ctx context.Context, w io.Writer, f *fleet.Fleet, plan *secrets.Rekey) {
	if slices.ContainsFunc(plan.Changes, func(r secrets.Rewrap) bool { return len(r.Difference.Loses) > 0 }) {
		trail, err := audit.TrailOf(ctx, f)
		PrintRotation(w, plan, trail, err)
	}
}

// PrintRotation lists the values that somebody knows who shall not read them, by
// who that is. trail knows where the keys of ssh readers stood; it is nil for a
// history that could not be read, and unread says why.
func PrintRotation(w io.Writer, plan *secrets.Rekey, trail *audit.Trail, unread error) {
	var lost []string
	values := map[string][]string{}
	remembered := true
	for _, c := range plan.Changes {
		for _, reader := range lostReaders(c, trail) {
			if values[reader] == nil {
				lost = append(lost, reader)
			}
			values[reader] = append(values[reader], replaceCommand(c.Entry.Host, c.Entry.Name))
		}
		for _, s := range lostStanzas(c) {
			remembered = remembered && trail.Committed(c.Entry, s)
		}
	}
	fmt.Fprintln(w, "lost readers still know these values; if their keys may be in wrong hands, replace them:")
	for _, reader := range lost {
		fmt.Fprintf(w, "%s\n  %s\n", reader, strings.Join(values[reader], "\n  "))
	}
	switch {
	case trail == nil:
		fmt.Fprintf(w, "keep this list: pisec audit needs the history in Git, which could not be read: %v\n", unread)
	case !remembered:
		fmt.Fprintln(w, "pisec audit keeps them listed until each has a new value, but for those that were never committed with these readers")
	default:
		fmt.Fprintln(w, "pisec audit keeps them listed until each has a new value")
	}
}

// lostReaders names the readers that a file loses, by tag and by where the key
// stood.
func lostReaders(c secrets.Rewrap, trail *audit.Trail) []string {
	var names []string
	for _, s := range lostStanzas(c) {
		name := s.String()
		if source, known := trail.Source(s); known {
			name += fmt.Sprintf(", %s until %s", source.File, source.Span.UntilText())
		}
		if !slices.Contains(names, name) {
			names = append(names, name)
		}
	}
	return names
}

func lostStanzas(c secrets.Rewrap) []secrets.Stanza {
	var lost []secrets.Stanza
	for _, s := range c.Entry.Header.Readers {
		if slices.Contains(c.Difference.Loses, s.String()) {
			lost = append(lost, s)
		}
	}
	return lost
}

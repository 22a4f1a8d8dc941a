package main

import (
	"fmt"
	"io"
	"maps"
	"slices"
	"strings"
	"text/tabwriter"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/audit"
	"pistack/internal/cli"
	"pistack/secrets"
)

func printAudit(c *ucli.Context, a *audit.Audit, q audit.Query, shown []audit.Shown) error {
	whole := len(q.Hosts)+len(q.Named) > 0 || q.Wanted
	states := map[string]bool{}
	for _, s := range shown {
		printKey(c.App.Writer, s)
		if err := printKnowledge(c.App.Writer, s, whole, states); err != nil {
			return err
		}
	}
	printLegend(c.App.Writer, states)
	if _, values := audit.Alarms(shown); len(shown) == 0 || !whole && values == 0 {
		fmt.Fprintln(c.App.Writer, nothingShown(q))
	}
	printNotes(c.App.ErrWriter, a, shown)
	return nil
}

func nothingShown(q audit.Query) string {
	if len(q.Named) == 1 {
		return fmt.Sprintf("no header names %s, and it was never pinned or listed", q.Named[0])
	}
	return "no lost key knows a value in use"
}

// printKey says which key it is and where it stood.
func printKey(w io.Writer, s audit.Shown) {
	name := fmt.Sprintf("%s key with tag %s", s.Type, s.Tag)
	if s.Inferred() {
		name = "age recipient " + s.Recipient
	}
	switch {
	case s.Lost():
		name += ": lost"
	case len(s.Key.Knows) == 0:
		name += ": no header names it"
	}
	fmt.Fprintln(w, name)
	for _, source := range s.Sources {
		fmt.Fprintf(w, "  %s from %s until %s", source.File, source.From, source.Span.UntilText())
		if source.Fingerprint != "" {
			fmt.Fprintf(w, ", %s", source.Fingerprint)
		}
		fmt.Fprintln(w)
	}
	if len(s.Sources) == 0 {
		fmt.Fprintln(w, "  the key itself was never in the repository")
	}
	if s.Inferred() {
		fmt.Fprintln(w, "  inferred from fleet.toml, not proven: headers do not name age keys")
	}
}

// printKnowledge lists the values that a key knows; without whole only those that
// are to be replaced.
func printKnowledge(w io.Writer, s audit.Shown, whole bool, states map[string]bool) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	left := map[string]int{}
	listed := 0
	for _, k := range s.Knows {
		if !whole && !k.Alarm() {
			left[k.Value.State]++
			continue
		}
		if listed == 0 {
			fmt.Fprintln(t, "  HOST\tNAME\tVALUE\tREADABLE FROM\tUNTIL\tNEXT")
		}
		listed++
		states[k.Value.State] = true
		host, name := placeOf(k.Value)
		fmt.Fprintf(t, "  %s\t%s\t%s\t%s\t%s\t%s\n", host, name, k.Value.State, k.From, k.Span.UntilText(), orDash(strings.Join(nextFor(k), " && ")))
	}
	if err := t.Flush(); err != nil {
		return err
	}
	printLeftOut(w, s, left)
	return nil
}

// printLeftOut says what else a key knows, by state, and how to see it.
func printLeftOut(w io.Writer, s audit.Shown, left map[string]int) {
	var parts []string
	for _, state := range slices.Sorted(maps.Keys(left)) {
		parts = append(parts, fmt.Sprintf("%d %s", left[state], state))
	}
	if len(parts) > 0 {
		how := "--wanted"
		if s.Tag != "" {
			how = "pisec audit --tag " + s.Tag
		}
		fmt.Fprintf(w, "  values not listed: %s; see: %s\n", strings.Join(parts, ", "), how)
	}
	if s.Wanted > 0 {
		fmt.Fprintf(w, "  values that it shall read: %d; see: --wanted\n", s.Wanted)
	}
}

func printLegend(w io.Writer, states map[string]bool) {
	for _, l := range []struct{ state, text string }{
		{secrets.StateUnknown, "its file cannot be read, so that nobody can tell"},
		{secrets.StateReplaced, "its file holds another value since"},
		{secrets.StateGone, "its file was deleted; what the value opens may still take it"},
	} {
		if states[l.state] {
			fmt.Fprintf(w, "%s: %s\n", l.state, l.text)
		}
	}
}

// printNotes says what the answer rests on, what it lacks, and what it amounts to.
func printNotes(w io.Writer, a *audit.Audit, shown []audit.Shown) {
	for _, note := range notesOf(a) {
		fmt.Fprintf(w, "note: %s\n", note)
	}
	open := map[string]bool{}
	for _, s := range shown {
		for _, k := range s.Knows {
			if k.Alarm() && k.Now {
				open[rekeyFor(s)] = true
			}
		}
	}
	for _, command := range slices.Sorted(maps.Keys(open)) {
		fmt.Fprintf(w, "note: a lost key can still open files of the work tree: %s\n", command)
	}
	keys, values := audit.Alarms(shown)
	fmt.Fprintf(w, "looked at %s and the work tree, %s of secrets: %s %s in use\n", cli.Count(a.Commits, "commit"), cli.Count(a.Files, "version"),
		counted(keys, "lost key knows", "lost keys know"), cli.Count(values, "value"))
	if values > 0 {
		fmt.Fprintln(w, `hint: a value that only has to be random can be replaced with "pisec rotate HOST NAME"`)
	}
}

// rekeyFor is how a key loses files: what a header does not show needs --all.
func rekeyFor(s audit.Shown) string {
	if s.Inferred() {
		return "pisec rekey --all"
	}
	return "pisec rekey"
}

func notesOf(a *audit.Audit) []string {
	var notes []string
	note := func(format string, args ...any) { notes = append(notes, fmt.Sprintf(format, args...)) }
	if a.Clone.Head == "" {
		note("nothing is committed here yet: only the work tree could be looked at")
	}
	if a.Clone.Shallow {
		note("this clone is shallow, and older history was not looked at: git fetch --unshallow")
	}
	if a.Absent > 0 {
		note("%s not in this clone or too large: not looked at", counted(a.Absent, "version is", "versions are"))
	}
	if a.Skipped > 0 {
		note("%s no age file: passed over", counted(a.Skipped, "version of a secret's file is", "versions of secrets' files are"))
	}
	for _, t := range slices.Sorted(maps.Keys(a.Types)) {
		note("%s a reader of type %s, whom the header does not name; what is said of such readers is inferred from fleet.toml", counted(a.Types[t], "version has", "versions have"), t)
	}
	return notes
}

// counted writes a number with words that do not just take an "s".
func counted(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return fmt.Sprintf("%d %s", n, many)
}

// placeOf is where a value stands or, when it does not, stood.
func placeOf(v *secrets.Value) (host, name string) {
	if len(v.Files) > 0 {
		return secrets.SecretAt(v.Files[0])
	}
	return v.Host, v.Name
}

// nextFor says what to type so that a value is no longer in use.
func nextFor(k audit.Knowledge) []string {
	if !k.Alarm() {
		return nil
	}
	files := k.Value.Files
	if len(files) == 0 {
		files = []string{secrets.File(k.Value.Host, k.Value.Name)}
	}
	var commands []string
	for _, file := range files {
		host, name := secrets.SecretAt(file)
		commands = append(commands, fmt.Sprintf("pisec add --replace %s %s", host, name))
	}
	return commands
}

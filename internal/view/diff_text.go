package view

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"pistack/compose/changes"
	"pistack/internal/compare"
)

// DiffText writes a report for people at a terminal; colour is for those that
// have it, and says nothing that words do not.
func DiffText(w io.Writer, r compare.Report, colour bool) error {
	t := &diffText{page{colour: colour}}
	if r.Empty() {
		t.line("no difference between %s and %s: %s compared", clean(r.Base), clean(r.Head), counted(r.Compared, "host"))
	} else {
		t.report(r)
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

// diffText builds the text.
type diffText struct{ page }

func (t *diffText) report(r compare.Report) {
	if all := dangers(r); len(all) > 0 {
		t.section("dangers")
		for _, d := range all {
			t.line("  %s %s: %s [%s]", t.paint("31", "!"), clean(d.where), clean(d.Message), d.Code)
		}
	}
	found := groups(r)
	t.table(found)
	t.secrets(r)
	for _, g := range found {
		if len(g.stack.Details) > 0 {
			t.section(fmt.Sprintf("%s on %s", clean(g.stack.Name), clean(g.where())))
			t.details(g.stack.Details)
		}
	}
	t.settings(r)
	t.rest(r)
	t.out.WriteString("\n")
	t.line("%s (%s against %s)", totals(r), clean(r.Head), clean(r.Base))
}

// table is host, stack, service, effect and cause, a line each.
func (t *diffText) table(found []group) {
	rows := [][]string{{"HOST", "STACK", "SERVICE", "EFFECT", "CAUSE"}}
	for _, g := range found {
		for _, s := range g.stack.Services {
			rows = append(rows, []string{g.where(), g.stack.Name, s.Name, string(s.Effect), strings.Join(s.Causes, "; ")})
		}
	}
	if len(rows) == 1 {
		return
	}
	if t.out.Len() > 0 {
		t.out.WriteString("\n")
	}
	tab := tabwriter.NewWriter(&t.out, 0, 0, 2, ' ', 0)
	for _, row := range rows {
		for i := range row {
			row[i] = clean(row[i])
		}
		fmt.Fprintln(tab, strings.Join(row, "\t"))
	}
	_ = tab.Flush() // a strings.Builder takes everything
}

func (t *diffText) secrets(r compare.Report) {
	first := true
	for _, h := range r.Hosts {
		for _, s := range h.Secrets {
			if first {
				t.section("secrets")
				first = false
			}
			t.line("  %s %s %s: %s", sign(s.Change == compare.SecretAdded, s.Change == compare.SecretRemoved), h.Name, clean(s.Name), clean(secretText(s)))
		}
	}
}

func (t *diffText) details(all []changes.Detail) {
	for _, d := range all {
		mark := sign(d.Old == nil, d.New == nil)
		code := map[string]string{"+": "32", "-": "31", "~": "33"}[mark]
		text := clean(deref(d.Old, "")) + " -> " + clean(deref(d.New, ""))
		if d.Old == nil {
			text = clean(*d.New)
		} else if d.New == nil {
			text = clean(*d.Old)
		}
		t.line("  %s %s: %s", t.paint(code, mark), clean(d.Path), text)
	}
}

// settings are those of fleet.toml and of hosts.
func (t *diffText) settings(r compare.Report) {
	if len(r.Fleet) > 0 {
		t.section("fleet.toml")
		t.details(r.Fleet)
	}
	for _, h := range r.Hosts {
		if h.Status != compare.Changed || len(h.Settings) > 0 {
			t.section(fmt.Sprintf("host %s (%s)", h.Name, h.Status))
			t.details(h.Settings)
		}
	}
}

// rest is what was not compared.
func (t *diffText) rest(r compare.Report) {
	if len(r.Nix) > 0 {
		t.section("changed for NixOS, which alone knows the effect")
		for _, file := range r.Nix {
			t.line("  ~ %s%s", clean(file), nixNote(file))
		}
	}
	if len(r.Findings) > 0 {
		t.section("not compared")
		for _, f := range r.Findings {
			t.line("  %s: %s", f.Side, clean(f.Finding.String()))
			if f.Fix != "" {
				t.line("    hint: %s", clean(f.Fix))
			}
		}
	}
}

// nixNote warns of what a newer nixpkgs brings along.
func nixNote(file string) string {
	if file == "flake.lock" {
		return ": another version of Docker Compose may recreate every container"
	}
	return ""
}

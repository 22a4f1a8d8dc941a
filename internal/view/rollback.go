package view

import (
	"fmt"
	"io"
	"strings"
	"text/tabwriter"

	"pistack/internal/deploy"
	"pistack/internal/rollback"
)

// RollbackText writes the generations of a machine, and what going back to one of
// them will do. Nothing of h but its warnings counts when it has a problem.
func RollbackText(w io.Writer, all []rollback.Generation, to rollback.Generation, h deploy.HostPlan, colour bool) error {
	t := &page{colour: colour}
	t.generations(all, to)
	t.line("")
	t.line("%s: back to generation %d, %s", t.paint(bold, clean(h.Host.Name)), to.Number, cleanTo(to.Path, maxLine))
	for _, warning := range h.Warnings {
		t.line("  %s", t.paint(yellow, "warning: "+said(warning)))
	}
	switch {
	case h.Problem != nil:
		for _, p := range problems(h.Problem) {
			for _, line := range append(p.lines(h.Host.Name), p.advice()...) {
				t.line("  %s", line)
			}
		}
	case h.Unchanged:
		t.line("  it runs and boots that system already: nothing to do")
	default:
		t.effects(h)
	}
	_, err := io.WriteString(w, t.out.String())
	return err
}

func (p *page) generations(all []rollback.Generation, to rollback.Generation) {
	var lines strings.Builder
	tab := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "GENERATION\tMADE\tSYSTEM\tREVISION\tDEPLOYED BY\t")
	for _, g := range all {
		revision, by := "-", "-"
		if d := g.Deployed; d != nil {
			revision, by = deployedRevision(d.Revision, d.Dirty), clean(d.By)
		}
		fmt.Fprintf(tab, "%d\t%s\t%s\t%s\t%s\t%s\n", g.Number, g.Made(), short(g.Path), revision, by, strings.Join(marks(g, to), ", "))
	}
	_ = tab.Flush() // a strings.Builder takes everything
	for i, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
		code := ""
		switch {
		case i == 0:
			code = bold
		case all[i-1].Number == to.Number:
			code = yellow
		}
		p.line("%s", p.paint(code, strings.TrimRight(line, " ")))
	}
}

func marks(g, to rollback.Generation) []string {
	var words []string
	if g.Current {
		words = append(words, "boots")
	}
	if g.Running {
		words = append(words, "runs")
	}
	if g.Number == to.Number {
		words = append(words, "chosen")
	}
	return words
}

func (p *page) effects(h deploy.HostPlan) {
	byAction := map[deploy.UnitAction][]string{}
	for _, u := range h.Units {
		byAction[u.Action] = append(byAction[u.Action], clean(u.Unit))
	}
	for _, action := range []deploy.UnitAction{deploy.UnitStop, deploy.UnitStart, deploy.UnitRestart, deploy.UnitReload} {
		if names := byAction[action]; len(names) > 0 {
			p.line("  will %s %s", action, some(names, listedUnits))
		}
	}
	for _, image := range h.Images {
		p.line("  will pull %s", cleanTo(image.Reference, maxLine))
	}
	if h.Reboot {
		p.line("  needs a reboot for its kernel: pistack reboot %s", clean(h.Host.Name))
	}
}

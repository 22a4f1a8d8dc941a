package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	"pistack/internal/status"
)

// StatusText writes how hosts are: a table, then what was found of those that are
// not in sync. height bounds the lines, for a terminal; 0 for all.
func StatusText(w io.Writer, r status.Report, colour bool, height int) error {
	t := &statusText{page{colour: colour}}
	t.table(r)
	for _, h := range r.Hosts {
		if len(h.Findings) > 0 {
			t.host(h)
		}
	}
	if t.out.Len() > 0 {
		t.line("")
	}
	t.line("%s", statusTotal(r))
	_, err := io.WriteString(w, cutTo(t.out.String(), height))
	return err
}

// cutTo keeps the first lines of a text, and says how many are left out.
func cutTo(text string, height int) string {
	lines := strings.SplitAfter(strings.TrimSuffix(text, "\n"), "\n")
	if height < 2 || len(lines) <= height {
		return text
	}
	return strings.Join(lines[:height-1], "") + fmt.Sprintf("… and %s more", counted(len(lines)-height+1, "line"))
}

type statusText struct{ page }

// table is painted by line, since colours have no width that a tabwriter knows.
func (t *statusText) table(r status.Report) {
	if len(r.Hosts) == 0 {
		return
	}
	var lines strings.Builder
	tab := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "HOST\tSTATUS\tSYSTEM\tGENERATION\tREVISION\tCONTAINERS\tDEPLOYED")
	for _, h := range r.Hosts {
		fmt.Fprintln(tab, strings.Join(statusRow(h, r), "\t"))
	}
	_ = tab.Flush() // a strings.Builder takes everything
	for i, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
		code := bold
		if i > 0 {
			code = statusColour(r.Hosts[i-1].Verdict)
		}
		t.line("%s", t.paint(code, line))
	}
}

func statusRow(h status.Host, r status.Report) []string {
	row := []string{clean(h.Facts.Host.Name), string(h.Verdict), "-", "-", "-", "-", "-"}
	if h.Err != nil {
		return row
	}
	if h.Survey.Running != "" {
		row[2] = short(h.Survey.Running)
	}
	if h.Survey.Generation > 0 {
		row[3] = fmt.Sprint(h.Survey.Generation)
	}
	if up, all := h.Up(); all > 0 {
		row[5] = fmt.Sprintf("%d of %d up", up, all)
	}
	if d := h.Receipt; d != nil {
		row[4] = deployedRevision(d.Revision, d.Dirty)
		row[6] = fmt.Sprintf("%s ago by %s", elapsed(r.Time.Sub(d.Ended)), clean(d.By))
	}
	return row
}

// deployedRevision is a commit, and whether something was on top of it.
func deployedRevision(revision string, dirty bool) string {
	switch {
	case revision == "":
		return "-"
	case dirty:
		return shortRevision(revision) + "+changes"
	}
	return shortRevision(revision)
}

func statusColour(c status.Code) string {
	switch c {
	case status.InSync:
		return green
	case status.Unreachable, status.Drifted, status.Failed, status.UndoPending:
		return red
	}
	return yellow
}

func (t *statusText) host(h status.Host) {
	t.section(clean(h.Facts.Host.Name) + ": " + string(h.Verdict))
	for _, f := range h.Findings {
		lines := cleanLines(strings.TrimPrefix(f.Text, h.Facts.Host.Name+": "))
		if len(lines) == 0 {
			continue
		}
		t.line("  %s", t.paint(findingColour(f.Code), string(f.Code)+": "+lines[0]))
		for _, line := range lines[1:] {
			t.line("    %s", line)
		}
		for _, line := range (problem{Hint: f.Fix}).advice() {
			t.line("  %s", line)
		}
	}
}

func findingColour(c status.Code) string {
	if c == status.Note {
		return faint
	}
	return statusColour(c)
}

// statusTotal counts the verdicts, in sync first.
func statusTotal(r status.Report) string {
	var order []status.Code
	count := map[status.Code]int{}
	for _, h := range r.Hosts {
		if count[h.Verdict]++; count[h.Verdict] == 1 {
			order = append(order, h.Verdict)
		}
	}
	slices.SortStableFunc(order, func(a, b status.Code) int { return rankOf(a) - rankOf(b) })
	words := make([]string, 0, len(order))
	for _, c := range order {
		words = append(words, fmt.Sprintf("%d %s", count[c], c))
	}
	text := counted(len(r.Hosts), "host")
	if len(words) > 0 {
		text += ": " + strings.Join(words, ", ")
	}
	return text
}

func rankOf(c status.Code) int {
	if c == status.InSync {
		return 0
	}
	return 1
}

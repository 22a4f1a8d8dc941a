package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"
	"time"

	"pistack/internal/deploy"
)

// SummaryText writes what became of all hosts: a table, then all there is to
// know about those that did not come out well.
func SummaryText(w io.Writer, results []deploy.Result, colour bool) error {
	t := &summaryText{page{colour: colour}}
	t.table(results)
	t.meanings(results)
	for _, r := range results {
		if !r.Outcome.Good() || len(r.Warnings) > 0 {
			t.result(r)
		}
	}
	if t.out.Len() > 0 {
		t.line("")
	}
	t.line("%s", summaryTotal(results))
	_, err := io.WriteString(w, t.out.String())
	return err
}

// summaryText builds the text.
type summaryText struct{ page }

// table is painted by line, since colours have no width that a tabwriter knows.
func (t *summaryText) table(results []deploy.Result) {
	if len(results) == 0 {
		return
	}
	var lines strings.Builder
	tab := tabwriter.NewWriter(&lines, 0, 0, 2, ' ', 0)
	fmt.Fprintln(tab, "HOST\tOUTCOME\tGENERATION\tTIME")
	for _, r := range results {
		generation := "-"
		if r.Generation > 0 {
			generation = fmt.Sprint(r.Generation)
		}
		fmt.Fprintf(tab, "%s\t%s\t%s\t%s\n", clean(r.Host), clean(string(r.Outcome)), generation, elapsed(r.Ended.Sub(r.Begun)))
	}
	_ = tab.Flush() // a strings.Builder takes everything
	for i, line := range strings.Split(strings.TrimSuffix(lines.String(), "\n"), "\n") {
		code := bold
		if i > 0 {
			code = resultColour(results[i-1].Outcome)
		}
		t.line("%s", t.paint(code, line))
	}
}

// meanings explains the outcomes that a word does not explain.
func (t *summaryText) meanings(results []deploy.Result) {
	count := countResults(results).Outcomes
	first := true
	for _, m := range outcomeMeanings() {
		if count[m.outcome] == 0 {
			continue
		}
		if first {
			t.line("")
			first = false
		}
		t.line("%s", t.paint(faint, string(m.outcome)+": "+m.text))
	}
}

type outcomeMeaning struct {
	outcome deploy.Outcome
	text    string
}

func outcomeMeanings() []outcomeMeaning {
	return []outcomeMeaning{
		{deploy.Recorded, "ran the system already; its receipt names this commit now"},
		{deploy.Staged, "boots the new system, and still runs the old one"},
		{deploy.Tested, "runs the new system until it reboots"},
		{deploy.Dry, "nothing was changed"},
		{deploy.Refused, "nothing was changed"},
		{deploy.RolledBack, "runs exactly what it ran before"},
		{deploy.Unknown, "what it runs could not be read, or is neither the old nor the new system"},
		{deploy.NotReached, "its turn never came; nothing was changed"},
		{deploy.Interrupted, "nothing was changed"},
	}
}

func (t *summaryText) result(r deploy.Result) {
	title := clean(r.Host) + ": " + clean(string(r.Outcome))
	if r.Phase != "" && !r.Outcome.Good() {
		title += " (last phase: " + clean(string(r.Phase)) + ")"
	}
	t.section(title)
	for _, p := range problems(r.Err) {
		for _, line := range slices.Concat(p.lines(r.Host), p.advice()) {
			t.line("  %s", line)
		}
	}
	for _, text := range r.Warnings {
		t.line("  %s", t.paint(yellow, "warning: "+said(text)))
	}
	if r.Outcome.Good() {
		return
	}
	t.systems(r)
	if len(r.Last) > 0 {
		t.line("  last lines:")
		for _, line := range lastSaid(r.Last) {
			t.line("%s", strings.TrimRight("    "+quote+line, " "))
		}
	}
	if r.Log != "" {
		t.line("  full log: %s", cleanTo(r.Log, maxCommand))
	}
}

// systems are whole store paths: one may have to look at them, or go to one.
func (t *summaryText) systems(r deploy.Result) {
	if r.Old != "" {
		t.line("  old system: %s", cleanTo(r.Old, maxLine))
	}
	if r.New != "" {
		t.line("  new system: %s", cleanTo(r.New, maxLine))
	}
}

// summaryTotal counts the outcomes, the good ones first.
func summaryTotal(results []deploy.Result) string {
	var order []deploy.Outcome
	count := map[deploy.Outcome]int{}
	for _, good := range []bool{true, false} {
		for _, r := range results {
			if r.Outcome.Good() != good {
				continue
			}
			if count[r.Outcome]++; count[r.Outcome] == 1 {
				order = append(order, r.Outcome)
			}
		}
	}
	words := make([]string, 0, len(order))
	for _, o := range order {
		words = append(words, fmt.Sprintf("%d %s", count[o], clean(string(o))))
	}
	text := counted(len(results), "host")
	if len(words) > 0 {
		text += ": " + strings.Join(words, ", ")
	}
	if d := span(results); d >= time.Second {
		text += "; " + elapsed(d)
	}
	return text
}

// span is the time from the first beginning to the last end.
func span(results []deploy.Result) time.Duration {
	var begun, ended time.Time
	for _, r := range results {
		if !r.Begun.IsZero() && (begun.IsZero() || r.Begun.Before(begun)) {
			begun = r.Begun
		}
		if r.Ended.After(ended) {
			ended = r.Ended
		}
	}
	if begun.IsZero() {
		return 0
	}
	return ended.Sub(begun)
}

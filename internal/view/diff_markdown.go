package view

import (
	"fmt"
	"io"
	"strings"

	"pistack/compose/changes"
	"pistack/internal/compare"
)

// Marker is the first line of a comment. A bot finds its own comment by it, and
// writes that one anew.
const Marker = "<!-- pistack-diff -->"

// maxComment bounds a comment, in bytes; GitHub takes 65,536 characters.
const maxComment = 60_000

// reserved is what a comment keeps free for the note that something is left out.
const reserved = 200

// DiffMarkdown writes a report as a comment on a pull request.
func DiffMarkdown(w io.Writer, r compare.Report) error {
	m := &diffMarkdown{}
	if r.Empty() {
		m.add("%s\n### pistack diff: no difference\n\n%s compared: %s against %s.\n", Marker, counted(r.Compared, "host"), code(r.Head), code(r.Base))
	} else {
		m.report(r)
	}
	_, err := io.WriteString(w, m.out.String())
	return err
}

// diffMarkdown builds a comment. What does not fit is counted.
type diffMarkdown struct {
	out     strings.Builder
	leftOut int
}

// add appends a block as a whole, or not at all. Once something did not fit,
// nothing is added any more: what comes first matters most.
func (m *diffMarkdown) add(format string, args ...any) {
	text := fmt.Sprintf(format, args...)
	if m.leftOut > 0 || m.out.Len()+len(text)+reserved > maxComment {
		m.leftOut++
		return
	}
	m.out.WriteString(text)
}

func (m *diffMarkdown) report(r compare.Report) {
	m.add("%s\n### pistack diff: %s\n\n%s against %s.\n", Marker, totals(r), code(r.Head), code(r.Base))
	if all := dangers(r); len(all) > 0 {
		m.add("\n**Dangers**\n\n")
		for _, d := range all {
			m.add("- :warning: %s: %s (%s)\n", code(d.where), code(d.Message), d.Code)
		}
	}
	found := groups(r)
	m.table(found)
	m.secrets(r)
	m.rest(r)
	for _, g := range found {
		if len(g.stack.Details) > 0 {
			m.block(fmt.Sprintf("%s on %s: %s", code(g.stack.Name), code(g.where()), g.effects()), g.stack.Details)
		}
	}
	if len(r.Fleet) > 0 {
		m.block("fleet.toml", r.Fleet)
	}
	for _, h := range r.Hosts {
		if len(h.Settings) > 0 {
			m.block("host "+code(h.Name), h.Settings)
		}
	}
	if m.leftOut > 0 {
		fmt.Fprintf(&m.out, "\n%s left out, since a comment has an end. All of it: <code>pistack diff</code>\n", counted(m.leftOut, "part"))
	}
}

func (m *diffMarkdown) table(found []group) {
	first := true
	for _, g := range found {
		for _, s := range g.stack.Services {
			if first {
				m.add("\n| host | stack | service | effect | cause |\n| --- | --- | --- | --- | --- |\n")
				first = false
			}
			m.add("| %s | %s | %s | **%s** | %s |\n", code(g.where()), code(g.stack.Name), code(s.Name), s.Effect, code(strings.Join(s.Causes, "; ")))
		}
	}
}

func (m *diffMarkdown) secrets(r compare.Report) {
	first := true
	for _, h := range r.Hosts {
		for _, s := range h.Secrets {
			if first {
				m.add("\n**Secrets**\n\n")
				first = false
			}
			m.add("- %s %s: %s\n", code(h.Name), code(s.Name), code(secretText(s)))
		}
	}
}

// rest are hosts that come and go, and what was not compared.
func (m *diffMarkdown) rest(r compare.Report) {
	for _, h := range r.Hosts {
		if h.Status != compare.Changed {
			m.add("\nHost %s is %s.\n", code(h.Name), h.Status)
		}
	}
	if len(r.Nix) > 0 {
		m.add("\nChanged for NixOS, which alone knows the effect:\n\n")
		for _, file := range r.Nix {
			m.add("- %s%s\n", code(file), nixNote(file))
		}
	}
	if len(r.Findings) > 0 {
		m.add("\n**Not compared**\n\n")
		for _, f := range r.Findings {
			m.add("- %s: %s\n", f.Side, code(f.Finding.String()))
		}
	}
}

// block is a list of details that one has to open. In a fenced block nothing
// has a meaning but a fence.
func (m *diffMarkdown) block(summary string, all []changes.Detail) {
	var lines strings.Builder
	for _, d := range all {
		fmt.Fprintf(&lines, "@@ %s @@\n", clean(d.Path))
		if d.Old != nil {
			fmt.Fprintf(&lines, "- %s\n", clean(*d.Old))
		}
		if d.New != nil {
			fmt.Fprintf(&lines, "+ %s\n", clean(*d.New))
		}
	}
	fence := fenceFor(lines.String())
	m.add("\n<details><summary>%s</summary>\n\n%sdiff\n%s%s\n\n</details>\n", summary, fence, lines.String(), fence)
}

// fenceFor is longer than any row of backticks in a text.
func fenceFor(text string) string {
	longest, run := 0, 0
	for _, r := range text {
		if r != '`' {
			run = 0
			continue
		}
		run++
		longest = max(longest, run)
	}
	return strings.Repeat("`", max(3, longest+1))
}

// code is a text that means nothing: in <code> GitHub makes no mention and no
// link, and as numbers the characters mean nothing to Markdown, in a table cell
// and elsewhere. After @ an invisible character keeps it from being an address.
func code(text string) string {
	var out strings.Builder
	out.WriteString("<code>")
	for _, r := range clean(text) {
		switch {
		case r == '@':
			out.WriteString("&#64;&#8203;")
		case r < 0x80 && r != ' ' && r != '-' && r != ',' && !alphanumeric(r):
			fmt.Fprintf(&out, "&#%d;", r)
		default:
			out.WriteRune(r)
		}
	}
	out.WriteString("</code>")
	return out.String()
}

func alphanumeric(r rune) bool {
	return r >= '0' && r <= '9' || r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z'
}

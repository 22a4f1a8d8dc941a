package view

import (
	"io"
	"strings"
	"sync"
	"unicode"
)

// maxOutput bounds a line of a program's output on a terminal, in characters.
const maxOutput = 16 << 10

// Output writes lines that machines wrote. On a terminal nothing in them has an
// effect on it: colours are taken out, and what is not printable is escaped. What
// is not for a terminal comes through as it is. Calls may overlap.
type Output struct {
	mu       sync.Mutex
	w        io.Writer
	terminal bool
	width    int // of the widest prefix
}

// NewOutput writes to w. names are the prefixes that are to come.
func NewOutput(w io.Writer, terminal bool, names ...string) *Output {
	o := &Output{w: w, terminal: terminal}
	for _, name := range names {
		o.width = max(o.width, len(name))
	}
	return o
}

// Line writes a line; name is who wrote it, "" for nobody in particular.
func (o *Output) Line(name, text string) {
	if o.terminal {
		text = harmless(text)
	}
	if name != "" {
		text = name + strings.Repeat(" ", max(o.width-len(name), 0)) + " | " + text
	}
	o.mu.Lock()
	defer o.mu.Unlock()
	_, _ = io.WriteString(o.w, text+"\n") // standard output keeps the error
}

// harmless makes a line of output one that does nothing to a terminal.
func harmless(text string) string {
	text = control.ReplaceAllString(bounded(text, 4*maxOutput), "")
	parts := strings.Split(text, "\t") // columns stay columns
	for i, part := range parts {
		parts[i] = cleanTo(part, maxOutput)
	}
	return strings.TrimRightFunc(strings.Join(parts, "\t"), unicode.IsSpace)
}

package view

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"
)

const (
	maxValue   = 160  // characters of a value that are shown
	maxLine    = 500  // of a line of an error, a log or a warning
	maxCommand = 4000 // of a command, which somebody may want to copy as a whole
	maxLines   = 20   // lines of an error or a log
)

// clean makes a text one line that does nothing to a terminal: what is not
// printable is escaped, and what is long is cut.
func clean(text string) string { return cleanTo(text, maxValue) }

// cleanTo is clean with another bound, in characters.
func cleanTo(text string, most int) string {
	var out strings.Builder
	n := 0
	for _, r := range text {
		if n++; n > most {
			out.WriteString("…")
			break
		}
		if unicode.IsPrint(r) {
			out.WriteRune(r)
			continue
		}
		out.WriteString(escaped(r))
	}
	return out.String()
}

// escaped is how Go writes a character that is not printable.
func escaped(r rune) string {
	quoted := fmt.Sprintf("%+q", string(r))
	return quoted[1 : len(quoted)-1]
}

// cleanLines makes a text clean lines, of which the first are kept.
func cleanLines(text string) []string {
	var out []string
	for line := range strings.Lines(strings.TrimSpace(text)) {
		if len(out) == maxLines {
			return append(out, "…")
		}
		out = append(out, cleanTo(strings.TrimRight(line, "\r\n \t"), maxLine))
	}
	return out
}

// control is a sequence by which programs colour their lines.
var control = regexp.MustCompile(`\x1b\[[0-9;:?]*[@-~]`)

// said makes a line of a child process one that can be shown: without colours,
// and of what was written over itself only the last.
func said(text string) string {
	text = strings.TrimRight(bounded(text, 4*maxLine), "\r\n \t")
	text = text[strings.LastIndexByte(text, '\r')+1:]
	return cleanTo(control.ReplaceAllString(text, ""), maxLine)
}

// lastSaid are the last lines of several, as shown.
func lastSaid(lines []string) []string {
	var out []string
	for _, line := range lines[max(0, len(lines)-maxLines):] {
		out = append(out, said(line))
	}
	return out
}

// bounded cuts a text to a number of bytes, between two characters, and shares
// no memory with what was cut off.
func bounded(text string, most int) string {
	if len(text) <= most {
		return text
	}
	for most > 0 && !utf8.RuneStart(text[most]) {
		most--
	}
	return strings.Clone(text[:most]) + "…"
}

// ourColour is what paint writes.
var ourColour = regexp.MustCompile(`\x1b\[[0-9]{1,2}m`)

// rendered lets through what a renderer of this package made of a text: its
// colours, if wanted, and nothing else that is not printable.
func rendered(line string, colour bool) string {
	var out strings.Builder
	end := 0
	for _, at := range ourColour.FindAllStringIndex(line, -1) {
		out.WriteString(cleanTo(line[end:at[0]], len(line)))
		if colour {
			out.WriteString(line[at[0]:at[1]])
		}
		end = at[1]
	}
	out.WriteString(cleanTo(line[end:], len(line)))
	return out.String()
}

// columns is how much room a character takes on a terminal. One that combines
// with the last takes none, and is counted all the same: a line may be shorter
// than it was computed, never longer.
func columns(r rune) int {
	for _, wide := range [][2]rune{
		{0x1100, 0x115f}, {0x231a, 0x231b}, {0x2329, 0x232a}, {0x23e9, 0x23f3}, {0x25fd, 0x25fe}, {0x2600, 0x27bf}, {0x2b1b, 0x2b55},
		{0x2e80, 0xa4cf}, {0xa960, 0xa97c}, {0xac00, 0xd7a3}, {0xf900, 0xfaff}, {0xfe10, 0xfe19}, {0xfe30, 0xfe6f}, {0xff00, 0xff60},
		{0xffe0, 0xffe6}, {0x16fe0, 0x1b2fb}, {0x1f000, 0x1faff}, {0x20000, 0x3fffd},
	} {
		if r < wide[0] {
			return 1
		}
		if r <= wide[1] {
			return 2
		}
	}
	return 1
}

// across is how many columns a clean text takes.
func across(text string) int {
	n := 0
	for _, r := range text {
		n += columns(r)
	}
	return n
}

// fit cuts a clean text to a number of columns.
func fit(text string, width int) string {
	if width <= 0 {
		return ""
	}
	room, end := width, 0 // end is where the text is cut, if it is
	for i, r := range text {
		if room -= columns(r); room < 0 {
			return text[:end] + "…"
		}
		if room >= 1 {
			end = i + utf8.RuneLen(r)
		}
	}
	return text
}

package view

import (
	"bytes"
	"encoding/json"
	"fmt"
	"io"
	"time"
	"unicode"
	"unicode/utf16"
)

// maxText bounds a text in JSON, in bytes.
const maxText = 8 << 10

// writeJSON writes a value and a line break. JSON may be read at a terminal, so
// everything that is not printable is escaped; the value stays the same.
func writeJSON(w io.Writer, value any, indent string) error {
	var text bytes.Buffer
	e := json.NewEncoder(&text)
	e.SetEscapeHTML(false)
	e.SetIndent("", indent)
	if err := e.Encode(value); err != nil {
		return err
	}
	_, err := w.Write(printable(text.Bytes()))
	return err
}

// printable escapes what encoding/json leaves as it is. Such characters stand in
// strings only.
func printable(text []byte) []byte {
	if bytes.IndexFunc(text, hidden) < 0 {
		return text
	}
	var out bytes.Buffer
	for _, r := range string(text) {
		switch high, low := utf16.EncodeRune(r); {
		case !hidden(r):
			out.WriteRune(r)
		case high == unicode.ReplacementChar:
			fmt.Fprintf(&out, `\u%04x`, r)
		default:
			fmt.Fprintf(&out, `\u%04x\u%04x`, high, low)
		}
	}
	return out.Bytes()
}

func hidden(r rune) bool { return r != '\n' && !unicode.IsPrint(r) }

// kept bounds a text.
func kept[T ~string](text T) T { return T(bounded(string(text), maxText)) }

// keptAll bounds each of some texts, and makes no texts an empty list.
func keptAll(texts []string) []string {
	out := make([]string, 0, len(texts))
	for _, text := range texts {
		out = append(out, kept(text))
	}
	return out
}

// instant is a time that JSON can hold: a machine's clock may say any year.
func instant(t time.Time) time.Time {
	if t = t.UTC(); t.Year() < 0 || t.Year() > 9999 {
		return time.Time{}
	}
	return t
}

// Package findings shows the findings of "pistack check": as text for people,
// as JSON, as annotations of a GitHub workflow, and as SARIF for whatever else
// reads the results of a linter.
package findings

import (
	"fmt"
	"io"
	"strings"

	"pistack/compose"
)

// Text writes a line for each finding that was not accepted, and its hint.
// Colour is for a terminal, and says nothing that the words do not.
func Text(w io.Writer, findings []compose.Finding, colour bool) error {
	var b strings.Builder
	for _, f := range findings {
		if f.Accepted {
			continue
		}
		severity := string(f.Severity)
		if colour {
			severity = paint(f.Severity)
		}
		fmt.Fprintf(&b, "%s: %s: %s [%s]\n", f.Place(), severity, f.Message, f.Code)
		if f.Fix != "" {
			fmt.Fprintf(&b, "  hint: %s\n", f.Fix)
		}
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func paint(s compose.Severity) string {
	colours := map[compose.Severity]string{compose.Error: "31", compose.Warning: "33", compose.Note: "36"}
	return "\x1b[" + colours[s] + "m" + string(s) + "\x1b[0m"
}

// Totals counts findings by severity; accepted ones count as accepted only.
type Totals struct {
	Errors   int `json:"errors"`
	Warnings int `json:"warnings"`
	Notes    int `json:"notes"`
	Accepted int `json:"accepted"`
}

// Count gives the totals of some findings.
func Count(findings []compose.Finding) Totals {
	var t Totals
	for _, f := range findings {
		switch {
		case f.Accepted:
			t.Accepted++
		case f.Severity == compose.Error:
			t.Errors++
		case f.Severity == compose.Warning:
			t.Warnings++
		default:
			t.Notes++
		}
	}
	return t
}

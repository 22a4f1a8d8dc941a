package findings

import (
	"fmt"
	"io"
	"strings"

	"pistack/compose"
)

// GitHub writes a workflow command for each finding that was not accepted:
// GitHub shows it beside the line in a pull request.
func GitHub(w io.Writer, findings []compose.Finding) error {
	var b strings.Builder
	for _, f := range findings {
		if f.Accepted {
			continue
		}
		properties := "file=" + property(f.File)
		if f.Line > 0 {
			properties += fmt.Sprintf(",line=%d,col=%d", f.Line, f.Column)
		}
		text := f.Message
		if f.Fix != "" {
			text += "\nhint: " + f.Fix
		}
		fmt.Fprintf(&b, "::%s %s,title=%s::%s\n", command(f.Severity), properties, property(string(f.Code)), data(text))
	}
	_, err := io.WriteString(w, b.String())
	return err
}

func command(s compose.Severity) string {
	if s == compose.Note {
		return "notice"
	}
	return string(s)
}

// data escapes a message: a command ends with its line, and % begins an escape.
func data(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A").Replace(text)
}

// property escapes a property's value, which ends at a comma or at the colons.
func property(text string) string {
	return strings.NewReplacer("%", "%25", "\r", "%0D", "\n", "%0A", ":", "%3A", ",", "%2C").Replace(text)
}

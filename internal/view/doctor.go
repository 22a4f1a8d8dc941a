package view

import (
	"fmt"
	"io"

	"pistack/internal/doctor"
)

// DoctorText writes what a doctor found, by subject; hints stand below what is not
// ok.
func DoctorText(w io.Writer, checks []doctor.Check, colour bool) error {
	t := &page{colour: colour}
	for i, c := range checks {
		if i == 0 || checks[i-1].Subject != c.Subject {
			t.section(subject(c))
		}
		lines := cleanLines(c.Text)
		if len(lines) == 0 {
			lines = []string{""}
		}
		t.line("  %s  %s: %s", t.paint(levelColour(c.Level), fmt.Sprintf("%-7s", c.Level)), clean(c.Name), lines[0])
		for _, line := range lines[1:] {
			t.line("           %s", line)
		}
		if c.Level != doctor.OK {
			for _, line := range (problem{Hint: c.Fix}).advice() {
				t.line("         %s", line)
			}
		}
	}
	n := doctor.Count(checks)
	t.line("")
	t.line("%s: %d ok, %s, %s", counted(len(checks), "check"), n.OK, counted(n.Warnings, "warning"), counted(n.Problems, "problem"))
	_, err := io.WriteString(w, t.out.String())
	return err
}

func subject(c doctor.Check) string {
	if c.Subject == "" {
		return "this workstation"
	}
	return clean(c.Subject)
}

func levelColour(l doctor.Level) string {
	switch l {
	case doctor.OK:
		return green
	case doctor.Warning:
		return yellow
	}
	return red
}

// doctorReport is the JSON form; it is only ever extended, and docs/operate.md
// describes it.
type doctorReport struct {
	Schema int           `json:"schema"`
	Kind   string        `json:"kind"` // "doctor"
	Totals doctor.Totals `json:"totals"`
	Checks []checkReport `json:"checks"`
}

type checkReport struct {
	Host  string       `json:"host"` // empty for the workstation
	Name  string       `json:"name"`
	Level doctor.Level `json:"level"`
	Text  string       `json:"text"`
	Fix   string       `json:"fix"`
}

// DoctorJSON writes what a doctor found, for programs.
func DoctorJSON(w io.Writer, checks []doctor.Check) error {
	out := doctorReport{Schema: 1, Kind: "doctor", Totals: doctor.Count(checks), Checks: []checkReport{}}
	for _, c := range checks {
		out.Checks = append(out.Checks, checkReport{kept(c.Subject), kept(c.Name), c.Level, kept(c.Text), kept(c.Fix)})
	}
	return writeJSON(w, out, "  ")
}

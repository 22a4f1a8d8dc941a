// Package doctor looks for what would keep a deploy from succeeding: on the
// workstation, with its own programs, and on machines, by what they say of
// themselves. It changes nothing, and says what to type.
package doctor

import (
	"fmt"
)

// Level is how bad something is.
type Level string

const (
	OK      Level = "ok"
	Warning Level = "warning" // a deploy works, and something is worth mending
	Problem Level = "problem" // a deploy does not work
)

// Check is the result of one.
type Check struct {
	Subject string // the name of a host; "" for the workstation
	Name    string // what was looked at, in a word or two
	Level   Level
	Text    string
	Fix     string // what to type; empty when nothing is to be done
}

// Totals count the levels.
type Totals struct {
	OK       int `json:"ok"`
	Warnings int `json:"warnings"`
	Problems int `json:"problems"`
}

// Count counts.
func Count(checks []Check) Totals {
	var t Totals
	for _, c := range checks {
		switch c.Level {
		case OK:
			t.OK++
		case Warning:
			t.Warnings++
		case Problem:
			t.Problems++
		}
	}
	return t
}

func fine(name, format string, args ...any) Check {
	return Check{Name: name, Level: OK, Text: fmt.Sprintf(format, args...)}
}

func warning(name, fix, format string, args ...any) Check {
	return Check{Name: name, Level: Warning, Text: fmt.Sprintf(format, args...), Fix: fix}
}

func problem(name, fix, format string, args ...any) Check {
	return Check{Name: name, Level: Problem, Text: fmt.Sprintf(format, args...), Fix: fix}
}

// of gives checks a subject.
func of(subject string, checks []Check) []Check {
	for i := range checks {
		checks[i].Subject = subject
	}
	return checks
}

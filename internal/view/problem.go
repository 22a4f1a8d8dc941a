package view

import (
	"errors"
	"strings"
)

// problem is an error, and what to do about it.
type problem struct {
	Message string `json:"message"`
	Hint    string `json:"hint,omitempty"`
}

// problems are the errors that were joined into one, in order; none for nil.
func problems(err error) []problem {
	if err == nil {
		return nil
	}
	var all []problem
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		for _, e := range joined.Unwrap() {
			all = append(all, problems(e)...)
		}
		return all
	}
	p := problem{Message: kept(err.Error())}
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		p.Hint = kept(hinted.Hint())
	}
	return []problem{p}
}

// lines are the clean lines of a problem, the later ones indented. They stand
// below the host's name, which many errors begin with.
func (p problem) lines(host string) []string {
	out := cleanLines(strings.TrimPrefix(p.Message, host+": "))
	for i := range out {
		if i > 0 {
			out[i] = "  " + out[i]
		}
	}
	return out
}

// advice is the hint as indented lines.
func (p problem) advice() []string {
	out := cleanLines(p.Hint)
	for i := range out {
		if i == 0 {
			out[i] = "hint: " + out[i]
		}
		out[i] = "  " + out[i]
	}
	return out
}

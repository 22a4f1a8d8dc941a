package view

import (
	"fmt"
	"io"
	"time"
)

// Ran is how a program ended on a host.
type Ran struct {
	Host   string
	Status int   // exit status; -1 when it is not known
	Err    error // nil for one that ended with 0
	Took   time.Duration
	Lines  []string // of its output; kept for JSON only
	Cut    bool     // there were more
}

// RanText writes which hosts a program failed on.
func RanText(w io.Writer, all []Ran) error {
	p := &page{}
	failed := 0
	for _, r := range all {
		if r.Err == nil {
			continue
		}
		failed++
		p.line("%s: %s", clean(r.Host), ending(r))
		for _, problem := range problems(r.Err) {
			for _, line := range problem.advice() {
				p.line("%s", line)
			}
		}
	}
	if failed > 0 {
		p.line("failed on %d of %s", failed, counted(len(all), "host"))
	}
	_, err := io.WriteString(w, p.out.String())
	return err
}

func ending(r Ran) string {
	if r.Status > 0 {
		return fmt.Sprintf("exit status %d", r.Status)
	}
	lines := problems(r.Err)[0].lines(r.Host)
	if len(lines) == 0 {
		return "failed"
	}
	return lines[0]
}

// ranReport is the JSON form; it is only ever extended, and docs/operate.md
// describes it.
type ranReport struct {
	Schema  int        `json:"schema"`
	Kind    string     `json:"kind"` // "exec"
	Command []string   `json:"command"`
	Hosts   []ranEntry `json:"hosts"`
}

type ranEntry struct {
	Host         string    `json:"host"`
	Done         bool      `json:"done"`   // it ended with 0
	Status       int       `json:"status"` // exit status; -1 when it is not known
	Milliseconds int64     `json:"milliseconds"`
	Problems     []problem `json:"problems"`
	Output       []string  `json:"output"` // lines of both streams
	Cut          bool      `json:"cut"`    // there was more output
}

// RanJSON writes how a program ended on all hosts, for programs.
func RanJSON(w io.Writer, command []string, all []Ran) error {
	out := ranReport{Schema: 1, Kind: "exec", Command: command, Hosts: []ranEntry{}}
	for _, r := range all {
		lines := r.Lines
		if lines == nil {
			lines = []string{}
		}
		out.Hosts = append(out.Hosts, ranEntry{kept(r.Host), r.Err == nil, r.Status, r.Took.Milliseconds(), list(problems(r.Err)), lines, r.Cut})
	}
	return writeJSON(w, out, "  ")
}

package view

import (
	"io"

	"pistack/internal/reboot"
)

// RebootText writes what became of machines that were to reboot.
func RebootText(w io.Writer, results []reboot.Result, colour bool) error {
	p := &page{colour: colour}
	done := 0
	for _, r := range results {
		switch {
		case r.Done:
			done++
			p.line("%s", p.paint(green, clean(r.Host)+": is back after "+elapsed(r.Took)))
		case r.Err == nil:
			p.line("%s", p.paint(yellow, clean(r.Host)+": not rebooted, since one before it is not back as it was"))
		default:
			p.failed(r)
		}
	}
	p.line("%d of %s rebooted", done, counted(len(results), "host"))
	_, err := io.WriteString(w, p.out.String())
	return err
}

func (p *page) failed(r reboot.Result) {
	for _, problem := range problems(r.Err) {
		for i, line := range problem.lines(r.Host) {
			if i == 0 {
				line = clean(r.Host) + ": " + line
			}
			p.line("%s", p.paint(red, line))
		}
		for _, line := range problem.advice() {
			p.line("%s", line)
		}
	}
}

type rebootReport struct {
	Schema int           `json:"schema"`
	Kind   string        `json:"kind"` // "reboot"
	Hosts  []rebootEntry `json:"hosts"`
}

type rebootEntry struct {
	Host         string    `json:"host"`
	Done         bool      `json:"done"`
	Milliseconds int64     `json:"milliseconds"` // 0 when it was not rebooted
	Problems     []problem `json:"problems"`     // none, and not done: its turn never came
}

// RebootJSON writes the same for programs.
func RebootJSON(w io.Writer, results []reboot.Result) error {
	out := rebootReport{Schema: 1, Kind: "reboot", Hosts: []rebootEntry{}}
	for _, r := range results {
		out.Hosts = append(out.Hosts, rebootEntry{kept(r.Host), r.Done, r.Took.Milliseconds(), list(problems(r.Err))})
	}
	return writeJSON(w, out, "  ")
}

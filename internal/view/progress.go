package view

import (
	"fmt"
	"io"
	"strings"
	"time"

	"pistack/internal/deploy"
)

// Progress shows the events of a run while it happens. Nothing else may write to
// the same place until it is closed.
type Progress interface {
	Event(deploy.Event)
	Close() // shows what is still to be shown; further events are ignored
}

// ProgressKind is a way to show progress.
type ProgressKind string

const (
	LiveProgress  ProgressKind = "live"  // on a terminal: a line a host, drawn again and again
	PlainProgress ProgressKind = "plain" // lines that begin with the host
	JSONProgress  ProgressKind = "json"  // an object a line, for programs
)

// ProgressOptions are what the kinds need to know; the zero value does.
type ProgressOptions struct {
	Hosts   []string         // all chosen hosts, of which some may never have an event
	Verbose bool             // plain: the lines of child processes, too
	Colour  bool             // plain and live
	Width   func() int       // live: columns of the terminal, asked for each drawing; 80 when nil
	Height  func() int       // live: rows; 24 when nil
	Now     func() time.Time // live: for the time that a phase has taken; time.Now when nil
}

// NewProgress begins to show a run.
func NewProgress(kind ProgressKind, out io.Writer, o ProgressOptions) Progress {
	switch kind {
	case LiveProgress:
		return newLive(out, o)
	case JSONProgress:
		return &jsonProgress{out: out}
	}
	return newPlain(out, o)
}

// allHosts is what stands where a host's name would, for what concerns all.
const allHosts = "all hosts"

// where is the name of an event's host, as shown.
func where(host string) string {
	if host == "" {
		return allHosts
	}
	return clean(host)
}

// phaseText says what a phase does.
func phaseText(p deploy.Phase) string {
	switch p {
	case deploy.Preflight:
		return "preflight: asking the machine whether it is fit"
	case deploy.Evaluate:
		return "evaluate: computing the systems"
	case deploy.Build:
		return "build: building the systems"
	case deploy.Copy:
		return "copy: copying the system"
	case deploy.Pull:
		return "pull: pulling images, while everything still runs"
	case deploy.Lock:
		return "lock: keeping other deploys away"
	case deploy.Activate:
		return "activate: switching, until the next boot"
	case deploy.Gate:
		return "gate: watching units and containers"
	case deploy.Commit:
		return "commit: making it the system that boots"
	case deploy.Undo:
		return "undo: going back to what ran before"
	case deploy.Record:
		return "record: writing the receipt"
	}
	return clean(string(p))
}

// resultText is a result in one line, without its error.
func resultText(r deploy.Result) string {
	text := clean(string(r.Outcome))
	if d := r.Ended.Sub(r.Begun); d >= time.Second {
		text += " in " + elapsed(d)
	}
	if r.Generation > 0 && r.Outcome.Good() && !same(r.Outcome) {
		text += fmt.Sprintf(", generation %d", r.Generation)
	}
	return text
}

// same tells whether a host goes on with what it ran.
func same(o deploy.Outcome) bool { return o == deploy.Unchanged || o == deploy.Recorded }

// resultColour is that of an outcome.
func resultColour(o deploy.Outcome) string {
	switch {
	case !o.Good():
		return red
	case same(o):
		return faint
	}
	return green
}

// failure are the lines below a result that is not a good one: why, and what was
// said last, by the host's result or, if that is silent, by its children. What to
// do about it is for the summary, which comes soon.
func failure(r deploy.Result, children []string) []string {
	if r.Outcome.Good() {
		return nil
	}
	var out []string
	for _, p := range problems(r.Err) {
		out = append(out, p.lines(r.Host)...)
	}
	last := r.Last
	if len(last) == 0 {
		last = children
	}
	for _, line := range lastSaid(last) {
		out = append(out, strings.TrimRight(quote+line, " "))
	}
	return out
}

// quote stands before whatever a machine or a child process wrote, so that it
// cannot pass for a line of ours.
const quote = "> "

package view

import (
	"fmt"
	"io"
	"strings"

	"pistack/internal/deploy"
)

// plainProgress writes lines that begin with the host: for logs.
type plainProgress struct {
	page
	w       io.Writer
	verbose bool
	width   int // of the longest name
	tails   tails
	closed  bool
}

func newPlain(w io.Writer, o ProgressOptions) *plainProgress {
	p := &plainProgress{page: page{colour: o.Colour}, w: w, verbose: o.Verbose, width: len(allHosts), tails: tails{}}
	for _, h := range o.Hosts {
		p.width = max(p.width, across(clean(h)))
	}
	return p
}

func (p *plainProgress) Event(e deploy.Event) {
	if p.closed {
		return
	}
	switch e.Kind {
	case deploy.Begun:
		p.say(e.Host, "", phaseText(e.Phase))
	case deploy.Warning:
		p.say(e.Host, yellow, "warning: "+said(e.Text))
	case deploy.Line:
		p.tails.add(e.Host, e.Text)
		if p.verbose {
			p.say(e.Host, faint, strings.TrimRight(quote+said(e.Text), " "))
		}
	case deploy.Finished:
		if e.Result != nil {
			p.finished(e.Host, *e.Result)
		}
	}
	_, _ = io.WriteString(p.w, p.out.String()) // who reads no progress still gets a deploy
	p.out.Reset()
}

func (p *plainProgress) Close() { p.closed = true }

func (p *plainProgress) finished(host string, r deploy.Result) {
	p.say(host, resultColour(r.Outcome), resultText(r))
	for _, line := range failure(r, p.tails.take(host)) {
		p.say(host, "", "  "+line)
	}
}

func (p *plainProgress) say(host, colour, text string) {
	name := where(host)
	p.line("%s%s | %s", name, fmt.Sprintf("%*s", max(0, p.width-across(name)), ""), p.paint(colour, text))
}

// tails are the last lines of the child processes of each host.
type tails map[string][]string

// add keeps a line as it is: of most lines only the last ones are ever shown.
func (t tails) add(host, text string) {
	lines := append(t[host], bounded(text, 4*maxLine))
	t[host] = lines[max(0, len(lines)-maxTail):]
}

// maxTail is how many lines of child processes a failure shows.
const maxTail = 10

// take gives a host's lines, and forgets them.
func (t tails) take(host string) []string {
	lines := t[host]
	delete(t, host)
	return lines
}

package view

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"pistack/internal/deploy"
)

// board is what is known of a run that goes on. Its layout is a pure function of
// it, the time, and the room there is.
type board struct {
	run    *post // of all hosts together
	hosts  []*post
	byName map[string]*post
	tails  tails
}

// post is where a host stands.
type post struct {
	name   string // as shown
	at     stage
	phase  deploy.Phase
	since  time.Time // the phase began
	active time.Time // something happened last
	last   string    // line of a child process, as it came
}

type stage int

const (
	waiting stage = iota
	working
	finished
)

func newBoard(hosts []string) *board {
	b := &board{run: &post{name: allHosts}, byName: map[string]*post{}, tails: tails{}}
	for _, name := range hosts {
		b.post(name)
	}
	return b
}

// post is a host's, or that of all together.
func (b *board) post(host string) *post {
	if host == "" {
		return b.run
	}
	p, known := b.byName[host]
	if !known {
		p = &post{name: clean(host)}
		b.byName[host] = p
		b.hosts = append(b.hosts, p)
	}
	return p
}

// note takes an event in, and gives the lines that are to stay.
func (b *board) note(e deploy.Event) []row {
	p := b.post(e.Host)
	p.active = e.Time
	switch e.Kind {
	case deploy.Begun:
		b.begin(p, e)
	case deploy.Line:
		p.last = bounded(e.Text, 4*maxLine)
		b.tails.add(e.Host, e.Text)
	case deploy.Warning:
		return []row{{text: p.name + ": warning: " + said(e.Text), colour: yellow}}
	case deploy.Finished:
		p.at = finished
		children := b.tails.take(e.Host)
		if e.Result != nil {
			return finishedRows(p.name, *e.Result, children)
		}
	}
	return nil
}

// begin moves a host to a phase. One of all hosts begins when each of them is
// through with its own, and the other way round.
func (b *board) begin(p *post, e deploy.Event) {
	if p.at == finished {
		return
	}
	others := []*post{b.run}
	if p == b.run {
		others = b.hosts
	}
	for _, o := range others {
		if o.at == working {
			o.at = waiting
		}
	}
	p.at, p.phase, p.since, p.last = working, e.Phase, e.Time, ""
}

func finishedRows(name string, r deploy.Result, children []string) []row {
	rows := []row{{text: name + ": " + resultText(r), colour: resultColour(r.Outcome)}}
	for _, line := range failure(r, children) {
		rows = append(rows, row{text: "  " + line})
	}
	return rows
}

// row is a line for the terminal; faint stands behind text.
type row struct {
	text, faint string
	colour      string // of text
}

// cut makes a row fit into a width.
func (r row) cut(width int) row {
	r.text = fit(r.text, width)
	r.faint = fit(r.faint, width-across(r.text))
	return r
}

func (r row) across() int { return across(r.text) + across(r.faint) }

// layout is what to draw: at most height rows, none of which is wider than
// width. When the hosts do not fit, those that did something last are shown, and
// the others counted.
func (b *board) layout(now time.Time, width, height int) []row {
	if width <= 0 || height <= 0 {
		return nil
	}
	work, wait := b.at(working), b.at(waiting)
	shown := slices.Concat(work, wait)
	top := b.top()
	hidden := len(top)+len(shown) > height
	if hidden {
		shown = busiest(work, height-len(top)-1)
	}
	var rows []row
	names := longest(slices.Concat(top, b.hosts)) // of all: columns stay where they are
	for _, p := range slices.Concat(top, shown) {
		rows = append(rows, p.row(now, names))
	}
	if hidden {
		rows = append(rows, row{text: b.rest(len(work)-len(shown), len(wait))})
	}
	rows = rows[max(0, len(rows)-height):] // the count is the last thing to go
	for i := range rows {
		rows[i] = rows[i].cut(width)
	}
	return rows
}

// top is the line of all hosts together, if they are at something.
func (b *board) top() []*post {
	if b.run.at != working {
		return nil
	}
	return []*post{b.run}
}

func (b *board) at(s stage) []*post {
	var out []*post
	for _, p := range b.hosts {
		if p.at == s {
			out = append(out, p)
		}
	}
	return out
}

// busiest are the hosts that did something last, in the order they came in.
func busiest(work []*post, most int) []*post {
	if most <= 0 {
		return nil
	}
	if len(work) <= most {
		return work
	}
	byTime := slices.Clone(work)
	slices.SortStableFunc(byTime, func(a, b *post) int { return b.active.Compare(a.active) })
	chosen := byTime[:most]
	return slices.DeleteFunc(slices.Clone(work), func(p *post) bool { return !slices.Contains(chosen, p) })
}

func longest(posts []*post) int {
	if len(posts) == 0 {
		return 0
	}
	widest := slices.MaxFunc(posts, func(a, b *post) int { return cmp.Compare(across(a.name), across(b.name)) })
	return across(widest.name)
}

// rest counts the hosts that have no line: "3 more at work, 150 waiting, 38 of
// 200 done".
func (b *board) rest(work, wait int) string {
	var words []string
	if work > 0 {
		words = append(words, fmt.Sprintf("%d more at work", work))
	}
	if wait > 0 {
		words = append(words, fmt.Sprintf("%d waiting", wait))
	}
	return strings.Join(append(words, fmt.Sprintf("%d of %d done", len(b.at(finished)), len(b.hosts))), ", ")
}

// row is "rpi-box-01  copy       1m05s  > last line".
func (p *post) row(now time.Time, names int) row {
	name := p.name + strings.Repeat(" ", names-across(p.name))
	if p.at == waiting {
		return row{text: name + "  waiting"}
	}
	r := row{text: fmt.Sprintf("%s  %-9s  %6s", name, clean(string(p.phase)), elapsed(now.Sub(p.since)))}
	if p.last != "" {
		r.faint = "  " + quote + said(p.last)
	}
	return r
}

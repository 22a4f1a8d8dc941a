package view

import (
	"io"
	"time"

	"pistack/internal/deploy"
)

// eventReport is the JSON form of an event; it is only ever extended, and
// docs/deploy-json.md describes it.
type eventReport struct {
	Schema int           `json:"schema"`
	Time   time.Time     `json:"time,omitzero"`
	Host   string        `json:"host"`
	Kind   deploy.Kind   `json:"kind"`
	Phase  deploy.Phase  `json:"phase"`
	Text   string        `json:"text,omitempty"`
	Result *resultReport `json:"result,omitempty"`
}

// jsonProgress writes an object a line.
type jsonProgress struct {
	out    io.Writer
	closed bool
}

func (p *jsonProgress) Event(e deploy.Event) {
	if p.closed {
		return
	}
	r := eventReport{Schema: 1, Time: instant(e.Time), Host: kept(e.Host), Kind: kept(e.Kind), Phase: kept(e.Phase), Text: kept(e.Text)}
	if e.Result != nil {
		result := resultReportOf(*e.Result)
		r.Result = &result
	}
	_ = writeJSON(p.out, r, "") // who reads no progress still gets a deploy
}

func (p *jsonProgress) Close() { p.closed = true }

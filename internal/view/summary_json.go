package view

import (
	"io"
	"time"

	"pistack/internal/deploy"
)

// summaryReport is the JSON form of all results; it is only ever extended, and
// docs/deploy-json.md describes it.
type summaryReport struct {
	Schema  int            `json:"schema"`
	Kind    string         `json:"kind"` // "summary", which no event is
	Totals  summaryTotals  `json:"totals"`
	Results []resultReport `json:"results"`
}

type summaryTotals struct {
	Hosts    int                    `json:"hosts"`
	Good     int                    `json:"good"`
	Outcomes map[deploy.Outcome]int `json:"outcomes"`
}

type resultReport struct {
	Host       string         `json:"host"`
	Outcome    deploy.Outcome `json:"outcome"`
	Good       bool           `json:"good"`
	Phase      deploy.Phase   `json:"phase"`
	Problems   []problem      `json:"problems"`
	Old        string         `json:"old"`
	New        string         `json:"new"`
	Generation int            `json:"generation"`
	Warnings   []string       `json:"warnings"`
	Last       []string       `json:"last"`
	Log        string         `json:"log"`
	Begun      time.Time      `json:"begun,omitzero"`
	Ended      time.Time      `json:"ended,omitzero"`
}

// SummaryJSON writes what became of all hosts, for programs: one line, since it
// ends the stream of events.
func SummaryJSON(w io.Writer, results []deploy.Result) error {
	r := summaryReport{Schema: 1, Kind: "summary", Totals: countResults(results), Results: []resultReport{}}
	for _, result := range results {
		r.Results = append(r.Results, resultReportOf(result))
	}
	return writeJSON(w, r, "")
}

func countResults(results []deploy.Result) summaryTotals {
	t := summaryTotals{Hosts: len(results), Outcomes: map[deploy.Outcome]int{}}
	for _, r := range results {
		t.Outcomes[kept(r.Outcome)]++
		if r.Outcome.Good() {
			t.Good++
		}
	}
	return t
}

func resultReportOf(r deploy.Result) resultReport {
	return resultReport{
		Host: kept(r.Host), Outcome: kept(r.Outcome), Good: r.Outcome.Good(), Phase: kept(r.Phase), Problems: list(problems(r.Err)),
		Old: kept(r.Old), New: kept(r.New), Generation: r.Generation,
		Warnings: keptAll(r.Warnings), Last: keptAll(r.Last[max(0, len(r.Last)-maxLast):]), Log: kept(r.Log),
		Begun: instant(r.Begun), Ended: instant(r.Ended),
	}
}

// maxLast bounds the last lines of a result in JSON.
const maxLast = 200

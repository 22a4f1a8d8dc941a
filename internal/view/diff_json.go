package view

import (
	"encoding/json"
	"io"

	"pistack/compose/changes"
	"pistack/internal/compare"
)

// diffReport is the JSON form of a report; it is only ever extended.
type diffReport struct {
	Schema   int               `json:"schema"`
	Base     string            `json:"base"`
	Head     string            `json:"head"`
	Compared int               `json:"compared"` // hosts
	Totals   compare.Totals    `json:"totals"`
	Fleet    []changes.Detail  `json:"fleet"`
	Hosts    []compare.Host    `json:"hosts"`
	Nix      []string          `json:"nix"`
	Findings []compare.Finding `json:"findings"`
}

// DiffJSON writes a report for programs.
func DiffJSON(w io.Writer, r compare.Report) error {
	hosts := make([]compare.Host, 0, len(r.Hosts))
	for _, h := range r.Hosts {
		h.Dangers, h.Settings, h.Secrets, h.Stacks = list(h.Dangers), list(h.Settings), list(h.Secrets), list(h.Stacks)
		hosts = append(hosts, h)
	}
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(diffReport{
		Schema: 1, Base: r.Base, Head: r.Head, Compared: r.Compared, Totals: r.Totals(),
		Fleet: list(r.Fleet), Hosts: hosts, Nix: list(r.Nix), Findings: list(r.Findings),
	})
}

// list makes an empty list "[]" instead of null.
func list[T any](s []T) []T {
	if s == nil {
		return []T{}
	}
	return s
}

package findings

import (
	"encoding/json"
	"io"
	"net/url"
	"slices"

	"pistack/compose"
	"pistack/compose/rules"
)

// The parts of SARIF 2.1.0 that are used; the names are the specification's.
type (
	sarifLog struct {
		Schema  string     `json:"$schema"`
		Version string     `json:"version"`
		Runs    []sarifRun `json:"runs"`
	}
	sarifRun struct {
		Tool       sarifTool     `json:"tool"`
		ColumnKind string        `json:"columnKind"`
		Results    []sarifResult `json:"results"`
	}
	sarifTool struct {
		Driver sarifDriver `json:"driver"`
	}
	sarifDriver struct {
		Name    string      `json:"name"`
		Version string      `json:"version"`
		Rules   []sarifRule `json:"rules"`
	}
	sarifRule struct {
		ID      string       `json:"id"`
		Short   sarifText    `json:"shortDescription"`
		Full    sarifText    `json:"fullDescription"`
		Help    sarifText    `json:"help"`
		Default sarifDefault `json:"defaultConfiguration"`
	}
	sarifDefault struct {
		Level string `json:"level"`
	}
	sarifText struct {
		Text string `json:"text"`
	}
	sarifResult struct {
		RuleID       string             `json:"ruleId"`
		RuleIndex    int                `json:"ruleIndex"` // -1 for one without a rule
		Level        string             `json:"level"`
		Message      sarifText          `json:"message"`
		Locations    []sarifLocation    `json:"locations"`
		Suppressions []sarifSuppression `json:"suppressions,omitempty"`
	}
	sarifLocation struct {
		Physical sarifPhysical `json:"physicalLocation"`
	}
	sarifPhysical struct {
		Artifact sarifArtifact `json:"artifactLocation"`
		Region   *sarifRegion  `json:"region,omitempty"`
	}
	sarifArtifact struct {
		URI string `json:"uri"`
	}
	sarifRegion struct {
		StartLine   int `json:"startLine"`
		StartColumn int `json:"startColumn,omitempty"`
	}
	sarifSuppression struct {
		Kind          string `json:"kind"`
		Justification string `json:"justification"`
	}
)

// SARIF writes all findings as a SARIF 2.1.0 log of one run. Accepted ones are
// there, suppressed in source, with the author's reason.
func SARIF(w io.Writer, findings []compose.Finding, version string) error {
	all := rules.All()
	run := sarifRun{
		Tool:       sarifTool{sarifDriver{Name: "pistack check", Version: version}},
		ColumnKind: "unicodeCodePoints",
		Results:    []sarifResult{},
	}
	for _, r := range all {
		run.Tool.Driver.Rules = append(run.Tool.Driver.Rules, sarifRule{
			ID: string(r.Code), Short: sarifText{r.Summary}, Full: sarifText{r.Why}, Help: sarifText{r.Explain()},
			Default: sarifDefault{string(r.Severity)},
		})
	}
	for _, f := range findings {
		run.Results = append(run.Results, sarifResultOf(f, slices.IndexFunc(all, func(r rules.Rule) bool { return r.Code == f.Code })))
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	return e.Encode(sarifLog{
		Schema:  "https://json.schemastore.org/sarif-2.1.0.json",
		Version: "2.1.0",
		Runs:    []sarifRun{run},
	})
}

// sarifResultOf takes a finding; our severities are the names of SARIF's levels.
func sarifResultOf(f compose.Finding, rule int) sarifResult {
	text := f.Message
	if f.Fix != "" {
		text += ". " + f.Fix
	}
	uri := url.URL{Path: f.File}
	place := sarifPhysical{Artifact: sarifArtifact{URI: uri.EscapedPath()}}
	if f.Line > 0 {
		place.Region = &sarifRegion{f.Line, f.Column}
	}
	result := sarifResult{
		RuleID: string(f.Code), RuleIndex: rule, Level: string(f.Severity),
		Message: sarifText{text}, Locations: []sarifLocation{{place}},
	}
	if f.Accepted {
		result.Suppressions = []sarifSuppression{{"inSource", f.Reason}}
	}
	return result
}

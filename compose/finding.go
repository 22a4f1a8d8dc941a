package compose

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity orders findings.
type Severity string

// A stack with an error cannot be deployed; a warning is worth mending; a note
// says what the device will do that a reader of the file might not expect.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
	Note    Severity = "note"
)

// AtLeast tells whether a severity is as grave as another, or graver.
func (s Severity) AtLeast(other Severity) bool { return s.rank() >= other.rank() }

func (s Severity) rank() int { return slices.Index([]Severity{Note, Warning, Error}, s) }

// Code names a kind of finding, for machines and for --json.
type Code string

// The findings of Load. Package rules has those across a host, and explains all.
const (
	CodeRead        Code = "unreadable"
	CodeSyntax      Code = "syntax"
	CodeModel       Code = "invalid-compose"
	CodeUnsupported Code = "unsupported"
	CodeTooNew      Code = "too-new"
	CodeUndefined   Code = "undefined-variable"
	CodeMissing     Code = "missing-secret"
	CodeLeak        Code = "secret-leak"
	CodeInEnv       Code = "secret-in-environment"
	CodeOwner       Code = "secret-owner"
	CodePath        Code = "path"
	CodeUntracked   Code = "untracked-file"
)

// Finding is one thing that is wrong or worth knowing, at its place.
type Finding struct {
	File     string   `json:"file"` // relative to the repository's root
	Line     int      `json:"line,omitempty"`
	Column   int      `json:"column,omitempty"`
	Code     Code     `json:"code"`
	Severity Severity `json:"severity"`
	Message  string   `json:"message"`
	Fix      string   `json:"fix,omitempty"`      // what to do about it
	Stack    string   `json:"stack,omitempty"`    // the stack that it is about, when it is about one
	Service  string   `json:"service,omitempty"`  // likewise
	Accepted bool     `json:"accepted,omitempty"` // the author knows, and it does not count
	Reason   string   `json:"reason,omitempty"`   // why it was accepted
}

// String gives "file:line:column: severity: message [code]".
func (f Finding) String() string {
	return fmt.Sprintf("%s: %s: %s [%s]", f.Place(), f.Severity, f.Message, f.Code)
}

// Place gives "file:line:column", as far as it is known.
func (f Finding) Place() string {
	if f.Line == 0 {
		return f.File
	}
	return fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
}

// Counts tells whether a finding is as grave as a severity and was not accepted.
func (f Finding) Counts(least Severity) bool { return !f.Accepted && f.Severity.AtLeast(least) }

// HasErrors tells whether any finding is an error that was not accepted.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Counts(Error) })
}

// SortFindings orders findings by place and drops repeated ones: two variables
// of one name on one line are one finding.
func SortFindings(findings []Finding) []Finding {
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message), cmp.Compare(a.Service, b.Service),
			cmp.Compare(a.Reason, b.Reason), cmp.Compare(a.Fix, b.Fix),
		)
	})
	return slices.Compact(findings)
}

// DidYouMean offers the valid word nearest to a wrong one, as " (did you mean
// …?)", or nothing when none is near.
func DidYouMean(wrong string, valid []string) string { return nearest(wrong, valid) }

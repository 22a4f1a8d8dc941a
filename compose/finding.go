package compose

import (
	"cmp"
	"fmt"
	"slices"
)

// Severity orders findings.
type Severity string

// A stack with an error cannot be deployed; a warning is worth knowing.
const (
	Error   Severity = "error"
	Warning Severity = "warning"
)

// Code names a kind of finding, for machines and for --json.
type Code string

// The findings of Load.
const (
	CodeRead        Code = "unreadable"
	CodeSyntax      Code = "syntax"
	CodeModel       Code = "invalid-compose"
	CodeUnsupported Code = "unsupported"
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
	Fix      string   `json:"fix,omitempty"` // what to do about it
}

// String gives "file:line:column: severity: message [code]".
func (f Finding) String() string {
	place := f.File
	if f.Line > 0 {
		place = fmt.Sprintf("%s:%d:%d", f.File, f.Line, f.Column)
	}
	return fmt.Sprintf("%s: %s: %s [%s]", place, f.Severity, f.Message, f.Code)
}

// HasErrors tells whether any finding is an error.
func HasErrors(findings []Finding) bool {
	return slices.ContainsFunc(findings, func(f Finding) bool { return f.Severity == Error })
}

// SortFindings orders findings by place and drops repeated ones: two variables
// of one name on one line are one finding.
func SortFindings(findings []Finding) []Finding {
	slices.SortFunc(findings, func(a, b Finding) int {
		return cmp.Or(
			cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column),
			cmp.Compare(a.Code, b.Code), cmp.Compare(a.Message, b.Message),
		)
	})
	return slices.Compact(findings)
}

package fleet

import (
	"cmp"
	"errors"
	"fmt"
)

// Problem is something that is wrong with the fleet's own files, and what to
// do about it.
type Problem struct {
	File    string // relative to the root; empty when it is about no file
	Line    int    // from 1; 0 when unknown
	Column  int    // from 1; 0 when unknown
	Message string
	Fix     string // what to type or write next; may be empty
}

// Error gives "file:line:column: message", as far as the position is known.
func (p *Problem) Error() string {
	switch {
	case p.File == "":
		return p.Message
	case p.Line == 0:
		return fmt.Sprintf("%s: %s", p.File, p.Message)
	case p.Column == 0:
		return fmt.Sprintf("%s:%d: %s", p.File, p.Line, p.Message)
	}
	return fmt.Sprintf("%s:%d:%d: %s", p.File, p.Line, p.Column, p.Message)
}

// Hint says what to do next; the command line prints it below the error.
func (p *Problem) Hint() string { return p.Fix }

// byPosition orders problems by file, line and message.
func byPosition(a, b error) int {
	var p, q *Problem
	if !errors.As(a, &p) || !errors.As(b, &q) {
		return cmp.Compare(a.Error(), b.Error())
	}
	return cmp.Or(cmp.Compare(p.File, q.File), cmp.Compare(p.Line, q.Line), cmp.Compare(p.Message, q.Message))
}

// didYouMean offers the candidate nearest to name, or nothing when none is near.
func didYouMean(name string, candidates []string) string {
	best, distance := "", 3
	for _, c := range candidates {
		if d := editDistance(name, c); d < distance {
			best, distance = c, d
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// editDistance is the Levenshtein distance of two short strings, in bytes.
func editDistance(a, b string) int {
	row := make([]int, len(b)+1)
	for j := range row {
		row[j] = j
	}
	for i := range len(a) {
		previous := row[0]
		row[0] = i + 1
		for j := range len(b) {
			substitute := previous
			if a[i] != b[j] {
				substitute++
			}
			previous = row[j+1]
			row[j+1] = min(substitute, row[j]+1, previous+1)
		}
	}
	return row[len(b)]
}

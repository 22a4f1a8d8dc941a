package compose

import (
	"errors"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
)

// maxGrowth bounds, in bytes, what the variables of an env file are replaced by:
// values that name each other twice double from line to line.
const maxGrowth = 16 << 20

// envFile is a file of variables.
type envFile struct {
	name, text string
	known      map[string]string                      // gets its variables, and may have some before
	lookUp     func(name string) (string, bool)       // of variables that come before those known
	undefined  func(l *loading, p Position, v string) // reports a required one that is not there
	grown      int
}

// parse reads the file as Compose does, and reports what it would not read.
func (e *envFile) parse(l *loading) {
	whole := e.parseText(e.text)
	if whole == nil {
		return
	}
	e.grown = 0
	before := len(l.findings)
	for line, statement := range statements(e.text) {
		place := Position{e.name, line, 1}
		err := e.parseText(statement)
		var missing *template.MissingRequiredError
		switch {
		case e.grown > maxGrowth:
			l.report(place, CodeSyntax, Error, "grows beyond 16 MiB when its variables are replaced", "")
			return
		case errors.As(err, &missing):
			if _, defined := e.find(missing.Variable); defined {
				l.report(place, CodeUndefined, Error, "variable "+missing.Variable+" is empty, and required here", "give it a value")
			} else {
				e.undefined(l, place, missing.Variable)
			}
		case err != nil:
			l.report(place, CodeSyntax, Error, envProblem(err), "write one NAME=value a line")
			return
		}
	}
	if len(l.findings) == before { // the statements were told apart wrongly: several on a line, over lines
		l.report(Position{File: e.name}, CodeSyntax, Error, envProblem(whole), "write one NAME=value a line")
	}
}

func (e *envFile) parseText(text string) error {
	err := dotenv.ParseWithFormat(strings.NewReader(text), e.name, e.known, func(name string) (string, bool) {
		value, defined := e.find(name)
		if e.grown += len(value); e.grown > maxGrowth {
			return "", true
		}
		return value, defined
	}, "")
	if err == nil && e.grown > maxGrowth {
		return errors.New("grows too much")
	}
	return err
}

func (e *envFile) find(name string) (string, bool) {
	if value, defined := e.lookUp(name); defined {
		return value, true
	}
	value, defined := e.known[name]
	return value, defined
}

// envProblem says what is wrong with an env file. The parser's own text quotes
// the line, which may hold what should be a secret.
func envProblem(err error) string {
	for part, problem := range map[string]string{
		": unterminated quoted value ": "a quote is not closed",
		": key cannot contain a space": "a name has a space in it",
		": unexpected character ":      "a name has a character that is no letter, no digit and none of _ . - [ ]",
	} {
		if strings.Contains(err.Error(), part) {
			return problem
		}
	}
	return "is not a valid env file: a $ that begins no variable is written $$"
}

// statements gives the line, from 1, and the text of each statement of an env
// file: a line, or several when a quote is open.
func statements(text string) func(yield func(int, string) bool) {
	return func(yield func(int, string) bool) {
		lines := strings.SplitAfter(text, "\n")
		for i := 0; i < len(lines); {
			first, trimmed := i, strings.TrimSpace(lines[i])
			if i++; trimmed == "" || strings.HasPrefix(trimmed, "#") {
				continue
			}
			quote, rest := openQuote(lines[first])
			for closed := closes(rest, quote); quote != 0 && !closed && i < len(lines); i++ {
				closed = closes(lines[i], quote)
			}
			if !yield(first+1, strings.Join(lines[first:i], "")) {
				return
			}
		}
	}
}

// openQuote gives the quote that a line's value begins with, and what follows.
func openQuote(line string) (quote byte, rest string) {
	at := strings.IndexAny(line, "=:")
	value := strings.TrimLeft(line[at+1:], " \t\v\f\r")
	if at < 0 || value == "" || value[0] != '"' && value[0] != '\'' {
		return 0, ""
	}
	return value[0], value[1:]
}

// closes tells whether a text has the quote, without a backslash before it.
func closes(text string, quote byte) bool {
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '\\':
			i++
		case quote:
			return true
		}
	}
	return false
}

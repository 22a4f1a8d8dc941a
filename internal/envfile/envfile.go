// Package envfile reads the variables of an env file as Docker Compose does, to
// take secrets out of it. No error of it quotes the file: it is full of secrets.
package envfile

import (
	"bytes"
	"cmp"
	"fmt"
	"maps"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"

	"pistack/compose/reference"
)

// Variable is one assignment. Of several to one name the last counts. A name alone
// has an empty value: what it would be in the environment of somebody.
type Variable struct {
	Name  string
	Value string
	Line  int    // from 1; 0 when it cannot be told
	Err   *Error // why the value cannot be told; nil when it can
}

// Error is what is wrong with an env file.
type Error struct {
	Line    int // from 1; 0 for the file as a whole
	Message string
	Fix     string
}

func (e *Error) Error() string {
	if e.Line == 0 {
		return e.Message
	}
	return fmt.Sprintf("line %d: %s", e.Line, e.Message)
}

// Hint says what to do next.
func (e *Error) Hint() string { return e.Fix }

var (
	errorLine = regexp.MustCompile(`^line (\d+): `)
	named     = regexp.MustCompile(`^\s*(?:export\s+)?([^\s=:#]+)\s*(?:[=:]|$)`)
	alone     = regexp.MustCompile(`(?m)^\s*(?:export\s+)?([^\s=:#]+)\s*$`)
	mark      = regexp.MustCompile("\x00([^\x00]*)\x00")
)

const howToQuote = "write $$ for a dollar sign, or put the value in single quotes"

// Parse lists the variables in the order of the file. The error is an *Error.
func Parse(data []byte) ([]Variable, error) {
	text := strings.TrimPrefix(string(data), "\ufeff")
	if !strings.HasSuffix(text, "\n") {
		text += "\n" // without it the parser takes a last name alone for a value
	}
	switch {
	case strings.ContainsRune(text, 0):
		return nil, &Error{Message: "holds a NUL byte", Fix: "is it an env file?"}
	case reference.TooMany(text):
		return nil, &Error{Message: "has too many ${…} in one place to interpolate"}
	}
	values, err := parse(text, func(string) (string, bool) { return "", false })
	if err != nil {
		return nil, err
	}
	// Once more with a mark in the place of every reference that has to lead
	// somewhere: the parser knows which dollar signs are references, and says
	// nothing of those that lead nowhere.
	required := requiredIn(text)
	marked, err := parse(text, func(name string) (string, bool) { return "\x00" + name + "\x00", required[name] })
	if err != nil {
		return nil, err
	}
	return findLines(text).inOrder(values, marked), nil
}

func parse(text string, lookUp dotenv.LookupFn) (map[string]string, error) {
	values, err := dotenv.ParseWithLookup(bytes.NewReader([]byte(text)), lookUp)
	if err != nil {
		return nil, syntax(err)
	}
	return values, nil
}

// syntax keeps the number of the line of a parser's error, and drops the line.
func syntax(err error) error {
	e := &Error{Message: "is not a valid line of an env file", Fix: "write one NAME=value a line, or NAME='value' when it holds spaces, # or $"}
	if m := errorLine.FindStringSubmatch(err.Error()); m != nil {
		e.Line, _ = strconv.Atoi(m[1])
	} else {
		e.Message = "is not a valid env file"
	}
	return e
}

// lines tells where each name stands first and last, from 1.
type lines struct{ first, last map[string]int }

func findLines(text string) lines {
	at := lines{map[string]int{}, map[string]int{}}
	for i, line := range strings.Split(text, "\n") {
		m := named.FindStringSubmatch(line)
		if m == nil {
			continue
		}
		if at.last[m[1]] = i + 1; at.first[m[1]] == 0 {
			at.first[m[1]] = i + 1
		}
	}
	return at
}

// requiredIn are the names that a text refers to without saying what stands in
// for one that is not defined, as ${NAME:-default} does.
func requiredIn(text string) map[string]bool {
	required := map[string]bool{}
	for _, r := range reference.Find(text) {
		if !r.Optional() {
			required[r.Name] = true
		}
		maps.Copy(required, requiredIn(r.Word))
	}
	for _, m := range alone.FindAllStringSubmatch(text, -1) {
		required[m[1]] = true // so that it is in the result, too
	}
	return required
}

func (at lines) inOrder(values, marked map[string]string) []Variable {
	var all []Variable
	for name, value := range marked {
		v := Variable{Name: name, Value: values[name], Line: at.last[name]}
		if _, assigned := values[name]; assigned && at.dangles(name, value) {
			v.Err = &Error{Line: v.Line, Message: "refers with $ to a variable that is not defined above", Fix: howToQuote}
		}
		all = append(all, v)
	}
	slices.SortFunc(all, func(a, b Variable) int { return cmp.Or(cmp.Compare(a.Line, b.Line), strings.Compare(a.Name, b.Name)) })
	return all
}

// dangles tells whether a value refers to what is not defined above it. Which
// name that is must not be said: in PASSWORD=pa$sword it is half of the password.
func (at lines) dangles(name, marked string) bool {
	return slices.ContainsFunc(mark.FindAllStringSubmatch(marked, -1), func(m []string) bool {
		defined := at.first[m[1]]
		return defined == 0 || defined >= at.last[name]
	})
}

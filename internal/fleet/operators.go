package fleet

import (
	"errors"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// WithOperator is the text of fleet.toml with one more operator. Everything else
// stays as it is, comments too; nothing is written.
func (f *Fleet) WithOperator(recipient string) ([]byte, error) {
	return f.edited(append(slices.Clone(f.Operators), recipient), func(a array) string { return a.with(recipient) })
}

// WithoutOperator is the text of fleet.toml without operator i.
func (f *Fleet) WithoutOperator(i int) ([]byte, error) {
	return f.edited(slices.Delete(slices.Clone(f.Operators), i, i+1), func(a array) string { return a.without(i) })
}

// edited edits the list of operators as text, since no TOML library keeps
// comments, and checks with the library that it became what was meant.
func (f *Fleet) edited(want []string, edit func(array) string) ([]byte, error) {
	cannot := &Problem{File: Marker, Message: "the list of operators is written in a form that cannot be edited", Fix: "edit operators = [...] by hand, then run: pisec rekey"}
	data, err := os.ReadFile(filepath.Join(f.Root, Marker))
	if err != nil {
		return nil, &Problem{File: Marker, Message: "cannot be read: " + reason(err)}
	}
	if !slices.Equal(OperatorsIn(data), f.Operators) {
		return nil, &Problem{File: Marker, Message: "the list of operators was changed meanwhile", Fix: "run this again"}
	}
	old := string(data)
	list, err := findArray(old, "operators")
	if err != nil {
		return nil, cannot
	}
	text := edit(list)
	var before, after map[string]any
	if _, err := toml.Decode(old, &before); err != nil {
		return nil, cannot
	}
	if _, err := toml.Decode(text, &after); err != nil {
		return nil, cannot
	}
	var list2 []string
	values, _ := after["operators"].([]any)
	for _, v := range values {
		s, _ := v.(string)
		list2 = append(list2, s)
	}
	delete(before, "operators")
	delete(after, "operators")
	if !slices.Equal(list2, want) || !reflect.DeepEqual(before, after) {
		return nil, cannot
	}
	return []byte(text), nil
}

// array is a TOML array of strings in a text.
type array struct {
	text  string
	items []span
	end   int // of the closing bracket
}

// span is a part of a text, from its first byte to behind its last.
type span struct{ from, to int }

var errForm = errors.New("not an array of simple strings")

// findArray finds a top-level key whose value is an array of strings.
func findArray(text, key string) (array, error) {
	a := array{text: text}
	at, err := valueOf(text, key)
	if err != nil || at >= len(text) || text[at] != '[' {
		return a, errForm
	}
	for at++; at < len(text); {
		switch c := text[at]; c {
		case ' ', '\t', '\r', '\n', ',':
			at++
		case '#':
			at = lineEnd(text, at)
		case ']':
			a.end = at
			return a, nil
		case '"', '\'':
			to := stringEnd(text, at)
			if to < 0 {
				return a, errForm
			}
			a.items = append(a.items, span{at, to})
			at = to
		default:
			return a, errForm
		}
	}
	return a, errForm
}

// valueOf is where the value of a top-level key begins. Keys come before tables.
func valueOf(text, key string) (int, error) {
	for at := 0; at < len(text); at = lineEnd(text, at) + 1 {
		line := text[at:lineEnd(text, at)]
		name, value, assigned := strings.Cut(line, "=")
		if strings.HasPrefix(strings.TrimSpace(line), "[") {
			break
		}
		if assigned && strings.Trim(strings.TrimSpace(name), `"'`) == key {
			return at + len(line) - len(strings.TrimLeft(value, " \t")), nil
		}
	}
	return 0, errForm
}

// stringEnd is behind the closing quote of a string that begins at from, or -1
// when it has none on its line. Strings of three quotes are not known.
func stringEnd(text string, from int) int {
	quote := text[from]
	for at := from + 1; at < len(text) && text[at] != '\n'; at++ {
		switch {
		case text[at] == '\\' && quote == '"':
			at++
		case text[at] == quote:
			return at + 1
		}
	}
	return -1
}

func lineEnd(text string, at int) int {
	if i := strings.IndexByte(text[at:], '\n'); i >= 0 {
		return at + i
	}
	return len(text)
}

// with adds an item behind the last one: on a line of its own when that one is.
func (a array) with(item string) string {
	quoted := strconv.Quote(item)
	if len(a.items) == 0 {
		return a.text[:a.end] + quoted + a.text[a.end:]
	}
	last := a.items[len(a.items)-1]
	indent, own := a.ownLine(last)
	if !own {
		return a.text[:last.to] + ", " + quoted + a.text[last.to:]
	}
	line := lineEnd(a.text, last.to)
	comma := ","
	if strings.HasPrefix(strings.TrimLeft(a.text[last.to:], " \t"), ",") {
		comma = ""
	}
	return a.text[:last.to] + comma + a.text[last.to:line] + "\n" + indent + quoted + "," + a.text[line:]
}

// without removes an item: its line with the comment on it when it has one of
// its own.
func (a array) without(i int) string {
	item := a.items[i]
	if indent, own := a.ownLine(item); own {
		from, to := item.from-len(indent), lineEnd(a.text, item.to)
		return a.text[:from] + a.text[min(to+1, len(a.text)):]
	}
	switch {
	case i+1 < len(a.items):
		return a.text[:item.from] + a.text[a.items[i+1].from:]
	case i > 0:
		return a.text[:a.items[i-1].to] + a.text[item.to:]
	}
	return a.text[:item.from] + a.text[item.to:]
}

// ownLine tells whether nothing of the array but the item, its comma and a
// comment is on the item's line, and what the line begins with.
func (a array) ownLine(item span) (indent string, own bool) {
	start := strings.LastIndexByte(a.text[:item.from], '\n') + 1
	indent = a.text[start:item.from]
	rest := strings.TrimLeft(a.text[item.to:lineEnd(a.text, item.to)], " \t,\r")
	return indent, strings.TrimSpace(indent) == "" && (rest == "" || rest[0] == '#')
}

package target

import (
	"bytes"
	"cmp"
	"encoding/base64"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"
)

// maxLines bounds an answer; its size is bounded where it is received.
const maxLines = 100_000

// answer is what a script said: values by key, in order. The first thing that is
// wrong with it is kept, so that a reader can take all values before it asks.
type answer struct {
	values map[string][]string
	err    error
}

var keyForm = regexp.MustCompile(`^[a-z_]+(\.[a-z_]+)?$`)

// parse reads lines "key<TAB>value" between "pistack<TAB>1" and "end<TAB>".
func parse(out []byte) (*answer, error) {
	if !utf8.Valid(out) {
		return nil, fmt.Errorf("it is not UTF-8")
	}
	if bytes.Count(out, []byte("\n")) > maxLines {
		return nil, fmt.Errorf("it has more than %d lines", maxLines)
	}
	text, whole := strings.CutSuffix(string(out), "end\t\n")
	text, ours := strings.CutPrefix(text, "pistack\t1\n")
	if !ours {
		return nil, fmt.Errorf("it does not begin with its version")
	}
	if !whole {
		return nil, fmt.Errorf("its end is missing")
	}
	a := &answer{values: map[string][]string{}}
	for line := range strings.Lines(text) {
		key, value, ok := strings.Cut(strings.TrimSuffix(line, "\n"), "\t")
		if !ok || !keyForm.MatchString(key) || !strings.HasSuffix(line, "\n") || key == "end" {
			return nil, fmt.Errorf("line %q", line)
		}
		a.values[key] = append(a.values[key], value)
	}
	return a, nil
}

func (a *answer) wrong(format string, args ...any) {
	if a.err == nil {
		a.err = fmt.Errorf(format, args...)
	}
}

// finish tells what is wrong, and refuses keys that nobody took.
func (a *answer) finish() error {
	for key := range a.values {
		a.wrong("key %q", key)
	}
	return a.err
}

// list takes all values of a key.
func (a *answer) list(key string) []string {
	values := a.values[key]
	delete(a.values, key)
	return values
}

// sorted takes all values of a key, each once.
func (a *answer) sorted(key string) []string {
	values := a.list(key)
	slices.Sort(values)
	return slices.Compact(values)
}

// text takes the one value of a key.
func (a *answer) text(key string) string {
	values := a.list(key)
	if len(values) != 1 {
		a.wrong("%d values of %q", len(values), key)
		return ""
	}
	return values[0]
}

// path takes an absolute path, or nothing.
func (a *answer) path(key string) string {
	path := a.text(key)
	if path != "" && !strings.HasPrefix(path, "/") {
		a.wrong("%s %q is no path", key, path)
	}
	return path
}

// number takes a number that is not negative; empty is 0 where that may be.
func (a *answer) number(key string, mayBeEmpty bool) int64 {
	text := a.text(key)
	if text == "" && mayBeEmpty {
		return 0
	}
	n, err := strconv.ParseInt(text, 10, 64)
	if err != nil || n < 0 {
		a.wrong("%s %q is no number", key, text)
		return 0
	}
	return n
}

// yes takes "yes" or "no".
func (a *answer) yes(key string) bool {
	text := a.text(key)
	if text != "yes" && text != "no" {
		a.wrong("%s %q is neither yes nor no", key, text)
	}
	return text == "yes"
}

// bytes takes a value in base64; nil when it is not there.
func (a *answer) bytes(key string) []byte {
	if len(a.values[key]) == 0 {
		return nil
	}
	data, err := base64.StdEncoding.DecodeString(a.text(key))
	if err != nil {
		a.wrong("%s: %v", key, err)
		return nil
	}
	return data
}

// owner takes who has a lock. One that was made by hand has somebody, too: it is
// said, waited for and broken as any other.
func (a *answer) owner(prefix string) Owner {
	return Owner{
		ID:       cmp.Or(a.text(prefix+"id"), "unknown"),
		User:     cmp.Or(a.text(prefix+"user"), "somebody unknown"),
		From:     a.text(prefix + "from"),
		Revision: a.text(prefix + "revision"),
		Dirty:    a.text(prefix+"dirty") == "yes",
		Since:    time.Unix(a.number(prefix+"since", false), 0).UTC(),
	}
}

// fields cuts a value at its tabs, into exactly n.
func (a *answer) fields(key, value string, n int) []string {
	parts := strings.Split(value, "\t")
	if len(parts) != n {
		a.wrong("%s %q has %d parts, not %d", key, value, len(parts), n)
		return make([]string, n)
	}
	return parts
}

// integer reads one of fields' parts.
func (a *answer) integer(key, part string) int {
	n, err := strconv.Atoi(part)
	if err != nil {
		a.wrong("%s: %q is no number", key, part)
	}
	return n
}

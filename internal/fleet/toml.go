package fleet

import (
	"errors"
	"fmt"
	"io/fs"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/BurntSushi/toml"
)

// maxTOML bounds a settings file; a real one has a few hundred bytes.
const maxTOML = 1 << 20

// document is a TOML file that has been read, kept for positions.
type document struct {
	file string // relative to the root
	text string
}

// readTOML decodes a file into target (a pointer to a struct with toml
// tags) and reports syntax errors, wrong types and unknown keys.
func readTOML(files fs.FS, file string, target any) (document, []error) {
	doc := document{file: file}
	info, err := fs.Stat(files, file)
	if err != nil {
		return doc, []error{&Problem{File: file, Message: "cannot be read: " + reason(err)}}
	}
	if !info.Mode().IsRegular() {
		return doc, []error{&Problem{File: file, Message: "is not a regular file"}}
	}
	if info.Size() > maxTOML {
		return doc, []error{&Problem{File: file, Message: "is larger than 1 MiB"}}
	}
	data, err := fs.ReadFile(files, file)
	if err != nil {
		return doc, []error{&Problem{File: file, Message: "cannot be read: " + reason(err)}}
	}
	doc.text = string(data)
	return doc, doc.decode(target)
}

// decode decodes a document that has its text, as readTOML does.
func (d document) decode(target any) []error {
	meta, err := toml.Decode(d.text, target)
	if err != nil {
		return []error{d.syntax(err)}
	}
	var problems []error
	for _, key := range meta.Undecoded() {
		known := keysAt(reflect.TypeOf(target).Elem(), key[:len(key)-1])
		problems = append(problems, d.problem(key, "unknown key %q%s", key.String(), didYouMean(key[len(key)-1], known)))
	}
	return append(problems, d.notTables(reflect.TypeOf(target).Elem())...)
}

// notTables reports what stands where a table has to be: the library decodes
// nothing from it, without an error.
func (d document) notTables(t reflect.Type) []error {
	var problems []error
	var plain map[string]any
	_, _ = toml.Decode(d.text, &plain) // it was decoded before
	for i := range t.NumField() {
		name := t.Field(i).Tag.Get("toml")
		value, there := plain[name]
		if _, table := value.(map[string]any); t.Field(i).Type.Kind() == reflect.Map && there && !table {
			problems = append(problems, d.problem([]string{name}, "%s is no table: write [%s], and a line for each below it", name, name))
		}
	}
	return problems
}

func (d document) syntax(err error) error {
	var parse toml.ParseError
	if errors.As(err, &parse) {
		return &Problem{File: d.file, Line: parse.Position.Line, Column: parse.Position.Col, Message: parse.Message}
	}
	if m := wrongType.FindStringSubmatch(err.Error()); m != nil {
		p := d.problem(strings.Split(m[2], "."), "%s: %s", m[2], m[3])
		if p.Line == 0 {
			p.Line, _ = strconv.Atoi(m[1])
		}
		return p
	}
	return &Problem{File: d.file, Message: strings.TrimPrefix(err.Error(), "toml: ")}
}

// wrongType is how the library reports a value of another type than ours.
var wrongType = regexp.MustCompile(`^toml: line (\d+) \(last key "(.*)"\): (.*)$`)

// problem is a Problem at the line of a key.
func (d document) problem(key []string, format string, args ...any) *Problem {
	line, column := d.find(key)
	return &Problem{File: d.file, Line: line, Column: column, Message: fmt.Sprintf(format, args...)}
}

// problemWithin is a Problem at the line of a key, or of the nearest table around
// it that has a line of its own.
func (d document) problemWithin(key []string, format string, args ...any) *Problem {
	p := d.problem(key, format, args...)
	p.Line, p.Column = d.findWithin(key)
	return p
}

// findWithin is find, or where a whole table stands on one line.
func (d document) findWithin(key []string) (line, column int) {
	for n := len(key); line == 0 && n > 0; n-- {
		line, column = d.find(key[:n])
	}
	return line, column
}

// find returns line and column of a key, both from 1, or 0, 0. The TOML library
// keeps no position of keys that it did not decode. Our files have plain keys
// and [tables] only, so a scan by line finds them.
func (d document) find(key []string) (line, column int) {
	table := ""
	for i, text := range strings.Split(d.text, "\n") {
		trimmed := strings.TrimSpace(text)
		indent := len(text) - len(strings.TrimLeft(text, " \t"))
		if strings.HasPrefix(trimmed, "[") {
			table = strings.Trim(strings.SplitN(trimmed, "]", 2)[0], "[ \t")
			if table == strings.Join(key, ".") {
				return i + 1, indent + 1
			}
			continue
		}
		name, _, isPair := strings.Cut(trimmed, "=")
		name = strings.Trim(strings.TrimSpace(name), `"'`)
		full := strings.TrimPrefix(table+"."+name, ".")
		if isPair && full == strings.Join(key, ".") {
			return i + 1, indent + 1
		}
	}
	return 0, 0
}

// keysAt lists the keys that a struct knows at the table path.
func keysAt(t reflect.Type, path []string) []string {
	for _, name := range path {
		next := fieldOf(t, name)
		if next == nil || next.Kind() != reflect.Struct {
			return nil
		}
		t = next
	}
	var keys []string
	for i := range t.NumField() {
		keys = append(keys, t.Field(i).Tag.Get("toml"))
	}
	slices.Sort(keys)
	return keys
}

func fieldOf(t reflect.Type, name string) reflect.Type {
	for i := range t.NumField() {
		if t.Field(i).Tag.Get("toml") == name {
			return t.Field(i).Type
		}
	}
	return nil
}

// reason strips operation and absolute path from a file error: messages name
// the file relative to the root.
func reason(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err.Error()
	}
	return err.Error()
}

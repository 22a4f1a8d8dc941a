package compose

import (
	"fmt"
	"reflect"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

var (
	pathFirst     = regexp.MustCompile(`^validating [^:]+: ([A-Za-z0-9_.\[\]/-]+) (.*)$`)
	pathInside    = regexp.MustCompile(`(?:interpolating|format for) ([A-Za-z0-9_.\[\]/-]+?)[.:](?:\s|$)`)
	namedService  = regexp.MustCompile(`service "([^"]+)"`)
	yamlLineFirst = regexp.MustCompile(`line (\d+)(?:, column (\d+))?: ([^\n]*)$`)
)

// modelFinding turns an error of compose-go, which has no position, into a
// finding at the place that its text names.
func modelFinding(docs documents, err error) Finding {
	text := withoutTokens(strings.TrimSuffix(strings.TrimSpace(err.Error()), ": invalid compose project"))
	if strings.Contains(text, "yaml: ") {
		return yamlFinding(docs, text)
	}
	f := Finding{Code: CodeModel, Severity: Error, Message: text}
	var path []string
	if m := pathFirst.FindStringSubmatch(text); m != nil {
		path = strings.Split(m[1], ".")
		f.Message = schemaMessage(path, m[2])
	} else if m := pathInside.FindStringSubmatch(text); m != nil {
		path = strings.Split(m[1], ".")
		f.Message = strings.Join(strings.Fields(text), " ")
	} else if m := namedService.FindStringSubmatch(text); m != nil {
		path = []string{"services", m[1]}
	}
	p := docs.find(path...)
	f.File, f.Line, f.Column = p.file, p.line, p.column
	return f
}

// schemaMessage says "false schema" in words, with the nearest valid key.
func schemaMessage(path []string, problem string) string {
	if problem != "false schema" {
		return strings.Join(path, ".") + " " + problem
	}
	key := path[len(path)-1]
	where := strings.Join(path[:len(path)-1], ".")
	if where == "" {
		where = "the file"
	}
	return fmt.Sprintf("unknown key %q in %s%s", key, where, nearest(key, knownKeys(path)))
}

// knownKeys lists the keys that Compose knows where path ends, for the top
// level and for services; elsewhere nothing is offered.
func knownKeys(path []string) []string {
	switch {
	case len(path) == 1:
		return append(yamlKeys(reflect.TypeFor[types.Project]()), "include", "version")
	case len(path) == 3 && path[0] == "services":
		return yamlKeys(reflect.TypeFor[types.ServiceConfig]())
	}
	return nil
}

func yamlKeys(t reflect.Type) []string {
	var keys []string
	for i := range t.NumField() {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("yaml"), ",")
		if name != "" && name != "-" {
			keys = append(keys, name)
		}
	}
	return keys
}

// nearest offers the valid key that shares the most letters with a wrong one:
// a transposed or missing letter is what people type.
func nearest(wrong string, valid []string) string {
	best, score := "", 0.7
	for _, v := range valid {
		if s := likeness(wrong, v); s > score {
			best, score = v, s
		}
	}
	if best == "" {
		return ""
	}
	return fmt.Sprintf(" (did you mean %q?)", best)
}

// likeness is 1 for equal words and falls with each letter that only one has.
func likeness(a, b string) float64 {
	left := []byte(b)
	common := 0
	for i := range len(a) {
		if at := slices.Index(left, a[i]); at >= 0 {
			left = slices.Delete(left, at, at+1)
			common++
		}
	}
	return 2 * float64(common) / float64(len(a)+len(b))
}

// yamlFinding places an error of the YAML parser, which knows the line.
func yamlFinding(docs documents, text string) Finding {
	f := Finding{File: docs[0].file, Line: 1, Column: 1, Code: CodeSyntax, Severity: Error}
	for _, d := range docs {
		if d.root == nil || strings.Contains(text, baseName(d.file)) {
			f.File = d.file
			break
		}
	}
	last := text[strings.LastIndex(text, "yaml: ")+len("yaml: "):]
	f.Message = strings.Join(strings.Fields(last), " ")
	if m := yamlLineFirst.FindStringSubmatch(last); m != nil {
		f.Line, _ = strconv.Atoi(m[1])
		if column, err := strconv.Atoi(m[2]); err == nil {
			f.Column = column
		}
		f.Message = m[3]
	}
	return f
}

func baseName(file string) string { return file[strings.LastIndexByte(file, '/')+1:] }

func itoa(i int) string { return strconv.Itoa(i) }

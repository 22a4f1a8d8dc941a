package compose

import (
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

var (
	failedToParse  = regexp.MustCompile(`^failed to parse (\S+): (?s:(.*))$`)
	constructError = regexp.MustCompile(`^(?:yaml: )?construct errors:\s+line \d+: `) // its line is always 1
	inConstruct    = regexp.MustCompile(`^(while .+?) at line (\d+)(?:, column (\d+))?: (?:line \d+(?:, column \d+)?: )?(.*)$`)
	atLine         = regexp.MustCompile(`^line (\d+)(?:, column (\d+))?: (.*)$`)

	validating  = regexp.MustCompile(`^validating (\S+): (\S*) (.*)$`)
	additional  = regexp.MustCompile(`^additional properties (.*) not allowed$`)
	cannotMerge = regexp.MustCompile(`^cannot override services\.x\.(\S+)$`)
)

// placedError is a finding as an error, in the place of one of compose-go.
type placedError struct{ Finding }

func (e placedError) Error() string { return e.Message }

// modelFindings turns an error of compose-go, which has no position, into
// findings at the places that its text names.
func (l *loading) modelFindings(docs documents, err error) []Finding {
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		var all []Finding
		for _, e := range joined.Unwrap() {
			all = append(all, l.modelFindings(docs, e)...)
		}
		return all
	}
	if placed, ok := err.(placedError); ok {
		return []Finding{placed.Finding}
	}
	text := withoutTokens(strings.TrimSuffix(strings.TrimSpace(err.Error()), ": invalid compose project"))
	text = strings.ReplaceAll(text, repositoryRoot+"/", "")
	if m := failedToParse.FindStringSubmatch(text); m != nil {
		return []Finding{syntaxFinding(docs, m[1], m[2])}
	}
	if m := validating.FindStringSubmatch(text); m != nil {
		return l.schemaFindings(docs, strings.FieldsFunc(m[2], isDot), m[3])
	}
	if all := decodingFindings(docs, text); all != nil {
		return all
	}
	f := Finding{Code: CodeModel, Severity: Error, Message: strings.Join(strings.Fields(text), " ")}
	if m := extendsCircle.FindStringSubmatch(f.Message); m != nil {
		return []Finding{circleFinding(docs, m[1])}
	}
	if m := cannotMerge.FindStringSubmatch(text); m != nil {
		f.Message = fmt.Sprintf("%s cannot be merged with that of a service that it extends, includes or overrides", m[1])
		return []Finding{f.At(docs.inAnyService(strings.Split(m[1], ".")))}
	}
	if strings.Contains(text, errOtherFile.Error()) {
		f.Code, f.Message = CodeUnsupported, errOtherFile.Error()
	}
	return []Finding{f.At(placeOf(docs, f.Message))}
}

func isDot(r rune) bool { return r == '.' }

// At gives the finding a place.
func (f Finding) At(p Position) Finding {
	f.File, f.Line, f.Column = p.File, p.Line, p.Column
	return f
}

// schemaFindings says what the schema found wrong at a path. Unknown keys come
// several at once, or one as "false schema"; each gets its nearest valid key.
func (l *loading) schemaFindings(docs documents, path []string, problem string) []Finding {
	var unknown []string
	where := path
	switch m := additional.FindStringSubmatch(problem); {
	case m != nil:
		for _, quoted := range strings.Split(m[1], ", ") {
			unknown = append(unknown, strings.Trim(quoted, "'"))
		}
	case problem == "false schema" && len(path) > 0:
		where, unknown = path[:len(path)-1], path[len(path)-1:]
	default:
		f := Finding{Code: CodeModel, Severity: Error, Message: strings.TrimSpace(strings.Join(path, ".") + " " + problem)}
		return []Finding{f.At(docs.find(path...))}
	}
	var findings []Finding
	for _, key := range unknown {
		full := append(slices.Clone(where), key)
		f := Finding{Code: CodeModel, Severity: Error, Message: unknownKey(full)}
		findings = append(findings, f.At(docs.find(full...)))
	}
	return findings
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

// syntaxFinding places an error of the YAML parser, which knows the line.
func syntaxFinding(docs documents, file, text string) Finding {
	f := Finding{File: file, Line: 1, Column: 1, Code: CodeSyntax, Severity: Error}
	text = strings.TrimPrefix(constructError.ReplaceAllString(text, ""), "yaml: ")
	line, column := "", ""
	if m := inConstruct.FindStringSubmatch(text); m != nil {
		line, column, f.Message = m[2], m[3], m[4]+" "+m[1]
	} else if m := atLine.FindStringSubmatch(text); m != nil {
		line, column, f.Message = m[1], m[2], m[3]
	} else {
		f.Message = strings.Join(strings.Fields(text), " ")
	}
	if n, err := strconv.Atoi(line); err == nil {
		f.Line = n
	}
	if n, err := strconv.Atoi(column); err == nil {
		f.Column = n
	} else if n := docs.onLine(file, f.Line); n != nil {
		f.Column = n.Column
	}
	return f
}

func itoa(i int) string { return strconv.Itoa(i) }

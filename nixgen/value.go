// Package nixgen makes the generated files of a host: a NixOS module that
// holds option values only, and a small Compose override for each stack.
//
// What the device does stands in modules/, written by hand. Here is only data,
// so that a reviewer reads a change of a host in a few lines. Output depends on
// nothing but its input: generating twice, anywhere, gives the same bytes.
package nixgen

import (
	"errors"
	"fmt"
	"math"
	"regexp"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"
)

// Value is a Nix value: Str, Int, Bool, Path, List or Attrs.
type Value interface {
	print(p *printer)
}

// The kinds of values that option values need.
type (
	Str   string           // any text without NUL
	Int   int              // printed in decimal
	Bool  bool             // true or false
	Path  string           // relative path: starts with ./ or ../
	List  []Value          // in order
	Attrs map[string]Value // printed sorted by name
)

// Print renders a value in the format of RFC 166 (nixfmt leaves it as it is),
// without a final newline. Text that Nix cannot hold is an error.
func Print(v Value) (string, error) {
	var p printer
	v.print(&p)
	return p.out.String(), errors.Join(p.problems...)
}

type printer struct {
	out      strings.Builder
	depth    int
	after    string // what must stand in the same line as the end of the value
	problems []error
}

func (p *printer) newline() {
	p.out.WriteByte('\n')
	p.out.WriteString(strings.Repeat("  ", p.depth))
}

// width is how long a line can be, its indentation not counted.
const width = 100

// fits tells whether a text ends, with what must follow it, in the line that was begun.
func (p *printer) fits(text string) bool {
	line := p.out.String()
	line = strings.TrimLeft(line[strings.LastIndexByte(line, '\n')+1:], " ")
	return utf8.RuneCountInString(line+text+p.after) <= width
}

// nested writes what is between two brackets, one level deeper.
func (p *printer) nested(open, close string, n int, item func(i int)) {
	after := p.after
	p.out.WriteString(open)
	p.depth++
	for i := range n {
		p.newline()
		item(i)
	}
	p.after = after
	p.depth--
	p.newline()
	p.out.WriteString(close)
}

func (s Str) print(p *printer) {
	p.refuseNUL(string(s))
	p.out.WriteString(quote(string(s)))
}

func (p *printer) refuseNUL(s string) {
	if strings.ContainsRune(s, 0) {
		p.problems = append(p.problems, errors.New("a Nix string cannot hold a NUL byte"))
	}
}

func (i Int) print(p *printer) {
	if i == math.MinInt { // Nix reads "-" and the rest, which is too large
		p.problems = append(p.problems, fmt.Errorf("the number %d is too small for Nix", int(i)))
	}
	p.out.WriteString(strconv.Itoa(int(i)))
}

func (b Bool) print(p *printer) { p.out.WriteString(strconv.FormatBool(bool(b))) }

// barePath is what Nix reads as a path literal.
var barePath = regexp.MustCompile(`^\.\.?(/[A-Za-z0-9._+-]+)+$`)

func (s Path) print(p *printer) {
	text := string(s)
	if barePath.MatchString(text) {
		p.out.WriteString(text)
		return
	}
	if !strings.HasPrefix(text, "./") && !strings.HasPrefix(text, "../") {
		p.problems = append(p.problems, fmt.Errorf("%q is not a relative path", text))
		return
	}
	// Path literals know no escapes: the part with other characters is added.
	up := 0
	for strings.HasPrefix(text[up:], "../") {
		up += len("../")
	}
	base, rest := strings.TrimSuffix(text[:up], "/"), text[up:]
	if base == "" {
		base, rest = "./.", strings.TrimPrefix(text, "./")
	}
	if rest == "" || strings.HasPrefix(rest, "/") || strings.ContainsRune(rest, 0) {
		p.problems = append(p.problems, fmt.Errorf("%q is not a relative path", text))
	}
	if base == ".." {
		base = "../."
	}
	p.sum(base, "+ "+quote("/"+rest))
}

// sum writes two terms in parentheses, on as few lines as they need.
func (p *printer) sum(first, second string) {
	line := first + " " + second
	if p.fits("(" + line + ")") {
		p.out.WriteString("(" + line + ")")
		return
	}
	p.nested("(", ")", 1, func(int) {
		p.after = ""
		if !p.fits(line) {
			p.out.WriteString(first)
			p.newline()
			line = second
		}
		p.out.WriteString(line)
	})
}

func (l List) print(p *printer) {
	if len(l) == 0 {
		p.out.WriteString("[ ]")
		return
	}
	if line, ok := l.alone(); ok && p.fits(line) {
		p.out.WriteString(line)
		return
	}
	p.nested("[", "]", len(l), func(i int) { l.item(p, i) })
}

// alone is a list of one value, on one line. It is not ok where the value takes several.
func (l List) alone() (line string, ok bool) {
	if len(l) != 1 {
		return "", false
	}
	var p printer
	l.item(&p, 0)
	line = p.out.String()
	return "[ " + line + " ]", len(p.problems) == 0 && !strings.Contains(line, "\n")
}

// item puts a negative number in parentheses, as Nix wants it in a list.
func (l List) item(p *printer, i int) {
	p.after = ""
	if n, ok := l[i].(Int); ok && n < 0 {
		p.out.WriteByte('(')
		defer p.out.WriteByte(')')
	}
	l[i].print(p)
}

func (a Attrs) print(p *printer) {
	if len(a) == 0 {
		p.out.WriteString("{ }")
		return
	}
	names := make([]string, 0, len(a))
	for name := range a {
		names = append(names, name)
	}
	slices.Sort(names)
	p.nested("{", "}", len(names), func(i int) {
		p.refuseNUL(names[i])
		p.out.WriteString(attrName(names[i]))
		p.out.WriteString(" = ")
		p.after = ";"
		a[names[i]].print(p)
		p.out.WriteByte(';')
	})
}

// Strings collects texts as a list.
func Strings(texts []string) List {
	list := make(List, len(texts))
	for i, t := range texts {
		list[i] = Str(t)
	}
	return list
}

var identifier = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_'-]*$`)

// isKeyword tells whether a name is a keyword of the language, which must be
// quoted as an attribute name.
func isKeyword(name string) bool {
	switch name {
	case "assert", "else", "if", "in", "inherit", "let", "or", "rec", "then", "with":
		return true
	}
	return false
}

func attrName(name string) string {
	if identifier.MatchString(name) && !isKeyword(name) {
		return name
	}
	return quote(name)
}

// quote makes a string literal. "$" is escaped only before "{", where it would
// start an interpolation: nixfmt keeps it so, and diffs stay readable.
func quote(s string) string {
	var out strings.Builder
	out.WriteByte('"')
	for i := range len(s) {
		switch c := s[i]; {
		case c == '"' || c == '\\':
			out.WriteByte('\\')
			out.WriteByte(c)
		case c == '\n':
			out.WriteString(`\n`)
		case c == '\r':
			out.WriteString(`\r`)
		case c == '\t':
			out.WriteString(`\t`)
		case c == '$' && i+1 < len(s) && s[i+1] == '{':
			out.WriteString(`\$`)
		default:
			out.WriteByte(c)
		}
	}
	out.WriteByte('"')
	return out.String()
}

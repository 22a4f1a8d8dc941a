// Package reference finds the variables that a text of a Compose file refers to,
// "$NAME" or "${NAME…}", as Compose interpolates them.
package reference

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
)

// Reference is one "$NAME" or "${NAME…}" of a text.
type Reference struct {
	Name     string
	Operator string // "-", ":-", "+", ":+", "?", ":?" or none
	Word     string // what follows the operator
}

// Find lists the references of a text in order, without those inside
// another's word. compose-go's own list (template.ExtractVariables) has one
// entry a name and does not tell which default belongs to which reference.
func Find(text string) []Reference {
	var refs []Reference
	for {
		m := template.DefaultPattern.FindStringIndex(text)
		if m == nil {
			return refs
		}
		end := m[1]
		if closing := closingBrace(text[m[0]:end]); closing >= 0 {
			end = m[0] + closing + 1 // the pattern runs to the last brace of the line
		}
		if r, ok := newReference(text[m[0]:end]); ok {
			refs = append(refs, r)
		}
		text = text[end:]
	}
}

// newReference takes "$NAME" or "${NAME…}" apart. "$$" is none, and neither is
// what Compose will refuse.
func newReference(text string) (Reference, bool) {
	inner, braced := strings.CutPrefix(text, "${")
	if !braced {
		name := strings.TrimPrefix(text, "$")
		return Reference{Name: name}, name != "$"
	}
	inner, closed := strings.CutSuffix(inner, "}")
	if !closed {
		return Reference{}, false
	}
	i := strings.IndexAny(inner, ":-+?")
	if i < 0 {
		return Reference{Name: inner}, true
	}
	length := 1
	if inner[i] == ':' {
		length = 2
	}
	return Reference{Name: inner[:i], Operator: inner[i : i+length], Word: inner[i+length:]}, true
}

// closingBrace finds the brace that closes the first one, as compose-go does.
func closingBrace(text string) int {
	open := 0
	for i := 0; i < len(text); i++ {
		switch text[i] {
		case '}':
			if open--; open == 0 {
				return i
			}
		case '{':
			open++
			i++
		}
	}
	return -1
}

// Optional tells whether the reference says itself what stands in for a
// variable that is not defined.
func (r Reference) Optional() bool {
	return strings.HasSuffix(r.Operator, "-") || strings.HasSuffix(r.Operator, "+")
}

// usesWord tells whether the word of an optional reference takes effect.
func (r Reference) usesWord(value string, defined bool) bool {
	switch r.Operator {
	case "-":
		return !defined
	case ":-":
		return value == ""
	case "+":
		return defined
	default: // ":+"
		return value != ""
	}
}

// Walk calls visit for every variable that interpolation of a text looks up. It
// goes into a default only where that applies, as interpolation does.
func Walk(text string, lookUp func(name string) (value string, defined bool), visit func(r Reference, defined bool)) {
	for _, r := range Find(text) {
		value, defined := lookUp(r.Name)
		visit(r, defined)
		if r.Optional() && r.usesWord(value, defined) {
			Walk(r.Word, lookUp, visit)
		}
	}
}

// maxWork bounds references times length of a text: interpolation starts anew
// after each reference.
const maxWork = 1 << 24

// TooMany tells whether a text would take too long to interpolate.
func TooMany(text string) bool { return Work(text) > maxWork }

// Excessive tells the same of the summed Work of many texts.
func Excessive(work int) bool { return work > maxWork }

// Work is what interpolation of a text costs, to be summed over texts.
func Work(text string) int { return strings.Count(text, "${") * len(text) }

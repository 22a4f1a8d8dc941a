package compose

import (
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
)

// reference is one "$NAME" or "${NAME…}" of a text.
type reference struct {
	name     string
	operator string // "-", ":-", "+", ":+", "?", ":?" or none
	word     string // what follows the operator
}

// references lists the references of a text in order, without those inside
// another's word. compose-go's own list (template.ExtractVariables) has one
// entry a name and does not tell which default belongs to which reference.
func references(text string) []reference {
	var refs []reference
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
func newReference(text string) (reference, bool) {
	inner, braced := strings.CutPrefix(text, "${")
	if !braced {
		name := strings.TrimPrefix(text, "$")
		return reference{name: name}, name != "$"
	}
	inner, closed := strings.CutSuffix(inner, "}")
	if !closed {
		return reference{}, false
	}
	i := strings.IndexAny(inner, ":-+?")
	if i < 0 {
		return reference{name: inner}, true
	}
	length := 1
	if inner[i] == ':' {
		length = 2
	}
	return reference{name: inner[:i], operator: inner[i : i+length], word: inner[i+length:]}, true
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

// optional tells whether the reference says itself what stands in for a
// variable that is not defined.
func (r reference) optional() bool {
	return strings.HasSuffix(r.operator, "-") || strings.HasSuffix(r.operator, "+")
}

// usesWord tells whether the word of an optional reference takes effect.
func (r reference) usesWord(value string, defined bool) bool {
	switch r.operator {
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

// maxReferenceWork bounds references times length of a text: interpolation
// starts anew after each reference.
const maxReferenceWork = 1 << 24

const manyReferences = "has too many ${…} in one place to interpolate"

func tooManyReferences(text string) bool {
	return referenceWork(text) > maxReferenceWork
}

func referenceWork(text string) int { return strings.Count(text, "${") * len(text) }

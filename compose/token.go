package compose

import (
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/consts"
)

// A token stands in for a secret's value while a stack is loaded. It carries
// the value's version, so that whatever is hashed changes with the value.
var tokenForm = regexp.MustCompile(`⟦secret ([A-Za-z0-9_]+) [^⟧]*⟧`)

func token(name, version string) string { return "⟦secret " + name + " " + version + "⟧" }

// tokensIn lists the secrets whose tokens occur in a text, sorted.
func tokensIn(text string) []string {
	var names []string
	for _, m := range tokenForm.FindAllStringSubmatch(text, -1) {
		names = append(names, m[1])
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// withoutTokens makes a message readable that quotes an interpolated value.
func withoutTokens(text string) string {
	if !strings.Contains(text, "⟦") {
		return text
	}
	return tokenForm.ReplaceAllString(text, "(secret $1)")
}

// walkTokens calls visit for every string of a loaded model that holds tokens,
// with the path of keys that leads to it. It leaves out extensions ("x-…"),
// which compose-go has set aside: no container sees them.
func walkTokens(model any, path []string, visit func(path []string, names []string)) {
	switch v := model.(type) {
	case string:
		if names := tokensIn(v); len(names) > 0 {
			visit(slices.Clone(path), names)
		}
	case map[string]any:
		for key, value := range v {
			if key == consts.Extensions {
				continue
			}
			walkTokens(value, append(path, key), visit)
			if names := tokensIn(key); len(names) > 0 {
				visit(slices.Clone(path), names)
			}
		}
	case []any:
		for i, value := range v {
			walkTokens(value, append(path, itoa(i)), visit)
		}
	}
}

package changes_test

import (
	"encoding/json"
	"strings"
	"testing"
)

// FuzzBetween: any two stacks that load compare without a panic, a stack is not
// different from itself, and both directions name the same paths.
func FuzzBetween(f *testing.F) {
	for _, c := range cases {
		if c.before.files == nil && c.after.files == nil && c.before.yaml != "" && c.after.yaml != "" {
			f.Add(c.before.yaml, c.after.yaml, "v1", "v2")
		}
	}
	f.Fuzz(func(t *testing.T, one, other, version, newer string) {
		a := side{yaml: one, secrets: map[string]string{"KEY": safe(version)}}
		b := side{yaml: other, secrets: map[string]string{"KEY": safe(newer)}}
		for _, s := range []side{a, b} {
			if stack, _ := s.load(t); stack == nil {
				return
			}
		}
		holds(t, a, b)
	})
}

// safe is a version as a label may have one: no delimiter of a token.
func safe(version string) string {
	if strings.ContainsAny(version, "⟦⟧ \n\"\\") || !json.Valid([]byte(`"`+version+`"`)) {
		return "v"
	}
	return version
}

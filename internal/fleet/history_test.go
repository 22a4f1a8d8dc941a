package fleet_test

import (
	"slices"
	"strings"
	"testing"

	"pistack/internal/fleet"
)

func TestOperatorsIn(t *testing.T) {
	for _, c := range []struct {
		text string
		want []string
	}{
		{`operators = ["a", "b"]`, []string{"a", "b"}},
		{"operators = [\"a\"]\nsome_newer_key = 1\n[table]\n", []string{"a"}},
		{`operators = ["a", 1, ["b"]]`, []string{"a"}},
		{`operators = "a"`, nil},
		{`operators = [`, nil},
		{"", nil},
		{"\x00\xff", nil},
		{`operators = ["` + strings.Repeat("x", 1<<20) + `"]`, nil},
	} {
		if got := fleet.OperatorsIn([]byte(c.text)); !slices.Equal(got, c.want) {
			t.Errorf("%.40q: %q, want %q", c.text, got, c.want)
		}
	}
}

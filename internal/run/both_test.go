package run_test

import (
	"bytes"
	"errors"
	"slices"
	"testing"

	"pistack/internal/run"
)

// TestBoth: the two streams are kept apart.
func TestBoth(t *testing.T) {
	for _, c := range []struct {
		name, script, out string
		lines             []string
		code              int
	}{
		{"both", "echo a; echo b >&2; printf c; printf d >&2", "a\nc", []string{"b", "d"}, 0},
		{"nothing", ":", "", nil, 0},
		{"fails", "echo a; echo b >&2; exit 3", "a\n", []string{"b"}, 3},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out bytes.Buffer
			var lines []string
			err := run.Both(t.Context(), run.Command{Argv: []string{"sh", "-c", c.script}}, &out, func(text string) { lines = append(lines, text) })
			if out.String() != c.out || !slices.Equal(lines, c.lines) {
				t.Errorf("%q and %q", out.String(), lines)
			}
			var failed *run.Error
			if c.code == 0 && err != nil || c.code != 0 && (!errors.As(err, &failed) || failed.Code != c.code || !slices.Equal(failed.Last, c.lines)) {
				t.Errorf("error %v", err)
			}
		})
	}
}

package fleet_test

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pistack/internal/fleet"
)

func TestEditOperators(t *testing.T) {
	for _, c := range []struct {
		name, before, added, removed string
		operators                    []string
	}{
		{"one line", `operators = ["a"]`, `operators = ["a", "new"]`, "", []string{"a"}},
		{"two on one line", "operators = [\"a\", \"b\"] # us\n", "operators = [\"a\", \"b\", \"new\"] # us\n", "operators = [\"b\"] # us\n", []string{"a", "b"}},
		{"a comma at the end", `operators = [ "a", "b", ]`, `operators = [ "a", "b", "new", ]`, `operators = [ "b", ]`, []string{"a", "b"}},
		{"a line each",
			"# c\noperators = [\n    \"a\", # alice\n    # who\n    'b' # bob, \"b\"\n]\nplugins = [\"x\"]\n[registry]\noperators = 1\n",
			"# c\noperators = [\n    \"a\", # alice\n    # who\n    'b', # bob, \"b\"\n    \"new\",\n]\nplugins = [\"x\"]\n[registry]\noperators = 1\n",
			"# c\noperators = [\n    # who\n    'b' # bob, \"b\"\n]\nplugins = [\"x\"]\n[registry]\noperators = 1\n", []string{"a", "b"}},
		{"a quote inside", "\"operators\" = [\"a \\\"x\\\" ]\", \"b\"]\r\n", "\"operators\" = [\"a \\\"x\\\" ]\", \"b\", \"new\"]\r\n", "\"operators\" = [\"b\"]\r\n", []string{`a "x" ]`, "b"}},
		{"brackets apart", "operators = [ \"a\",\n  \"b\" ]\n", "operators = [ \"a\",\n  \"b\", \"new\" ]\n", "operators = [ \"b\" ]\n", []string{"a", "b"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			root := t.TempDir()
			if err := os.WriteFile(filepath.Join(root, "fleet.toml"), []byte(c.before), 0o644); err != nil {
				t.Fatal(err)
			}
			f := &fleet.Fleet{Root: root, Operators: c.operators}
			if got, err := f.WithOperator("new"); err != nil || string(got) != c.added {
				t.Errorf("added: %v\ngot  %q\nwant %q", err, got, c.added)
			}
			if c.removed == "" {
				return
			}
			if got, err := f.WithoutOperator(0); err != nil || string(got) != c.removed {
				t.Errorf("removed: %v\ngot  %q\nwant %q", err, got, c.removed)
			}
		})
	}
}

func TestOperatorsOfAnotherForm(t *testing.T) {
	for _, text := range []string{"operators = x", "", "[t]\noperators = [\"a\"]", "operators = [\"a", "operators =\n[\"a\"]", "operators = [1]"} {
		root := t.TempDir()
		if err := os.WriteFile(filepath.Join(root, "fleet.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f := &fleet.Fleet{Root: root, Operators: []string{"a"}}
		if got, err := f.WithOperator("new"); err == nil || !strings.Contains(err.Error(), "fleet.toml: ") {
			t.Errorf("%q became %q (%v)", text, got, err)
		}
	}
}

// TestOperatorsChangedMeanwhile: another command added or removed one since the
// fleet was read.
func TestOperatorsChangedMeanwhile(t *testing.T) {
	root := t.TempDir()
	for _, text := range []string{`operators = ["a", "b", "c"]`, `operators = ["b"]`, `operators = ["a"]`} {
		if err := os.WriteFile(filepath.Join(root, "fleet.toml"), []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		f := &fleet.Fleet{Root: root, Operators: []string{"a", "b"}}
		_, add := f.WithOperator("new")
		_, remove := f.WithoutOperator(1)
		for _, err := range []error{add, remove} {
			var p *fleet.Problem
			if !errors.As(err, &p) || p.Error() != "fleet.toml: the list of operators was changed meanwhile" || p.Fix != "run this again" {
				t.Errorf("%s: %v", text, err)
			}
		}
	}
}

// FuzzEditOperators: what is added can be removed again, whatever the file looks
// like, and nothing else of it changes.
func FuzzEditOperators(f *testing.F) {
	f.Add("operators = [", "]\n", "age1x", 2)
	f.Add("# c\noperators = [ # [\n  ", "\n] # ]\nx = 1\n", "a'b\"\\", 1)
	f.Fuzz(func(t *testing.T, before, after, item string, n int) {
		if len(before)+len(after)+len(item) > 500 || n < 1 || n > 5 {
			return
		}
		var items, quoted []string
		for i := range n {
			items = append(items, item+strconv.Itoa(i))
			quoted = append(quoted, strconv.Quote(items[i]))
		}
		root := t.TempDir()
		file := filepath.Join(root, "fleet.toml")
		if err := os.WriteFile(file, []byte(before+strings.Join(quoted, ", ")+after), 0o644); err != nil {
			t.Fatal(err)
		}
		text, err := (&fleet.Fleet{Root: root, Operators: items}).WithOperator("new")
		if err != nil {
			return
		}
		if err := os.WriteFile(file, text, 0o644); err != nil {
			t.Fatal(err)
		}
		if _, err := (&fleet.Fleet{Root: root, Operators: append(slices.Clone(items), "new")}).WithoutOperator(n); err != nil {
			t.Fatalf("what was added cannot be removed: %v\n%q", err, text)
		}
	})
}

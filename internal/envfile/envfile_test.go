package envfile_test

import (
	"reflect"
	"slices"
	"strings"
	"testing"

	"pistack/internal/envfile"
)

func TestParse(t *testing.T) {
	const text = "\ufeff# a comment\r\nA=1\r\n\nexport B = two words # and a comment\nC='single $A # \"'\nD=\"line\\n${A}\"\nE: yaml\nA=again\nM=\"first\nsecond\"\nEMPTY=\nDOLLAR=a$$b\n"
	want := []envfile.Variable{
		{Name: "B", Value: "two words", Line: 4}, {Name: "C", Value: `single $A # "`, Line: 5}, {Name: "D", Value: "line\n1", Line: 6},
		{Name: "E", Value: "yaml", Line: 7}, {Name: "A", Value: "again", Line: 8}, {Name: "M", Value: "first\nsecond", Line: 9},
		{Name: "EMPTY", Line: 11}, {Name: "DOLLAR", Value: "a$b", Line: 12},
	}
	got, err := envfile.Parse([]byte(text))
	if err != nil || !reflect.DeepEqual(got, want) {
		t.Errorf("%v\ngot  %+v\nwant %+v", err, got, want)
	}
}

// problem is the first one: of the file, or of a variable.
func problem(vars []envfile.Variable, err error) string {
	if err != nil {
		return err.Error()
	}
	for _, v := range vars {
		if v.Err != nil {
			return v.Err.Error()
		}
	}
	return ""
}

func TestRefused(t *testing.T) {
	for text, want := range map[string]string{
		"A=1\nPASSWORD=pa$canary":      "line 2: refers with $ to a variable that is not defined above",
		"A=$B\nB=1":                    "line 1: refers with $ to a variable that is not defined above",
		"A=1\nB=${A}${canary:-x}":      "",
		"A=${B:-$canary}":              "line 1: refers with $ to a variable that is not defined above",
		"A=1\x00":                      "holds a NUL byte",
		"A=1\nB C=canary":              "line 2: is not a valid line of an env file",
		"A=1\nB=\"canary\nx\n":         "line 4: is not a valid line of an env file",
		"canary!=1":                    "line 1: is not a valid line of an env file",
		strings.Repeat("${A}", 100000): "has too many ${…} in one place to interpolate",
	} {
		vars, err := envfile.Parse([]byte(text))
		if got := problem(vars, err); got != want {
			t.Errorf("%.60q: %q, want %q", text, got, want)
		}
	}
}

// TestNamesAlone: a name without a value is listed, with none.
func TestNamesAlone(t *testing.T) {
	for _, text := range []string{"A=1\nNAME\nB=2", "A=1\nB=2\n\nexport NAME", "NAME"} {
		vars, err := envfile.Parse([]byte(text))
		if err != nil || !slices.ContainsFunc(vars, func(v envfile.Variable) bool { return v.Name == "NAME" && v.Value == "" && v.Err == nil && v.Line > 0 }) {
			t.Errorf("%q: %+v, %v", text, vars, err)
		}
	}
}

// FuzzParse: no error quotes the file, and every variable has its line.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{"A=1\nB=\"x\ny\"\n", "A='", "A\n", "A=${B}", "export A: b", "\ufeffA=1"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		if len(text) > 1000 {
			return
		}
		vars, err := envfile.Parse([]byte(text))
		if text := problem(vars, err); text != "" {
			for _, line := range strings.Split(text, "\n") {
				_, message, found := strings.Cut(line, ": ")
				if !found {
					message = line
				}
				switch message {
				case "refers with $ to a variable that is not defined above",
					"is not a valid line of an env file", "is not a valid env file", "holds a NUL byte", "has too many ${…} in one place to interpolate":
				default:
					t.Fatalf("an error of unknown words: %q", line)
				}
			}
		}
		for _, v := range vars {
			if v.Line < 0 || v.Line > strings.Count(text, "\n")+1 {
				t.Fatalf("%q is on line %d", v.Name, v.Line)
			}
		}
	})
}

package nixgen_test

import (
	"encoding/json"
	"math"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"unicode/utf8"

	"pistack/nixgen"
)

func TestPrint(t *testing.T) {
	x := strings.Repeat("x", 100)
	for _, c := range []struct {
		name  string
		value nixgen.Value
		want  string
	}{
		{"string", nixgen.Str("a b"), `"a b"`},
		{"empty string", nixgen.Str(""), `""`},
		{"quotes", nixgen.Str(`a"b\c`), `"a\"b\\c"`},
		{"line breaks", nixgen.Str("a\nb\r\tc"), `"a\nb\r\tc"`},
		{"dollar alone", nixgen.Str("$a $$ a$"), `"$a $$ a$"`},
		{"interpolation", nixgen.Str("${a} $${b}"), `"\${a} $\${b}"`},
		{"two single quotes", nixgen.Str("''a''"), `"''a''"`},
		{"not ASCII", nixgen.Str("grüße\u2028⟦"), "\"grüße\u2028⟦\""},
		{"numbers", nixgen.List{nixgen.Int(0), nixgen.Int(42)}, "[\n  0\n  42\n]"},
		{"negative", nixgen.Int(-5), "-5"},
		{"negative in a list", nixgen.List{nixgen.Int(-5)}, "[ (-5) ]"},
		{"bools", nixgen.Attrs{"a": nixgen.Bool(true), "b": nixgen.Bool(false)}, "{\n  a = true;\n  b = false;\n}"},
		{"empty list", nixgen.List{}, "[ ]"},
		{"one in a list", nixgen.List{nixgen.Str("a")}, `[ "a" ]`},
		{"empty set", nixgen.Attrs{}, "{ }"},
		{"nested", nixgen.Attrs{"a": nixgen.Attrs{"b": nixgen.Strings([]string{"c", "d"})}}, "{\n  a = {\n    b = [\n      \"c\"\n      \"d\"\n    ];\n  };\n}"},
		{"sorted by bytes", nixgen.Attrs{"b": nixgen.Int(1), "B": nixgen.Int(2), "a": nixgen.Int(3)}, "{\n  B = 2;\n  a = 3;\n  b = 1;\n}"},
		{"attribute names", nixgen.Attrs{
			"a-b'": nixgen.Int(1), "_": nixgen.Int(2), "1a": nixgen.Int(3), "a.b": nixgen.Int(4), "": nixgen.Int(5), "${x}": nixgen.Int(6), "or": nixgen.Int(7), "inherit": nixgen.Int(8), "-a": nixgen.Int(9),
		}, "{\n  \"\" = 5;\n  \"\\${x}\" = 6;\n  \"-a\" = 9;\n  \"1a\" = 3;\n  _ = 2;\n  a-b' = 1;\n  \"a.b\" = 4;\n  \"inherit\" = 8;\n  \"or\" = 7;\n}"},
		{"path", nixgen.Path("../../stacks/a-b_c/x.y+z"), "../../stacks/a-b_c/x.y+z"},
		{"path, here", nixgen.Path("./.env"), "./.env"},
		{"path with a space", nixgen.Path("../../a b/c"), `(../.. + "/a b/c")`},
		{"path with a space, one up", nixgen.Path("../a b"), `(../. + "/a b")`},
		{"path with a space, here", nixgen.Path("./a b"), `(./. + "/a b")`},
		{"path with an interpolation", nixgen.Path("./${a}"), `(./. + "/\${a}")`},
		{"one in a list, as long as a line", nixgen.Attrs{"a": nixgen.Strings([]string{x[:89]})}, "{\n  a = [ \"" + x[:89] + "\" ];\n}"},
		{"one in a list, too long", nixgen.Attrs{"a": nixgen.Strings([]string{x[:90]})}, "{\n  a = [\n    \"" + x[:90] + "\"\n  ];\n}"},
		{"a list of one in a list", nixgen.List{nixgen.List{nixgen.Int(1)}}, "[ [ 1 ] ]"},
		{"a list of two in a list", nixgen.List{nixgen.List{nixgen.Int(1), nixgen.Int(2)}}, "[\n  [\n    1\n    2\n  ]\n]"},
		{"path, too long", nixgen.Path("./" + x[:90] + "@"), "(\n  ./. + \"/" + x[:90] + "@\"\n)"},
		{"path, longer than a line", nixgen.Path("./" + x[:95] + "@"), "(\n  ./.\n  + \"/" + x[:95] + "@\"\n)"},
		{"path in a list", nixgen.List{nixgen.Path("./a@b"), nixgen.Path("./c")}, "[\n  (./. + \"/a@b\")\n  ./c\n]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := nixgen.Print(c.value)
			if err != nil || got != c.want {
				t.Errorf("got %s (%v)\nwant %s", got, err, c.want)
			}
		})
	}
}

func TestPrintRefuses(t *testing.T) {
	for _, c := range []struct {
		name  string
		value nixgen.Value
		want  string
	}{
		{"NUL in a string", nixgen.Str("a\x00b"), "a Nix string cannot hold a NUL byte"},
		{"NUL in a name", nixgen.Attrs{"a\x00": nixgen.Int(1)}, "a Nix string cannot hold a NUL byte"},
		{"NUL in a path", nixgen.Path("./a\x00"), `"./a\x00" is not a relative path`},
		{"absolute path", nixgen.Path("/etc/passwd"), `"/etc/passwd" is not a relative path`},
		{"bare name", nixgen.Path("a"), `"a" is not a relative path`},
		{"home", nixgen.Path("~/a"), `"~/a" is not a relative path`},
		{"empty path", nixgen.Path(""), `"" is not a relative path`},
		{"nothing below", nixgen.Path("../"), `"../" is not a relative path`},
		{"smallest number", nixgen.Int(math.MinInt), "the number -9223372036854775808 is too small for Nix"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got, err := nixgen.Print(c.value); err == nil || err.Error() != c.want {
				t.Errorf("got %s, error %v, want error %s", got, err, c.want)
			}
		})
	}
	t.Run("all of several", func(t *testing.T) {
		_, err := nixgen.Print(nixgen.List{nixgen.Str("\x00"), nixgen.Path("/a")})
		if err == nil || strings.Count(err.Error(), "\n") != 1 {
			t.Errorf("error %v, want two lines", err)
		}
	})
}

// sample makes a value and what encoding/json makes of the same.
type sample struct{ *rand.Rand }

var pieces = []string{
	"a", "Z", "0", " ", "$", "${", "}", "$$", `"`, `\`, "''", "\n", "\r", "\r\n", "\t", "-", "_", ".", "/", "//", "..", "'", "#", "/*", "*/", ";", "=", "{", "[",
	"let", "in", "or", "null", "true", "ä", "€", "😀", "\u2028", "\x01", "\x7f", "<", "&", "~", ":", "@", "%", "\\n", "\\${",
}

func (s sample) text() string {
	var out strings.Builder
	for range s.IntN(8) {
		out.WriteString(pieces[s.IntN(len(pieces))])
	}
	return out.String()
}

func (s sample) value(depth int) (nixgen.Value, any) {
	kinds := 6
	if depth == 0 {
		kinds = 4 // no list, no set
	}
	switch s.IntN(kinds) {
	case 0:
		n := s.IntN(2000) - 1000
		return nixgen.Int(n), float64(n)
	case 1:
		b := s.IntN(2) == 1
		return nixgen.Bool(b), b
	case 4:
		list, plain := nixgen.List{}, []any{}
		for range s.IntN(4) {
			v, p := s.value(depth - 1)
			list, plain = append(list, v), append(plain, p)
		}
		return list, plain
	case 5:
		attrs, plain := nixgen.Attrs{}, map[string]any{}
		for range s.IntN(4) {
			name := s.text()
			attrs[name], plain[name] = s.value(depth - 1)
		}
		return attrs, plain
	}
	text := s.text()
	return nixgen.Str(text), text
}

// TestNixReadsBack: Nix itself reads what Print writes as the same values.
func TestNixReadsBack(t *testing.T) {
	s := sample{rand.New(rand.NewPCG(1, 2))}
	list, want := nixgen.List{}, []any{}
	for range 400 {
		v, p := s.value(3)
		list, want = append(list, v), append(want, p)
	}
	printed, err := nixgen.Print(list)
	if err != nil {
		t.Fatal(err)
	}
	var got []any
	evalJSON(t, printed, t.TempDir(), &got)
	if len(got) != len(want) {
		t.Fatalf("%d values, want %d", len(got), len(want))
	}
	for i := range want {
		if !reflect.DeepEqual(got[i], want[i]) {
			text, _ := nixgen.Print(list[i])
			t.Errorf("Nix reads %#v from %s\nwant %#v", got[i], text, want[i])
		}
	}
}

// TestNixReadsPaths: a path means the same file to Nix as to the file system.
func TestNixReadsPaths(t *testing.T) {
	root, err := filepath.EvalSymlinks(t.TempDir())
	if err != nil {
		t.Fatal(err)
	}
	s := sample{rand.New(rand.NewPCG(3, 4))}
	dir := filepath.Join(root, "a", "b", "c")
	list, want := nixgen.List{}, []string{}
	for range 200 {
		path := []string{"./", "../", "../../", "../../../"}[s.IntN(4)]
		for i := range 1 + s.IntN(3) {
			name := strings.ReplaceAll(s.text(), "/", "") + "x"
			if path += name; i > 0 {
				path += "/" + name
			}
		}
		list, want = append(list, nixgen.Path(path)), append(want, filepath.Join(dir, path))
	}
	printed, err := nixgen.Print(list)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	evalJSON(t, "map (p: assert builtins.isPath p; toString p) "+printed, dir, &got)
	if !reflect.DeepEqual(got, want) {
		for i := range want {
			if i < len(got) && got[i] != want[i] {
				text, _ := nixgen.Print(list[i])
				t.Errorf("%s is %s to Nix, want %s", text, got[i], want[i])
			}
		}
	}
}

// evalJSON lets Nix evaluate an expression that stands in a file of dir.
func evalJSON(t *testing.T, expression, dir string, into any) {
	t.Helper()
	nix, err := exec.LookPath("nix-instantiate")
	if err != nil {
		t.Skip("nix-instantiate not on PATH")
	}
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(dir, "value.nix")
	if err := os.WriteFile(file, []byte(expression), 0o644); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(nix, "--eval", "--strict", "--json", file)
	state := t.TempDir()
	cmd.Env = append(os.Environ(), "NIX_REMOTE=local?root="+state, "NIX_STATE_DIR="+state, "NIX_CONFIG=", "HOME="+state)
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("nix-instantiate: %v\n%.2000s", err, errs.String())
	}
	if err := json.Unmarshal(out, into); err != nil {
		t.Fatal(err)
	}
}

// FuzzPrint: what is printed reads back, by a reader of our own that knows only
// what RFC 166 and the Nix manual say of string literals and names.
func FuzzPrint(f *testing.F) {
	for _, p := range pieces {
		f.Add(p, p+"$", "./"+p)
	}
	f.Add("${a}", "$${", "../../${a b}")
	f.Fuzz(func(t *testing.T, text, name, path string) {
		printed, err := nixgen.Print(nixgen.Attrs{name: nixgen.List{nixgen.Str(text), nixgen.Str(name)}})
		if hasNUL := strings.ContainsRune(text+name, 0); (err != nil) != hasNUL {
			t.Fatalf("error %v for %q %q", err, text, name)
		} else if hasNUL {
			return
		}
		rest, ok := strings.CutPrefix(printed, "{\n  ")
		if !ok {
			t.Fatalf("no set: %s", printed)
		}
		if strings.HasPrefix(rest, `"`) {
			var got string
			if got, rest = unquote(t, rest); got != name {
				t.Errorf("name %q reads back as %q", name, got)
			}
		} else {
			rest = strings.TrimPrefix(rest, name)
		}
		rest, ok = strings.CutPrefix(rest, " = [\n    ")
		if !ok {
			t.Fatalf("no list: %s", printed)
		}
		got, rest := unquote(t, rest)
		if got != text {
			t.Errorf("text %q reads back as %q", text, got)
		}
		got, rest = unquote(t, strings.TrimPrefix(rest, "\n    "))
		if got != name || rest != "\n  ];\n}" {
			t.Errorf("text %q reads back as %q, followed by %q", name, got, rest)
		}
		if utf8.ValidString(path) {
			checkPath(t, path)
		}
	})
}

func checkPath(t *testing.T, path string) {
	printed, err := nixgen.Print(nixgen.Path(path))
	if err != nil {
		return
	}
	base, rest, added := strings.Cut(strings.Trim(printed, "()"), " + ")
	if !added {
		if base != path || strings.ContainsAny(path, " $\"\\\n") {
			t.Errorf("%q is printed as %s", path, printed)
		}
		return
	}
	text, _ := unquote(t, strings.TrimPrefix(printed, "("+base+" + "))
	if filepath.Clean(base+text) != filepath.Clean(path) || !strings.HasPrefix(text, "/") || rest == "" {
		t.Errorf("%q is printed as %s", path, printed)
	}
}

// unquote reads a string literal of Nix at the start of a text.
func unquote(t *testing.T, literal string) (text, rest string) {
	t.Helper()
	if !strings.HasPrefix(literal, `"`) {
		t.Fatalf("no string literal: %s", literal)
	}
	var out []byte
	for i := 1; i < len(literal); i++ {
		switch c := literal[i]; {
		case c == '"':
			return string(out), literal[i+1:]
		case c == '\\':
			i++
			switch literal[i] {
			case 'n':
				out = append(out, '\n')
			case 'r':
				out = append(out, '\r')
			case 't':
				out = append(out, '\t')
			default:
				out = append(out, literal[i])
			}
		case c == '$' && literal[i+1] == '$':
			out = append(out, '$', '$') // "$$" is two dollars, also before "{"
			i++
		case c == '$' && literal[i+1] == '{':
			t.Fatalf("interpolation in %s", literal)
		case c == '\r' || c == '\n':
			t.Fatalf("raw line break in %q", literal)
		default:
			out = append(out, c)
		}
	}
	t.Fatalf("string literal without end: %s", literal)
	return "", ""
}

package git_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"pistack/internal/git"
)

func TestLocalConfig(t *testing.T) {
	root := repository(t)
	ctx := t.Context()
	const key = "diff.pisec.textconv"
	assert := func(want string, set bool) {
		t.Helper()
		got, isSet, err := git.LocalConfig(ctx, root, key)
		if err != nil || got != want || isSet != set {
			t.Fatalf("%q, %t, %v; want %q, %t", got, isSet, err, want, set)
		}
	}
	assert("", false)
	for _, value := range []string{"pisec textconv", "", "pisec textconv --fleet 'a b\"c'", "two\nlines"} {
		if err := git.SetLocalConfig(ctx, root, key, value); err != nil {
			t.Fatal(err)
		}
		assert(value, true)
	}
	runGit(t, root, "config", "--add", key, "a second")
	assert("a second", true)
	if err := git.SetLocalConfig(ctx, root, key, "one"); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if err := git.UnsetLocalConfig(ctx, root, key); err != nil {
			t.Fatal(err)
		}
		assert("", false)
	}
}

func TestPrefix(t *testing.T) {
	root := repository(t)
	for folder, want := range map[string]string{".": "", "dir": "dir/", "sub/dir": "sub/dir/"} {
		got, err := git.Prefix(t.Context(), filepath.Join(root, folder))
		if err != nil || got != want {
			t.Errorf("%s: %q, %v; want %q", folder, got, err, want)
		}
	}
	var none *git.NotARepository
	if _, err := git.Prefix(t.Context(), t.TempDir()); !errors.As(err, &none) {
		t.Errorf("error %v", err)
	}
}

const line = "hosts/*/secrets/*.age diff=pisec"

func TestAttributeLines(t *testing.T) {
	for _, c := range []struct{ name, before, with, without string }{
		{"no file", "", line + "\n", ""},
		{"other lines", "a b\n\n# c\n", "a b\n\n# c\n" + line + "\n", "a b\n\n# c\n"},
		{"no line break at the end", "a b", "a b\n" + line + "\n", "a b"},
		{"there already", "a\n" + line + "\nb\n", "a\n" + line + "\nb\n", "a\nb\n"},
		{"there with other white space", "  hosts/*/secrets/*.age\tdiff=pisec\r\nb\n", "  hosts/*/secrets/*.age\tdiff=pisec\r\nb\n", "b\n"},
		{"there twice", line + "\n" + line, line + "\n" + line, ""},
		{"only similar", "#" + line + "\n" + line + " text\n", "#" + line + "\n" + line + " text\n" + line + "\n", "#" + line + "\n" + line + " text\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := string(git.WithLine([]byte(c.before), line)); got != c.with {
				t.Errorf("with: %q, want %q", got, c.with)
			}
			if got := string(git.WithoutLine([]byte(c.before), line)); got != c.without {
				t.Errorf("without: %q, want %q", got, c.without)
			}
		})
	}
}

// FuzzAttributeLines: adding is idempotent, and removing undoes it, up to a line
// break at the end.
func FuzzAttributeLines(f *testing.F) {
	for _, s := range []string{"", "a", "a\nb\r\n", line, "\n\n", " " + line + "\t\n"} {
		f.Add([]byte(s))
	}
	f.Fuzz(func(t *testing.T, text []byte) {
		with := git.WithLine(text, line)
		if again := git.WithLine(with, line); string(again) != string(with) {
			t.Fatalf("%q became %q", with, again)
		}
		before, after := git.WithoutLine(text, line), git.WithoutLine(with, line)
		if strings.TrimSuffix(string(before), "\n") != strings.TrimSuffix(string(after), "\n") {
			t.Fatalf("%q became %q", before, after)
		}
	})
}

func TestAttributesFile(t *testing.T) {
	root := repository(t)
	path := filepath.Join(root, ".gitattributes")
	a, err := git.ReadAttributes(root)
	if err != nil || len(a.Text) > 0 || a.Path != path {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := a.Replace([]byte(line + "\n")); err != nil {
		t.Fatal(err)
	}
	if value, err := git.Attribute(t.Context(), root, "diff", "hosts/x/secrets/K.age"); err != nil || value != "pisec" {
		t.Errorf("%q, %v", value, err)
	}
	if value, err := git.Attribute(t.Context(), root, "diff", "hosts/x/other.age"); err != nil || value != "unspecified" {
		t.Errorf("%q, %v", value, err)
	}
	if err := os.Chmod(path, 0o640); err != nil {
		t.Fatal(err)
	}
	if a, err = git.ReadAttributes(root); err != nil || string(a.Text) != line+"\n" {
		t.Fatalf("%+v, %v", a, err)
	}
	if err := a.Replace([]byte("x\n")); err != nil {
		t.Fatal(err)
	}
	if info, err := os.Stat(path); err != nil || info.Mode() != 0o640 {
		t.Errorf("%v, %v", info.Mode(), err)
	}
	if err := a.Replace(nil); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("elsewhere", path); err != nil {
		t.Fatal(err)
	}
	if _, err := git.ReadAttributes(root); err == nil || !strings.Contains(err.Error(), ".gitattributes is a symlink") {
		t.Errorf("error %v", err)
	}
}

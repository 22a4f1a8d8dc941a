package editor

import (
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFromEnvironment(t *testing.T) {
	for _, c := range []struct {
		name   string
		env    map[string]string
		want   []string
		source string
		refuse string // part of the error
	}{
		{name: "nothing", want: []string{"vi"}},
		{name: "empty", env: map[string]string{"TERM": "xterm", "VISUAL": "", "EDITOR": ""}, want: []string{"vi"}},
		{name: "editor", env: map[string]string{"TERM": "xterm", "EDITOR": "nano"}, want: []string{"nano"}, source: "EDITOR"},
		{name: "visual first", env: map[string]string{"TERM": "xterm", "VISUAL": "vim", "EDITOR": "ed"}, want: []string{"vim"}, source: "VISUAL"},
		{name: "dumb terminal", env: map[string]string{"TERM": "dumb", "VISUAL": "vim", "EDITOR": "ed"}, want: []string{"ed"}, source: "EDITOR"},
		{name: "dumb terminal, no editor", env: map[string]string{"VISUAL": "vim"}, want: []string{"vim"}, source: "VISUAL"},
		{name: "arguments", env: map[string]string{"EDITOR": "emacs  -nw\t-Q "}, want: []string{"emacs", "-nw", "-Q"}, source: "EDITOR"},
		{name: "quotes", env: map[string]string{"EDITOR": `"/opt/my editor/vim" -c 'set tw=0' a\ b`}, want: []string{"/opt/my editor/vim", "-c", "set tw=0", "a b"}, source: "EDITOR"},
		{name: "no variables", env: map[string]string{"EDITOR": "vim $HOME"}, want: []string{"vim", "$HOME"}, source: "EDITOR"},
		{name: "blank", env: map[string]string{"EDITOR": " "}, refuse: "EDITOR cannot be read"},
		{name: "open quote", env: map[string]string{"EDITOR": "vim '"}, refuse: "EDITOR cannot be read"},
		{name: "pipe", env: map[string]string{"EDITOR": "cat | vim"}, refuse: "EDITOR cannot be read"},
		{name: "two commands", env: map[string]string{"EDITOR": "touch x; vim"}, refuse: "EDITOR cannot be read"},
		{name: "redirection", env: map[string]string{"EDITOR": "vim >/tmp/x"}, refuse: "EDITOR cannot be read"},
		{name: "command substitution", env: map[string]string{"EDITOR": "`which vim"}, refuse: "EDITOR cannot be read"},
		{name: "too long", env: map[string]string{"EDITOR": strings.Repeat("x", maxVariable+1)}, refuse: "longer than 4096 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, err := FromEnvironment(func(name string) string { return c.env[name] })
			if c.refuse != "" {
				assertRefused(t, err, c.refuse)
				return
			}
			if err != nil || !slices.Equal(got.Words, c.want) || got.Source != c.source {
				t.Errorf("%q from %q, %v; want %q from %q", got.Words, got.Source, err, c.want, c.source)
			}
		})
	}
}

func assertRefused(t *testing.T, err error, part string) {
	t.Helper()
	var refusal *Refusal
	if !errors.As(err, &refusal) || !strings.Contains(refusal.Message, part) || refusal.Hint() == "" {
		t.Errorf("error %v, want a refusal with %q that says what to do", err, part)
	}
}

func TestOptions(t *testing.T) {
	vim := []string{"-n", "-i", "NONE", "-b", "-c", vimSettings}
	for _, c := range []struct {
		program string
		want    []string
		known   bool
		refuse  string
	}{
		{program: "vim", want: vim, known: true},
		{program: "vi", want: vim, known: true},
		{program: "vim.tiny", want: vim, known: true},
		{program: "nvim", want: vim, known: true},
		{program: "gvim", want: append([]string{"-f"}, vim...), known: true},
		{program: "nano", want: []string{"--restricted", "--nonewlines"}, known: true},
		{program: "emacs", want: []string{"--eval", emacsSettings}, known: true},
		{program: "emacs-nox", want: []string{"--eval", emacsSettings}, known: true},
		{program: "micro", want: []string{"-backup", "false", "-permbackup", "false", "-saveundo", "false", "-savehistory", "false", "-savecursor", "false", "-eofnewline", "false"}, known: true},
		{program: "hx", known: true},
		{program: "kak", known: true},
		{program: "busybox", known: true},
		{program: "code", want: []string{"--wait", "--disable-extensions", "--user-data-dir", "/dev/shm/x/tmp"}, known: true},
		{program: "nvi", refuse: "nvi keeps a copy on the disk"},
		{program: "emacsclient", refuse: "emacsclient hands the file"},
		{program: "emacsclient.emacs", refuse: "emacsclient.emacs hands the file"},
		{program: "subl", refuse: "subl keeps unsaved text"},
		{program: "my-editor"},
		{program: ""},
	} {
		t.Run(c.program, func(t *testing.T) {
			got, known, err := optionsOf(c.program, "/dev/shm/x")
			if c.refuse != "" {
				if err == nil || !strings.Contains(err.Message, c.refuse) {
					t.Errorf("error %v, want one with %q", err, c.refuse)
				}
				return
			}
			if err != nil || known != c.known || !slices.Equal(got, c.want) {
				t.Errorf("%q, %t, %v; want %q, %t", got, known, err, c.want, c.known)
			}
		})
	}
}

// TestNameOf: "vi" and "editor" are names that any program can have.
func TestNameOf(t *testing.T) {
	for _, c := range []struct{ path, real, want string }{
		{"/usr/bin/vim", "/usr/bin/vim.basic", "vim"},
		{"/usr/bin/vim", "", "vim"},
		{"/usr/bin/vi", "/usr/bin/vim.tiny", "vim.tiny"},
		{"/usr/bin/vi", "/usr/bin/nvi", "nvi"},
		{"/bin/vi", "/bin/busybox", "busybox"},
		{"/usr/bin/vi", "/usr/bin/vi", "vi"},
		{"/usr/bin/vi", "", "vi"},
		{"/usr/bin/vi", "/usr/libexec/something", "vi"},
		{"/usr/bin/editor", "/bin/nano", "nano"},
		{"/usr/bin/editor", "/usr/bin/emacsclient.emacs", "emacsclient.emacs"},
		{"/home/me/edit.sh", "/home/me/edit.sh", "edit.sh"},
		{"/home/me/code", "/nix/store/x-vscode/bin/code", "code"},
	} {
		resolve := func(string) (string, error) {
			if c.real == "" {
				return "", os.ErrNotExist
			}
			return c.real, nil
		}
		if got := nameOf(c.path, resolve); got != c.want {
			t.Errorf("%s -> %s: %s, want %s", c.path, c.real, got, c.want)
		}
	}
}

func TestPrepare(t *testing.T) {
	bin := t.TempDir()
	for _, name := range []string{"vim", "mine", "subl"} {
		if err := os.WriteFile(filepath.Join(bin, name), nil, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	t.Setenv("PATH", bin)
	command, known, err := Command{Words: []string{"vim", "-y"}}.Prepare("/dev/shm/x", "KEY", []string{"+3"})
	want := []string{filepath.Join(bin, "vim"), "-y", "-n", "-i", "NONE", "-b", "-c", vimSettings, "+3", "/dev/shm/x/KEY"}
	if err != nil || !known || !slices.Equal(command.Argv, want) {
		t.Errorf("%q, %t, %v; want %q", command.Argv, known, err, want)
	}
	if command.Dir != "/dev/shm/x" || !slices.Equal(command.Env, []string{"TMPDIR=/dev/shm/x/tmp"}) {
		t.Errorf("in %s with %q", command.Dir, command.Env)
	}
	command, known, err = Command{Words: []string{"mine"}}.Prepare("/dev/shm/x", "KEY", nil)
	if err != nil || known || !slices.Equal(command.Argv, []string{filepath.Join(bin, "mine"), "/dev/shm/x/KEY"}) {
		t.Errorf("%q, %t, %v", command.Argv, known, err)
	}
	_, _, err = Command{Words: []string{"subl", "-w"}}.Prepare("/dev/shm/x", "KEY", nil)
	assertRefused(t, err, "subl keeps unsaved text")
	for _, source := range []string{"VISUAL", "EDITOR"} {
		for _, word := range []string{"subl", "nothing"} {
			var refused *Refusal
			_, _, err = Command{Words: []string{word}, Source: source}.Prepare("/dev/shm/x", "KEY", nil)
			if !errors.As(err, &refused) || !strings.Contains(refused.Fix, ": "+source+"=") {
				t.Errorf("%s=%s: %v, hint %+v does not name the variable that counts", source, word, err, refused)
			}
		}
	}
	_, _, err = Command{Words: []string{"nothing"}, Source: "VISUAL"}.Prepare("/dev/shm/x", "KEY", nil)
	assertRefused(t, err, "VISUAL names nothing, which is not on PATH")
	_, _, err = Command{Words: []string{"vi"}}.Prepare("/dev/shm/x", "KEY", nil)
	assertRefused(t, err, "there is no editor")
}

// FuzzSplit: whatever stands in the variable, words or a refusal come of it; plain
// words come back as they are.
func FuzzSplit(f *testing.F) {
	for _, s := range []string{"vim", "emacs -nw", `"a b" 'c d' e\ f`, "a|b", "`x`", "$(x)", "a'", "1>x", "\xff \\"} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, text string) {
		words, err := split("EDITOR", text)
		if (err == nil) != (len(words) > 0) {
			t.Fatalf("%q: %q, %v", text, words, err)
		}
		plain := strings.IndexFunc(text, func(r rune) bool { return !(r >= 'a' && r <= 'z' || r == ' ' || r == '-') }) < 0
		if fields := strings.Fields(text); plain && len(fields) > 0 && len(text) <= maxVariable && !slices.Equal(words, fields) {
			t.Fatalf("%q: %q", text, words)
		}
	})
}

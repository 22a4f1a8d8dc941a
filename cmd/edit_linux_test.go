package cmd_test

import (
	"bytes"
	"crypto/rand"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"
)

// realEditor is one that a user may have, set up to leave as many copies of what
// it edits as it can.
type realEditor struct {
	name     string
	command  string            // for VISUAL; HOME stands for the home folder
	required bool              // testdata/prepare installs it
	settings map[string]string // files of the home folder, by name
	keys     []string          // append "-edited", save; each is typed when what stands in shown was written
	shown    []string
	more     string // a further change, not saved; ends in Z, which is shown
	quit     string
	leaks    bool // without pisec's options the text is found in HOME: the control
}

const vimrc = `set undofile undodir=~/copies backup writebackup backupdir=~/copies swapfile directory=~/copies
set viminfo='100,<50,s10 textwidth=20
`

func realEditors() []realEditor {
	vimKeys := []string{"A-edited\x1b:preserve\r:%!cat\ryy:w\r"}
	return []realEditor{
		{name: "vim", command: "vim", required: true, settings: map[string]string{".vimrc": vimrc}, keys: vimKeys, shown: []string{"written"}, more: "AZ", quit: ":q\r", leaks: true},
		{name: "nvim", command: "nvim", settings: map[string]string{".config/nvim/init.vim": vimrc}, keys: vimKeys, shown: []string{"written"}, more: "AZ", quit: ":q\r", leaks: true},
		{
			// As root it takes the home folder from the password file.
			name: "nano", command: "nano --rcfile HOME/.nanorc", required: true, leaks: true,
			settings: map[string]string{".nanorc": "set backup\nset backupdir \"HOME/copies\"\nset historylog\nset positionlog\n"},
			keys:     []string{"\x05-edited\x0f", "\r"}, shown: []string{"Write", "Wrote"}, more: "Z", quit: "\x18",
		},
		{
			name: "emacs", command: "emacs -nw", leaks: true,
			settings: map[string]string{".emacs": `(setq backup-directory-alist '(("." . "~/copies")) auto-save-file-name-transforms '((".*" "~/copies/" t)) vc-handled-backends nil)`},
			keys:     []string{"\x05-edited\x18\x13"}, shown: []string{"Wrote"}, more: "Z", quit: "\x18\x03",
		},
	}
}

// editFleet is a fleet with one secret, a HOME, and a folder in memory.
type editFleet struct {
	killFleet
	home, memory, canary string
	began                time.Time
}

func newEditFleet(t *testing.T) editFleet {
	t.Helper()
	memory, err := os.MkdirTemp("/dev/shm", "pisec-test-")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { os.RemoveAll(memory) })
	f := editFleet{killFleet: newKillFleet(t), home: t.TempDir(), memory: memory, canary: "canary-" + rand.Text()[:8], began: time.Now().Add(-time.Second)}
	if err := os.Mkdir(filepath.Join(f.home, "copies"), 0o700); err != nil {
		t.Fatal(err)
	}
	f.must(f.pisec(f.canary, "add", "pi", "KEY"))
	return f
}

// environment is that of a user at a terminal, with an editor.
func (f editFleet) environment(visual string) []string {
	env := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return strings.HasPrefix(name, "XDG_") || slices.Contains([]string{"HOME", "VISUAL", "EDITOR", "TMPDIR", "VIMINIT", "TERM", "LC_ALL", "LANG"}, name)
	})
	return append(env, "HOME="+f.home, "XDG_RUNTIME_DIR="+f.memory, "VISUAL="+visual, "TERM=xterm", "LC_ALL=C.UTF-8")
}

func (f editFleet) edit(visual string) *exec.Cmd {
	cmd := f.pisec("", "edit", "--identity", filepath.Join(f.root, "operator"), "pi", "KEY")
	cmd.Env = f.environment(visual)
	return cmd
}

// useSettings writes an editor's settings, and returns its command.
func (f editFleet) useSettings(e realEditor) (command string) {
	f.t.Helper()
	for name, text := range e.settings {
		path := filepath.Join(f.home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			f.t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(strings.ReplaceAll(text, "HOME", f.home)), 0o600); err != nil {
			f.t.Fatal(err)
		}
	}
	return strings.ReplaceAll(e.command, "HOME", f.home)
}

// copies are the files on the disk that hold the canary, where editors leave some.
func (f editFleet) copies() []string {
	var found []string
	for _, dir := range []string{f.home, f.root, os.TempDir(), "/tmp", "/var/tmp"} {
		_ = filepath.WalkDir(dir, func(path string, e fs.DirEntry, err error) error { // others' files come and go
			if err != nil {
				return nil
			}
			info, err := e.Info()
			if err != nil || !info.Mode().IsRegular() || info.ModTime().Before(f.began) || info.Size() > 4<<20 {
				return nil
			}
			if data, err := os.ReadFile(path); err == nil && bytes.Contains(data, []byte(f.canary)) {
				found = append(found, path)
			}
			return nil
		})
	}
	return found
}

// assertClean checks that the text is nowhere: neither on the disk nor in memory.
func (f editFleet) assertClean() {
	f.t.Helper()
	if found := f.copies(); len(found) > 0 {
		f.t.Errorf("the text is in %q", found)
	}
	if left, err := os.ReadDir(f.memory); err != nil || len(left) > 0 {
		f.t.Errorf("left in memory: %v, %v", left, err)
	}
}

func (f editFleet) assertValue(want string) {
	f.t.Helper()
	if got, err := f.show("KEY", "operator"); err != nil || got != want {
		f.t.Errorf("%q, %v; want %q", got, err, want)
	}
}

func (f editFleet) save(e realEditor, term *terminal) {
	f.t.Helper()
	term.await(f.canary)
	for i, keys := range e.keys {
		term.typed(keys)
		term.await(e.shown[i])
	}
}

// TestEditors edits with real editors whose settings ask for every kind of copy:
// with pisec there is none while they are open, and none afterwards. The control
// is the same editor with the same keys and settings, without pisec.
func TestEditors(t *testing.T) {
	for _, e := range realEditors() {
		if _, err := exec.LookPath(e.name); err != nil && !e.required {
			t.Logf("%s is not there", e.name)
			continue
		}
		t.Run(e.name, func(t *testing.T) {
			if _, err := exec.LookPath(e.name); err != nil {
				t.Skipf("%s is not there", e.name)
			}
			f := newEditFleet(t)
			visual := f.useSettings(e)
			term := atTerminal(t, f.edit(visual))
			f.save(e, term)
			if found := f.copies(); len(found) > 0 {
				t.Errorf("while it is open, the text is in %q", found)
			}
			term.typed(e.quit)
			if status := term.ended(); status != 0 {
				t.Errorf("exit status %d: %q", status, term.screen)
			}
			f.assertValue(f.canary + "-edited")
			f.assertClean()

			plain := filepath.Join(f.memory, "plain")
			if err := os.WriteFile(plain, []byte(f.canary), 0o600); err != nil {
				t.Fatal(err)
			}
			control := exec.Command("sh", "-c", visual+" "+plain)
			control.Env = f.environment("")
			term = atTerminal(t, control)
			f.save(e, term)
			term.typed(e.quit)
			term.ended()
			if found := f.copies(); (len(found) > 0) != e.leaks {
				t.Errorf("without pisec the text is in %q: this test cannot fail", found)
			}
		})
	}
}

// TestEditSignals: a signal to pisec ends the editor, and nothing remains of the
// text, saved or not; the secret is as it was.
func TestEditSignals(t *testing.T) {
	for _, e := range realEditors() {
		if !e.required {
			continue
		}
		for _, signal := range []syscall.Signal{syscall.SIGTERM, syscall.SIGINT, syscall.SIGHUP} {
			t.Run(e.name+" "+signal.String(), func(t *testing.T) {
				if _, err := exec.LookPath(e.name); err != nil {
					t.Skipf("%s is not there", e.name)
				}
				f := newEditFleet(t)
				term := atTerminal(t, f.edit(f.useSettings(e)))
				f.save(e, term)
				term.typed(e.more)
				term.await("Z")
				if err := term.cmd.Process.Signal(signal); err != nil {
					t.Fatal(err)
				}
				if status := term.ended(); status != 130 {
					t.Errorf("exit status %d: %q", status, term.screen)
				}
				f.assertValue(f.canary)
				f.assertClean()
			})
		}
	}
}

// TestEditKilled: SIGKILL leaves the text in memory, and the next edit removes it,
// also while the editor still runs.
func TestEditKilled(t *testing.T) {
	f := newEditFleet(t)
	sleeping := filepath.Join(f.root, "sleeping")
	if err := os.WriteFile(sleeping, []byte("#!/bin/sh\necho edited >\"$1\"\necho ready\nread -r line\n"), 0o755); err != nil {
		t.Fatal(err)
	}
	term := atTerminal(t, f.edit(sleeping))
	term.await("ready")
	if err := term.cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = term.cmd.Wait() // of the signal
	if left, _ := filepath.Glob(filepath.Join(f.memory, "pisec-edit-*", "KEY")); len(left) != 1 {
		t.Fatalf("left in memory: %q; this test cannot fail", left)
	}
	f.must(f.edit("true"))
	f.assertValue(f.canary)
	f.assertClean()
}

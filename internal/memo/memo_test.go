package memo_test

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pistack/internal/memo"
)

// paths is a PathSet.
type paths []string

func (p paths) Has(path string) bool { return slices.Contains(p, path) }

func (p paths) Under(path string) (under []string) {
	for _, f := range p {
		if strings.HasPrefix(f, path+"/") {
			under = append(under, f)
		}
	}
	return under
}

// tree is a repository in a folder.
type tree struct {
	t       testing.TB
	root    string
	tracked paths
	ignored map[string]bool
}

func newTree(t testing.TB) *tree {
	tr := &tree{t: t, root: t.TempDir(), tracked: paths{"d/a"}, ignored: map[string]bool{"state": true}}
	tr.write("a", "A")
	tr.write("d/a", "DA")
	tr.write("d/b", "DB")
	tr.must(os.Symlink("a", tr.path("link")))
	return tr
}

func (tr *tree) path(name string) string { return filepath.Join(tr.root, name) }

func (tr *tree) must(err error) {
	tr.t.Helper()
	if err != nil {
		tr.t.Fatal(err)
	}
}

func (tr *tree) write(name, text string) {
	tr.t.Helper()
	tr.must(os.MkdirAll(filepath.Dir(tr.path(name)), 0o755))
	tr.must(os.WriteFile(tr.path(name), []byte(text), 0o644))
}

func (tr *tree) repository() memo.Repository {
	root, err := os.OpenRoot(tr.root)
	tr.must(err)
	tr.t.Cleanup(func() { root.Close() })
	return memo.Repository{Files: root.FS(), Tracked: tr.tracked, Ignored: func(path string) (bool, error) {
		if path == "broken" {
			return false, errors.New("broken")
		}
		return tr.ignored[path], nil
	}}
}

// ask asks one question after another, "read a" or "has d/a", and tells all answers.
func ask(r memo.Repository, script string) string {
	var out strings.Builder
	for line := range strings.SplitSeq(script, ",") {
		what, path, _ := strings.Cut(strings.TrimSpace(line), " ")
		fmt.Fprintf(&out, "%s %s: %s\n", what, path, answer(r, what, path))
	}
	return out.String()
}

func answer(r memo.Repository, what, path string) string {
	switch what {
	case "read":
		data, err := fs.ReadFile(r.Files, path)
		return fmt.Sprintf("%q %t", data, err == nil)
	case "open":
		f, err := r.Files.Open(path)
		if err != nil {
			return "no"
		}
		defer f.Close()
		info, err1 := f.Stat()
		data, err2 := io.ReadAll(f)
		return fmt.Sprintf("%q %s %t", data, info.Mode(), err1 == nil && err2 == nil)
	case "stat", "lstat":
		stat := map[string]func(fs.FS, string) (fs.FileInfo, error){"stat": fs.Stat, "lstat": fs.Lstat}[what]
		info, err := stat(r.Files, path)
		if err != nil {
			return "no"
		}
		return info.Mode().String()
	case "list":
		entries, err := fs.ReadDir(r.Files, path)
		var names []string
		for _, e := range entries {
			names = append(names, e.Name())
		}
		return fmt.Sprint(names, err == nil)
	case "link":
		target, err := fs.ReadLink(r.Files, path)
		return fmt.Sprint(target, err == nil)
	case "has":
		return fmt.Sprint(r.Tracked.Has(path))
	case "under":
		return fmt.Sprint(r.Tracked.Under(path))
	}
	ignored, err := r.Ignored(path)
	return fmt.Sprint(ignored, err)
}

const everything = "read a, read none, open d/b, open none, open d, stat d, lstat link, read link, link link, link a, list d, list none, has d/a, under d, ignored state, ignored x, lstat x"

// TestDo: a result is computed once, and again after each change that it could
// depend on. It is always what a fresh computation gives.
func TestDo(t *testing.T) {
	script := strings.NewReplacer("open d,", "", "link a,", "").Replace(everything) // these two cannot be noted
	for _, c := range []struct {
		name   string
		change func(tr *tree)
		again  bool
	}{
		{"nothing", func(*tree) {}, false},
		{"the same content", func(tr *tree) { tr.write("a", "A") }, false},
		{"a file that nobody asked about", func(tr *tree) { tr.write("other", "") }, false},
		{"content", func(tr *tree) { tr.write("a", "B") }, true},
		{"content of the same length in a folder", func(tr *tree) { tr.write("d/b", "BD") }, true},
		{"the executable bit", func(tr *tree) { tr.must(os.Chmod(tr.path("a"), 0o755)) }, true},
		{"a new name", func(tr *tree) { tr.write("d/c", "") }, true},
		{"a file that was not there", func(tr *tree) { tr.write("none", "") }, true},
		{"a file that is gone", func(tr *tree) { tr.must(os.Remove(tr.path("a"))) }, true},
		{"a link to elsewhere", func(tr *tree) { tr.must(errors.Join(os.Remove(tr.path("link")), os.Symlink("d/b", tr.path("link")))) }, true},
		{"a folder in its place", func(tr *tree) { tr.must(errors.Join(os.Remove(tr.path("a")), os.Mkdir(tr.path("a"), 0o755))) }, true},
		{"a tracked file", func(tr *tree) { tr.tracked = append(tr.tracked, "d/b") }, true},
		{"nothing tracked", func(tr *tree) { tr.tracked = nil }, true},
		{"ignored", func(tr *tree) { tr.ignored["x"] = true }, true},
	} {
		t.Run(c.name, func(t *testing.T) {
			tr, store := newTree(t), memo.Open(t.TempDir())
			computed := 0
			do := func() {
				t.Helper()
				got, err := memo.Do(store, tr.repository(), "key", func(r memo.Repository) (string, error) {
					computed++
					return ask(r, script), nil
				})
				if want := ask(tr.repository(), script); err != nil || got != want {
					t.Errorf("%v\ngot  %s\nwant %s", err, got, want)
				}
			}
			do()
			do()
			if computed != 1 {
				t.Fatalf("computed %d times before the change", computed)
			}
			c.change(tr)
			do()
			if again := computed == 2; again != c.again {
				t.Errorf("computed again: %t", again)
			}
			do()
		})
	}
}

// TestNotRemembered: an error, and what depends on more than can be noted.
func TestNotRemembered(t *testing.T) {
	tr, dir := newTree(t), t.TempDir()
	for script, fail := range map[string]error{"open d": nil, "link a": nil, "ignored broken": nil, "read a": errors.New("failed")} {
		for range 2 {
			computed := false
			_, err := memo.Do(memo.Open(dir), tr.repository(), script, func(r memo.Repository) (string, error) {
				computed = true
				return ask(r, script), fail
			})
			if !computed || !errors.Is(err, fail) {
				t.Errorf("%s: computed %t, %v", script, computed, err)
			}
		}
	}
	if got, err := memo.Do(nil, tr.repository(), "key", func(memo.Repository) (int, error) { return 1, nil }); err != nil || got != 1 {
		t.Errorf("without a store: %d, %v", got, err)
	}
}

// TestDamagedEntries: whatever the folder holds, the result is right.
func TestDamagedEntries(t *testing.T) {
	tr, dir := newTree(t), t.TempDir()
	do := func() (computed bool) {
		t.Helper()
		got, err := memo.Do(memo.Open(dir), tr.repository(), "key", func(r memo.Repository) (string, error) {
			computed = true
			return ask(r, "read a"), nil
		})
		if want := ask(tr.repository(), "read a"); err != nil || got != want {
			t.Errorf("%v, got %s want %s", err, got, want)
		}
		return computed
	}
	do()
	files, err := os.ReadDir(dir)
	if err != nil || len(files) != 1 {
		t.Fatalf("%v %v", files, err)
	}
	name := filepath.Join(dir, files[0].Name())
	whole, err := os.ReadFile(name)
	tr.must(err)
	for i, damaged := range [][]byte{nil, whole[:len(whole)-1], []byte(strings.Replace(string(whole), `"read a`, `"read b`, 1)), []byte("\n")} {
		tr.must(os.WriteFile(name, damaged, 0o644))
		if !do() {
			t.Errorf("case %d: a damaged entry was used", i)
		}
		if do() {
			t.Errorf("case %d: the entry was not mended", i)
		}
	}
	tr.must(errors.Join(os.Remove(name), os.Mkdir(name, 0o755)))
	if !do() || !do() {
		t.Error("a folder was used as an entry")
	}
}

// TestKeys: another key, another result.
func TestKeys(t *testing.T) {
	tr, store := newTree(t), memo.Open(t.TempDir())
	var wait sync.WaitGroup
	for i := range 20 {
		wait.Go(func() {
			for range 3 {
				got, err := memo.Do(store, tr.repository(), i, func(r memo.Repository) (int, error) { ask(r, everything); return i, nil })
				if err != nil || got != i {
					t.Errorf("%d, %v; want %d", got, err, i)
				}
			}
		})
	}
	wait.Wait()
}

// FuzzDo: whatever is asked and whatever changes between two runs, the second
// result is what a fresh computation gives.
func FuzzDo(f *testing.F) {
	f.Add(uint(3), uint(5), uint(1))
	f.Add(uint(0xffff), uint(2), uint(9))
	f.Fuzz(func(t *testing.T, questions, file, text uint) {
		var script []string
		for i, q := range strings.Split(everything, ",") {
			if questions>>i&1 == 1 {
				script = append(script, q)
			}
		}
		if len(script) == 0 {
			return
		}
		tr, store := newTree(t), memo.Open(t.TempDir())
		names := []string{"a", "d/a", "d/b", "d/c", "none", "link", "x"}
		for range 2 {
			got, err := memo.Do(store, tr.repository(), script, func(r memo.Repository) (string, error) { return ask(r, strings.Join(script, ",")), nil })
			if want := ask(tr.repository(), strings.Join(script, ",")); err != nil || got != want {
				t.Fatalf("%v\ngot  %s\nwant %s", err, got, want)
			}
			name := names[file%uint(len(names))]
			switch text % 4 {
			case 0:
				tr.must(os.RemoveAll(tr.path(name)))
			case 1:
				tr.tracked = append(tr.tracked, name)
			case 2:
				tr.ignored[name] = !tr.ignored[name]
			default:
				tr.write(name, fmt.Sprint(text))
			}
		}
	})
}

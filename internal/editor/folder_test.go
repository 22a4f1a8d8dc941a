package editor

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"pistack/secrets/memory"
)

// memories answers what newFolder asks about its parents, so that the tests need
// no file system in memory.
func memories(kinds map[string]memory.Kind) func(string) (memory.Kind, error) {
	return func(dir string) (memory.Kind, error) {
		kind, ok := kinds[dir]
		if !ok {
			return memory.Disk, &os.PathError{Op: "statfs", Path: dir, Err: os.ErrNotExist}
		}
		return kind, nil
	}
}

// TestMain is also the process that dies with a folder of its own; see TestSweep.
func TestMain(m *testing.M) {
	if parent := os.Getenv("EDITOR_TEST_DIE_IN"); parent != "" {
		f, err := newFolder([]string{parent}, memories(map[string]memory.Kind{parent: memory.Swapped}))
		if err == nil {
			err = f.Write("KEY", []byte("canary"))
		}
		if err != nil {
			fmt.Fprintln(os.Stderr, err)
			os.Exit(1)
		}
		os.Exit(0) // without Remove, as after SIGKILL
	}
	os.Exit(m.Run())
}

func TestParents(t *testing.T) {
	for _, c := range []struct {
		runtime string
		want    []string
	}{
		{"", []string{"/dev/shm", "/run/user/7"}},
		{"relative", []string{"/dev/shm", "/run/user/7"}},
		{"/run/user/9/", []string{"/run/user/9", "/dev/shm", "/run/user/7"}},
	} {
		got := Parents(func(string) string { return c.runtime }, 7)
		if !slices.Equal(got, c.want) {
			t.Errorf("XDG_RUNTIME_DIR=%q: %q, want %q", c.runtime, got, c.want)
		}
	}
}

func TestNewFolder(t *testing.T) {
	disk, tmpfs, ramfs, open := t.TempDir(), t.TempDir(), t.TempDir(), t.TempDir()
	if err := os.Chmod(open, 0o777); err != nil {
		t.Fatal(err)
	}
	kinds := memories(map[string]memory.Kind{disk: memory.Disk, tmpfs: memory.Swapped, ramfs: memory.Pinned, open: memory.Pinned})
	for _, c := range []struct {
		name    string
		parents []string
		want    string
		refuse  []string
	}{
		{"what is never swapped comes first", []string{disk, tmpfs, ramfs}, ramfs, nil},
		{"tmpfs", []string{"/none", disk, tmpfs}, tmpfs, nil},
		{"others could replace it", []string{open, tmpfs}, tmpfs, nil},
		{"none", []string{"/none", disk, open}, "", []string{"/none: file does not exist", disk + " is not in memory", open + " can be changed by other users"}},
		{"no parents", nil, "", []string{"there is no folder in memory"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := newFolder(c.parents, kinds)
			if c.want == "" {
				for _, part := range c.refuse {
					assertRefused(t, err, part)
				}
				return
			}
			if err != nil || filepath.Dir(f.Path) != c.want {
				t.Fatalf("%+v, %v; want one in %s", f, err, c.want)
			}
			info, err := os.Stat(f.Path)
			if err != nil || info.Mode() != os.ModeDir|0o700 {
				t.Errorf("%v, %v", info.Mode(), err)
			}
			if err := errors.Join(f.Remove(), f.Remove()); err != nil {
				t.Error(err)
			}
			assertEmpty(t, disk, tmpfs, ramfs, open)
		})
	}
}

func assertEmpty(t *testing.T, dirs ...string) {
	t.Helper()
	for _, dir := range dirs {
		if left, err := filepath.Glob(filepath.Join(dir, "*")); err != nil || len(left) > 0 {
			t.Errorf("left over: %q (%v)", left, err)
		}
	}
}

// TestSweep: a folder of a process that has died is removed by the next one, one
// of a process that lives is not, nor what only looks like one.
func TestSweep(t *testing.T) {
	parent := t.TempDir()
	kinds := memories(map[string]memory.Kind{parent: memory.Swapped})
	dying := exec.Command(os.Args[0])
	dying.Env = append(os.Environ(), "EDITOR_TEST_DIE_IN="+parent)
	if out, err := dying.CombinedOutput(); err != nil {
		t.Fatalf("%v: %s", err, out)
	}
	left, _ := filepath.Glob(filepath.Join(parent, prefix+"*", "KEY"))
	if len(left) != 1 {
		t.Fatalf("the process left %q", left)
	}
	file, link := filepath.Join(parent, prefix+"file"), filepath.Join(parent, prefix+"link")
	target := t.TempDir()
	if err := errors.Join(os.WriteFile(file, nil, 0o600), os.Symlink(target, link)); err != nil {
		t.Fatal(err)
	}
	first, err := newFolder([]string{parent}, kinds)
	if err != nil {
		t.Fatal(err)
	}
	second, err := newFolder([]string{parent}, kinds)
	if err != nil {
		t.Fatal(err)
	}
	got, _ := filepath.Glob(filepath.Join(parent, "*"))
	want := []string{file, link, first.Path, second.Path}
	slices.Sort(want)
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	if err := errors.Join(first.Remove(), second.Remove(), os.Remove(file), os.Remove(link)); err != nil {
		t.Error(err)
	}
	assertEmpty(t, parent)
	if _, err := os.Stat(target); err != nil {
		t.Error(err)
	}
}

// TestManyFolders: sweeping never takes a folder that was just made.
func TestManyFolders(t *testing.T) {
	parent := t.TempDir()
	kinds := memories(map[string]memory.Kind{parent: memory.Swapped})
	var all sync.WaitGroup
	for i := range 8 {
		all.Go(func() {
			for range 50 {
				f, err := newFolder([]string{parent}, kinds)
				if err != nil {
					t.Error(err)
					return
				}
				text := fmt.Sprint(i)
				err = f.Write("KEY", []byte(text))
				got, readErr := f.Read("KEY", 10)
				if err := errors.Join(err, readErr, f.Remove()); err != nil || string(got) != text {
					t.Errorf("%q, %v", got, err)
				}
			}
		})
	}
	all.Wait()
	assertEmpty(t, parent)
}

func TestReadBack(t *testing.T) {
	parent := t.TempDir()
	f, err := newFolder([]string{parent}, memories(map[string]memory.Kind{parent: memory.Swapped}))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(f.Path, "KEY")
	for _, c := range []struct {
		name   string
		leave  func() error
		want   string
		refuse bool
	}{
		{"as written", func() error { return nil }, "old", false},
		{"edited", func() error { return os.WriteFile(path, []byte("new"), 0) }, "new", false},
		{"replaced", func() error {
			return errors.Join(os.WriteFile(path+"~", []byte("other"), 0o600), os.Rename(path+"~", path))
		}, "other", false},
		{"cut after one too many", func() error { return os.WriteFile(path, []byte(strings.Repeat("x", 99)), 0) }, "xxxxxxxxxxx", false},
		{"emptied", func() error { return os.Truncate(path, 0) }, "", false},
		{"removed", func() error { return os.Remove(path) }, "", true},
		{"a symlink", func() error { return errors.Join(os.Remove(path), os.Symlink("/etc/passwd", path)) }, "", true},
		{"a folder", func() error {
			return errors.Join(os.Remove(path), os.MkdirAll(filepath.Join(path, "deep"), 0o700))
		}, "", true},
		{"a pipe", func() error {
			return errors.Join(os.RemoveAll(path), exec.Command("mkfifo", path).Run())
		}, "", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := errors.Join(f.Write("KEY", []byte("old")), c.leave()); err != nil {
				t.Fatal(err)
			}
			got, err := f.Read("KEY", 10)
			if c.refuse {
				assertRefused(t, err, "the editor left no file KEY")
				return
			}
			if err != nil || string(got) != c.want {
				t.Errorf("%q, %v; want %q", got, err, c.want)
			}
		})
	}
	if err := f.Remove(); err != nil {
		t.Error(err)
	}
	assertEmpty(t, parent)
}

func TestSettle(t *testing.T) {
	for _, c := range []struct {
		name, before, edited, want string
		leftOut                    bool
	}{
		{"nothing done", "a", "a", "a", false},
		{"the editor's", "a", "a\n", "a", true},
		{"with a change", "a", "b\n", "b", true},
		{"no editor's", "a", "b", "b", false},
		{"one is wanted", "a", "a\n\n", "a\n", true},
		{"one was there", "a\n", "b\n", "b\n", false},
		{"taken away", "a\n", "a", "a", false},
		{"one more", "a\n", "a\n\n", "a\n\n", false},
		{"emptied", "a", "\n", "", true},
		{"several lines", "a\nb", "a\nb\nc\n", "a\nb\nc", true},
		{"windows lines", "a\r\nb", "a\r\nb\r\n", "a\r\nb", true},
		{"a lone return at the end", "a\r", "a\r\n", "a\r", true},
		{"windows lines become unix ones", "a\r\nb", "a\nb\n", "a\nb", true},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, leftOut := Settle([]byte(c.before), []byte(c.edited))
			if string(got) != c.want || leftOut != c.leftOut {
				t.Errorf("%q, %t; want %q, %t", got, leftOut, c.want, c.leftOut)
			}
		})
	}
}

// FuzzSettle: an editor that only adds a line break changes nothing.
func FuzzSettle(f *testing.F) {
	f.Add([]byte("a"))
	f.Add([]byte("a\r\nb"))
	f.Add([]byte("a\r"))
	f.Add([]byte("\r\n\r"))
	f.Fuzz(func(t *testing.T, value []byte) {
		if got, _ := Settle(value, slices.Clone(value)); string(got) != string(value) {
			t.Fatalf("%q became %q", value, got)
		}
		if strings.HasSuffix(string(value), "\n") {
			return
		}
		if got, _ := Settle(value, append(slices.Clone(value), '\n')); string(got) != string(value) {
			t.Fatalf("%q with a line break became %q", value, got)
		}
	})
}

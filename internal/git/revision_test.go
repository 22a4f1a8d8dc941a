package git_test

import (
	"context"
	"errors"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/fstest"

	"pistack/internal/git"
)

func commitAll(t *testing.T, root string) {
	t.Helper()
	runGit(t, root, "add", "--all")
	runGit(t, root, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "--quiet", "--allow-empty", "--message", "c")
}

func open(t *testing.T, root, revision string) *git.Revision {
	t.Helper()
	name, err := git.Resolve(t.Context(), root, revision)
	if err != nil {
		t.Fatal(err)
	}
	r, err := git.OpenRevision(context.Background(), root, name) // t.Context ends before Close
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := r.Close(); err != nil {
			t.Error(err)
		}
	})
	return r
}

// plain are the names of odd that an fs.FS can have: the last is not UTF-8.
var plain = odd[:len(odd)-1]

// TestRevisionFS: a revision is an fs.FS as the standard library tests it, and
// stays as it was while the work tree goes on.
func TestRevisionFS(t *testing.T) {
	root := repository(t)
	write(t, root, "dir/x", "old")
	write(t, root, "empty")
	if err := os.Chmod(filepath.Join(root, "dir/x"), 0o755); err != nil {
		t.Fatal(err)
	}
	commitAll(t, root)
	write(t, root, "dir/x", "new")
	write(t, root, "later", "new")
	r := open(t, root, "HEAD")
	if err := fstest.TestFS(r, append(slices.Clone(plain), "empty")...); err != nil {
		t.Error(err)
	}
	data, err := fs.ReadFile(r, "dir/x")
	if err != nil || string(data) != "old" {
		t.Errorf("%q, %v", data, err)
	}
	if info, err := fs.Stat(r, "dir/x"); err != nil || info.Mode() != 0o755 || info.Size() != 3 {
		t.Errorf("%v, %v", info, err)
	}
	for _, name := range []string{"later", "none/x", "ignored", "dir/x/y"} {
		if _, err := fs.Stat(r, name); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s: %v", name, err)
		}
	}
	for name, want := range map[string][]string{".": nil, "sub": {"dir"}, "dir": {"new é", "x", "y z"}} {
		var got []string
		entries, err := fs.ReadDir(r, name)
		for _, e := range entries {
			got = append(got, e.Name())
		}
		if err != nil || want != nil && !slices.Equal(got, want) {
			t.Errorf("%s: %q, %v", name, got, err)
		}
	}
}

// TestRevisionLinks: symlinks lead to where they do in a checkout, and nowhere
// else.
func TestRevisionLinks(t *testing.T) {
	root := repository(t)
	write(t, root, "dir/x", "content")
	for name, target := range map[string]string{
		"to-file": "dir/x", "to-dir": "dir", "sub/up": "../dir", "sub/twice": "up/x",
		"loop": "loop", "out": "../../etc/passwd", "absolute": "/etc/passwd", "dangling": "none",
	} {
		if err := os.Symlink(target, filepath.Join(root, name)); err != nil {
			t.Fatal(err)
		}
	}
	commitAll(t, root)
	r := open(t, root, "HEAD")
	for _, name := range []string{"to-file", "to-dir/x", "sub/up/x", "sub/twice", "dir/x"} {
		if data, err := fs.ReadFile(r, name); err != nil || string(data) != "content" {
			t.Errorf("%s: %q, %v", name, data, err)
		}
	}
	for _, name := range []string{"loop", "out", "absolute", "dangling", "loop/x", "to-file/x"} {
		if data, err := fs.ReadFile(r, name); err == nil {
			t.Errorf("%s: %q", name, data)
		}
	}
	if info, err := fs.Lstat(r, "to-file"); err != nil || info.Mode().Type() != fs.ModeSymlink {
		t.Errorf("%v, %v", info, err)
	}
	if got := r.Symlinks("sub"); !slices.Equal(got, []string{"sub/twice", "sub/up"}) {
		t.Errorf("symlinks %q", got)
	}
}

// TestRevisionParallel: one process serves all.
func TestRevisionParallel(t *testing.T) {
	root := repository(t)
	for _, name := range plain {
		write(t, root, name, "content of "+name)
	}
	write(t, root, "large", strings.Repeat("x", 3<<20))
	commitAll(t, root)
	r := open(t, root, "HEAD")
	var wait sync.WaitGroup
	for range 8 {
		wait.Go(func() {
			for _, name := range plain {
				if data, err := fs.ReadFile(r, name); err != nil || string(data) != "content of "+name {
					t.Errorf("%s: %q, %v", name, data, err)
				}
			}
			if data, err := fs.ReadFile(r, "large"); err != nil || len(data) != 3<<20 {
				t.Errorf("large: %d, %v", len(data), err)
			}
		})
	}
	wait.Wait()
}

// TestRevisionTooLarge: what is larger than the bound is refused, and the next
// file is read all the same.
func TestRevisionTooLarge(t *testing.T) {
	root := repository(t)
	f, err := os.Create(filepath.Join(root, "huge"))
	if err != nil {
		t.Fatal(err)
	}
	if err := errors.Join(f.Truncate(65<<20), f.Close()); err != nil {
		t.Fatal(err)
	}
	write(t, root, "small", "s")
	commitAll(t, root)
	r := open(t, root, "HEAD")
	if _, err := fs.ReadFile(r, "huge"); err == nil || !strings.Contains(err.Error(), "larger than 64 MiB") {
		t.Errorf("error %v", err)
	}
	if info, err := fs.Stat(r, "huge"); err != nil || info.Size() != 65<<20 {
		t.Errorf("%v, %v", info, err)
	}
	if data, err := fs.ReadFile(r, "small"); err != nil || string(data) != "s" {
		t.Errorf("%q, %v", data, err)
	}
}

func TestResolve(t *testing.T) {
	root := repository(t)
	var none *git.NoRevision
	if _, err := git.Resolve(t.Context(), root, "HEAD"); !errors.As(err, &none) || !strings.Contains(none.Hint(), "no commit yet") {
		t.Errorf("error %v", err)
	}
	commitAll(t, root)
	head, err := git.Resolve(t.Context(), root, "HEAD")
	if err != nil || len(head) != 40 {
		t.Fatalf("%q, %v", head, err)
	}
	for _, name := range []string{"no-such", "--all", "HEAD:dir", ""} {
		if got, err := git.Resolve(t.Context(), root, name); !errors.As(err, &none) {
			t.Errorf("%q: %q, %v", name, got, err)
		}
	}
	runGit(t, root, "checkout", "--quiet", "-b", "topic")
	write(t, root, "theirs")
	commitAll(t, root)
	runGit(t, root, "checkout", "--quiet", "-")
	write(t, root, "ours")
	commitAll(t, root)
	if got, err := git.MergeBase(t.Context(), root, "topic", "HEAD"); err != nil || got != head {
		t.Errorf("%q, %v; want %q", got, err, head)
	}
	runGit(t, root, "checkout", "--quiet", "--orphan", "apart")
	commitAll(t, root)
	var apart *git.NoMergeBase
	if _, err := git.MergeBase(t.Context(), root, "topic", "HEAD"); !errors.As(err, &apart) {
		t.Errorf("error %v", err)
	}
}

func TestDiffer(t *testing.T) {
	root := repository(t)
	commitAll(t, root)
	first := open(t, root, "HEAD")
	write(t, root, "dir/x", "changed")
	write(t, root, "added", "a")
	write(t, root, "untracked/deep/file", "u")
	if err := errors.Join(os.Remove(filepath.Join(root, "a b")), os.Chmod(filepath.Join(root, "-dash"), 0o755)); err != nil {
		t.Fatal(err)
	}
	runGit(t, root, "add", "added")
	got, err := git.DifferFromTree(t.Context(), root, first.Commit)
	want := []string{"-dash", "a b", "added", "dir/a.log", "dir/x", "ignored", "untracked/"}
	if err != nil || !slices.Equal(got.All(), want) {
		t.Errorf("work tree: %q, %v", got.All(), err)
	}
	inside, err := git.DifferFromTree(t.Context(), filepath.Join(root, "dir"), first.Commit)
	if err != nil || !slices.Equal(inside.All(), []string{"a.log", "x"}) {
		t.Errorf("in a folder: %q, %v", inside.All(), err)
	}
	commitAll(t, root)
	second := open(t, root, "HEAD")
	want = []string{"-dash", "a b", "added", "dir/x", "untracked/deep/file"}
	if a, b := first.Differ(second).All(), second.Differ(first).All(); !slices.Equal(a, want) || !slices.Equal(b, want) {
		t.Errorf("revisions: %q and %q", a, b)
	}
	if len(first.Differ(first).All()) > 0 {
		t.Error("a revision differs from itself")
	}
}

// TestRevisionBroken: a process that ends early is an error, not a hang.
func TestRevisionBroken(t *testing.T) {
	root := repository(t)
	write(t, root, "file", "content")
	commitAll(t, root)
	r := open(t, root, "HEAD")
	out, err := exec.Command("git", "-C", root, "rev-parse", "HEAD:file").Output()
	if err != nil {
		t.Fatal(err)
	}
	object := strings.TrimSpace(string(out))
	if err := os.Remove(filepath.Join(root, ".git/objects", object[:2], object[2:])); err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if _, err := fs.ReadFile(r, "file"); err == nil || !strings.Contains(err.Error(), "git cat-file") {
			t.Errorf("error %v", err)
		}
	}
}

package git_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pistack/internal/git"
)

// odd are names that need care on the way from Git.
var odd = []string{"a b", "ü.txt", "line\nbreak", `quo"te`, "tab\t", "-dash", ".hidden", "dir/x", "dir/y z", "dir.x", "dir-x/a", "sub/dir/deep", "\xff\xfe"}

// repository makes one with the odd names tracked, and some files beside.
func repository(t *testing.T) string {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git not on PATH")
	}
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull, "GIT_CEILING_DIRECTORIES": os.TempDir(),
		"GIT_DIR": "", "GIT_INDEX_FILE": "", "GIT_WORK_TREE": "",
	} {
		t.Setenv(name, value)
		if value == "" {
			os.Unsetenv(name)
		}
	}
	root := t.TempDir()
	runGit(t, root, "init", "--quiet")
	for _, name := range odd {
		write(t, root, name)
	}
	write(t, root, ".gitignore", "ignored\n*.log\n")
	runGit(t, root, "add", "--all")
	for _, name := range []string{"new", "dir/new é", "ignored", "dir/a.log"} {
		write(t, root, name)
	}
	return root
}

func runGit(t *testing.T, root string, args ...string) {
	t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", root}, args...)...).CombinedOutput(); err != nil {
		t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func write(t *testing.T, root, name string, content ...string) {
	t.Helper()
	file := filepath.Join(root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(strings.Join(content, "")), 0o644)); err != nil {
		t.Fatal(err)
	}
}

// TestInit: the branch is main, whatever the workstation is set to.
func TestInit(t *testing.T) {
	repository(t)
	config := filepath.Join(t.TempDir(), "config")
	if err := os.WriteFile(config, []byte("[init]\n\tdefaultBranch = trunk\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("GIT_CONFIG_GLOBAL", config)
	dir := t.TempDir()
	if err := git.Init(t.Context(), dir); err != nil {
		t.Fatal(err)
	}
	if head, err := os.ReadFile(filepath.Join(dir, ".git", "HEAD")); err != nil || string(head) != "ref: refs/heads/main\n" {
		t.Errorf("HEAD is %q (%v)", head, err)
	}
}

func TestRead(t *testing.T) {
	root := repository(t)
	tree, err := git.Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range append(slices.Clone(odd), ".gitignore") {
		if !tree.Tracked.Has(name) {
			t.Errorf("%q is not tracked", name)
		}
	}
	for _, name := range []string{"new", "dir/new é", "ignored", "dir/a.log", "dir", "", "no such file", ".git/config"} {
		if tree.Tracked.Has(name) {
			t.Errorf("%q is known", name)
		}
	}
	for _, c := range []struct {
		folder string
		want   []string
	}{
		{"dir", []string{"dir/x", "dir/y z"}},
		{"dir/", []string{"dir/x", "dir/y z"}},
		{"sub", []string{"sub/dir/deep"}},
		{"di", nil},
		{"dir/x", nil},
		{"none", nil},
	} {
		if got := tree.Tracked.Under(c.folder); !slices.Equal(got, c.want) {
			t.Errorf("under %q: %q, want %q", c.folder, got, c.want)
		}
	}
}

// TestIgnored: only the repository's own .gitignore files count, for paths that
// exist and for those that do not.
func TestIgnored(t *testing.T) {
	root := repository(t)
	write(t, root, "state/.gitignore", "/config/\n*.db\n!kept.db\n")
	excludes := filepath.Join(t.TempDir(), "excludes")
	write(t, filepath.Dir(excludes), "excludes", "mine\n")
	runGit(t, root, "config", "core.excludesFile", excludes)
	write(t, root, ".git/info/exclude", "also-mine\n")
	t.Setenv("GIT_DIR", filepath.Join(t.TempDir(), "elsewhere")) // as in a hook of another repository
	tree, err := git.Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]bool{
		"ignored": true, "dir/a.log": true, "state/config": true, "state/config/deep": true, "state/a.db": true,
		"state/kept.db": false, "state/none": false, "new": false, "mine": false, "also-mine": false, "dir/x": false,
	} {
		got, err := tree.Ignored(path)
		if err != nil || got != want {
			t.Errorf("%s: %t, %v; want %t", path, got, err, want)
		}
	}
}

// TestIgnoredAfterAFailure: a question that Git cannot answer fails with its
// reason, and the next one is answered.
func TestIgnoredAfterAFailure(t *testing.T) {
	root := repository(t)
	if err := os.Symlink("dir", filepath.Join(root, "link")); err != nil {
		t.Fatal(err)
	}
	tree, err := git.Read(t.Context(), root)
	if err != nil {
		t.Fatal(err)
	}
	for range 2 {
		if got, err := tree.Ignored("link/x"); err == nil || !strings.Contains(err.Error(), "lies behind a symlink") {
			t.Errorf("behind a symlink: %t, %v", got, err)
		}
		if got, err := tree.Ignored("link"); err != nil || got {
			t.Errorf("a symlink itself: %t, %v", got, err)
		}
		if got, err := tree.Ignored("ignored"); err != nil || !got {
			t.Errorf("the question after that: %t, %v", got, err)
		}
	}
	if err := errors.Join(tree.Close(), tree.Close()); err != nil {
		t.Error(err)
	}
}

// TestReadSubfolder: a fleet may be a folder of a larger repository.
func TestReadSubfolder(t *testing.T) {
	root := repository(t)
	tree, err := git.Read(t.Context(), filepath.Join(root, "dir"))
	if err != nil {
		t.Fatal(err)
	}
	if !tree.Tracked.Has("x") || tree.Tracked.Has("dir/x") || tree.Tracked.Has("a b") {
		t.Errorf("tree %+v", tree)
	}
}

// TestReadRemoved: a file that was deleted, but not from the index, counts as
// tracked: reading it will tell.
func TestReadRemoved(t *testing.T) {
	root := repository(t)
	if err := os.Remove(filepath.Join(root, "a b")); err != nil {
		t.Fatal(err)
	}
	tree, err := git.Read(t.Context(), root)
	if err != nil || !tree.Tracked.Has("a b") {
		t.Errorf("%v, %v", tree.Tracked.Has("a b"), err)
	}
}

func TestReadErrors(t *testing.T) {
	repository(t) // for the environment
	t.Run("not a repository", func(t *testing.T) {
		dir := t.TempDir()
		_, err := git.Read(t.Context(), dir)
		var none *git.NotARepository
		if !errors.As(err, &none) || none.Root != dir || !strings.Contains(none.Hint(), "git -C "+dir+" init") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no such folder", func(t *testing.T) {
		_, err := git.Read(t.Context(), filepath.Join(t.TempDir(), "none"))
		if err == nil || !strings.Contains(err.Error(), "none") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("no git", func(t *testing.T) {
		t.Setenv("PATH", t.TempDir())
		if _, err := git.Read(t.Context(), t.TempDir()); err == nil || err.Error() != "git: not found on PATH" {
			t.Errorf("error %v", err)
		}
	})
}

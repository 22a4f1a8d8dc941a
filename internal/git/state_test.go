package git_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pistack/internal/git"
)

// TestReadState: with no commit, clean, with a file that Git does not know, with
// one that is staged or edited, and on no branch.
func TestReadState(t *testing.T) {
	root := repository(t)
	head := func() string {
		t.Helper()
		out, err := exec.Command("git", "-C", root, "rev-parse", "HEAD").Output()
		if err != nil {
			t.Fatal(err)
		}
		return strings.TrimSpace(string(out))
	}
	is := func(name, commit string, dirty bool) {
		t.Helper()
		if got, err := git.ReadState(t.Context(), root); err != nil || got.Commit != commit || got.Dirty != dirty {
			t.Errorf("%s: %+v, %v", name, got, err)
		}
	}
	commit := func() {
		t.Helper()
		runGit(t, root, "-c", "user.name=a", "-c", "user.email=a@b", "commit", "--quiet", "--message", "x")
	}
	is("before the first commit", "", true)
	commit()
	is("clean, with files that Git does not know", head(), false)
	write(t, root, "# x", "y")
	runGit(t, root, "add", "# x")
	is("staged", head(), true)
	commit()
	runGit(t, root, "checkout", "--quiet", "--detach")
	is("on no branch", head(), false)
	if err := os.Remove(filepath.Join(root, "a b")); err != nil {
		t.Fatal(err)
	}
	is("removed", head(), true)
	if _, err := git.ReadState(t.Context(), t.TempDir()); err == nil {
		t.Error("the state of no repository")
	}
}

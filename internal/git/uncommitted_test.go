package git_test

import (
	"os"
	"path/filepath"
	"slices"
	"testing"

	"pistack/internal/git"
)

// TestUncommitted: what a removal of the folder would lose.
func TestUncommitted(t *testing.T) {
	root := t.TempDir()
	put := func(file, text string) {
		t.Helper()
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	uncommitted := func(want ...string) {
		t.Helper()
		got, err := git.Uncommitted(t.Context(), root, "hosts/pi")
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%q, want %q (%v)", got, want, err)
		}
	}
	if _, err := git.Uncommitted(t.Context(), root, "hosts/pi"); err == nil {
		t.Error("no error without a repository")
	}
	runGit(t, root, "init", "-q")
	for _, file := range []string{"hosts/pi/a", "hosts/pi/b", "hosts/pi/c", "hosts/pi/gone", "hosts/other/a"} {
		put(file, "text")
	}
	put(".gitignore", "ignored\n")
	runGit(t, root, "add", ".")
	runGit(t, root, "-c", "user.name=t", "-c", "user.email=t@example.org", "commit", "-q", "-m", "x")
	uncommitted()
	put("hosts/pi/a", "edited")
	put("hosts/pi/b", "staged")
	runGit(t, root, "add", "hosts/pi/b")
	put("hosts/pi/new file\n", "unknown")
	put("hosts/pi/ignored", "")
	put("hosts/other/a", "edited")
	if err := os.Remove(filepath.Join(root, "hosts/pi/gone")); err != nil {
		t.Fatal(err)
	}
	uncommitted("hosts/pi/a", "hosts/pi/b", "hosts/pi/new file\n")
}

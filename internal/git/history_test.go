package git_test

import (
	"errors"
	"fmt"
	"maps"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"pistack/internal/git"
)

// fresh is a repository without commits, and with an author.
func fresh(t *testing.T) string {
	t.Helper()
	repository(t) // for the environment
	root := t.TempDir()
	runGit(t, root, "init", "--quiet", "--initial-branch=main")
	runGit(t, root, "config", "user.name", "Ann Example")
	runGit(t, root, "config", "user.email", "ann@example.org")
	// What a developer's settings could do to the output.
	for _, setting := range []string{"log.showRoot=false", "log.decorate=full", "diff.renames=copies", "log.diffMerges=off", "color.ui=always", "core.quotePath=true", "log.showSignature=false", "diff.noprefix=true"} {
		name, value, _ := strings.Cut(setting, "=")
		runGit(t, root, "config", name, value)
	}
	return root
}

// commit writes files ("" removes one) and commits everything.
func commit(t *testing.T, root, message string, files map[string]string) {
	t.Helper()
	for name, content := range files {
		if content == "" {
			runGit(t, root, "rm", "--quiet", "-f", name)
			continue
		}
		write(t, root, name, content)
	}
	runGit(t, root, "add", "--all")
	tick(t)
	runGit(t, root, "commit", "--quiet", "--allow-empty", "--message", message)
}

// tick lets a minute pass between commits, so that their order is always the same.
func tick(t *testing.T) {
	t.Helper()
	minutes, _ := strconv.Atoi(os.Getenv("MINUTES"))
	t.Setenv("MINUTES", strconv.Itoa(minutes+1))
	for _, name := range []string{"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"} {
		t.Setenv(name, fmt.Sprintf("@%d +0000", 1_700_000_000+60*minutes))
	}
}

func output(t *testing.T, root string, args ...string) string {
	t.Helper()
	out, err := exec.Command("git", append([]string{"-C", root}, args...)...).Output()
	if err != nil {
		t.Fatalf("git %s: %v", strings.Join(args, " "), err)
	}
	return strings.TrimSpace(string(out))
}

// tale is what Log tells, with commits by subject and content in place of object
// names: "SUBJECT: PATH BEFORE->AFTER, …".
func tale(t *testing.T, root string, q git.Query) []string {
	t.Helper()
	var lines []string
	content := func(object string) string {
		if object == "" {
			return "-"
		}
		return output(t, root, "cat-file", "blob", object)
	}
	err := git.Log(t.Context(), root, q, func(c git.Commit, changes []git.Change) error {
		if c.Author != "Ann Example" || c.At.IsZero() {
			t.Errorf("commit %+v", c)
		}
		var parts []string
		for _, change := range changes {
			parts = append(parts, fmt.Sprintf("%s %s->%s", change.Path, content(change.Before), content(change.After)))
		}
		line := output(t, root, "log", "-1", "--format=%s", c.Hash) + ": " + strings.Join(parts, ", ")
		if q.Beside != "" {
			line += " beside " + content(c.Beside)
		}
		lines = append(lines, line)
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return lines
}

func wantTale(t *testing.T, got []string, want ...string) {
	t.Helper()
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

var wanted = git.Query{Paths: []string{":(glob)s/*"}}

func TestLog(t *testing.T) {
	root := fresh(t)
	commit(t, root, "one", map[string]string{"s/a": "1", "other": "1"})
	commit(t, root, "elsewhere", map[string]string{"other": "2"})
	commit(t, root, "change", map[string]string{"s/a": "2", "s/ü \"b\"": "x"})
	commit(t, root, "rename", map[string]string{"s/a": "", "s/c": "2"})
	commit(t, root, "delete", map[string]string{"s/c": ""})
	t.Setenv("GIT_LITERAL_PATHSPECS", "1") // would make it find nothing
	wantTale(t, tale(t, root, wanted), "one: s/a -->1", "elsewhere: ", "change: s/a 1->2, s/ü \"b\" -->x", "rename: s/a 2->-, s/c -->2", "delete: s/c 2->-")
}

// TestLogMerges: nothing of a merge is lost, neither what only it brought, nor
// what it dropped, nor a side that left no trace in the result.
func TestLogMerges(t *testing.T) {
	root := fresh(t)
	commit(t, root, "base", map[string]string{"s/a": "base"})
	runGit(t, root, "checkout", "--quiet", "-b", "side")
	commit(t, root, "side", map[string]string{"s/a": "side", "s/b": "side"})
	runGit(t, root, "checkout", "--quiet", "main")
	commit(t, root, "main", map[string]string{"s/c": "main"})
	tick(t)
	runGit(t, root, "merge", "--quiet", "--strategy=ours", "--message=ours", "side")
	runGit(t, root, "checkout", "--quiet", "-b", "evil", "HEAD~1")
	runGit(t, root, "merge", "--quiet", "--no-commit", "--no-ff", "side")
	commit(t, root, "evil", map[string]string{"s/a": "evil"})

	wantTale(t, tale(t, root, wanted),
		"base: s/a -->base", "main: s/c -->main", "side: s/a base->side, s/b -->side",
		"evil: s/a base->evil, s/b -->side, s/a side->evil, s/c -->main")
	runGit(t, root, "checkout", "--quiet", "main")
	wantTale(t, tale(t, root, wanted),
		"base: s/a -->base", "main: s/c -->main", "side: s/a base->side, s/b -->side",
		"ours: s/a side->base, s/b side->-, s/c -->main")
	all := wanted
	all.All = true
	if got := tale(t, root, all); len(got) != 5 {
		t.Errorf("of all branches: %q", got)
	}
}

func TestLogBeside(t *testing.T) {
	root := fresh(t)
	q := git.Query{Paths: []string{":(glob)s/*", "f"}, Beside: "f"}
	commit(t, root, "none", map[string]string{"s/a": "1"})
	commit(t, root, "first", map[string]string{"f": "F1"})
	runGit(t, root, "checkout", "--quiet", "-b", "side")
	commit(t, root, "side", map[string]string{"s/b": "1"})
	runGit(t, root, "checkout", "--quiet", "main")
	commit(t, root, "second", map[string]string{"f": "F2"})
	tick(t)
	runGit(t, root, "merge", "--quiet", "--message=merge", "side")
	commit(t, root, "third", map[string]string{"f": ""})
	wantTale(t, tale(t, root, q), "none: s/a -->1 beside -", "first: f -->F1 beside F1", "second: f F1->F2 beside F2",
		"side: s/b -->1 beside F1", "merge: s/b -->1, f F1->F2 beside F2", "third: f F2->- beside -")
}

// TestLogLinks: only regular files are files.
func TestLogLinks(t *testing.T) {
	root := fresh(t)
	commit(t, root, "file", map[string]string{"s/a": "1"})
	if err := errors.Join(os.Remove(filepath.Join(root, "s/a")), os.Symlink("elsewhere", filepath.Join(root, "s/a"))); err != nil {
		t.Fatal(err)
	}
	commit(t, root, "link", map[string]string{"s/b": "1"})
	wantTale(t, tale(t, root, wanted), "file: s/a -->1", "link: s/a 1->-, s/b -->1")
	files, err := git.ListCommit(t.Context(), root, "HEAD", "s")
	if got := slices.Sorted(maps.Keys(files)); err != nil || !slices.Equal(got, []string{"s/b"}) {
		t.Errorf("files %q, %v", got, err)
	}
}

// TestLogSubfolder: a fleet may be a folder of a larger repository.
func TestLogSubfolder(t *testing.T) {
	root := fresh(t)
	commit(t, root, "one", map[string]string{"sub/s/a": "1", "s/a": "outside"})
	sub := filepath.Join(root, "sub")
	wantTale(t, tale(t, sub, wanted), "one: s/a -->1")
	files, err := git.ListCommit(t.Context(), sub, "HEAD", "s")
	if got := slices.Sorted(maps.Keys(files)); err != nil || !slices.Equal(got, []string{"s/a"}) {
		t.Errorf("files %q, %v", got, err)
	}
}

// TestLogSHA256: repositories may name objects by SHA-256.
func TestLogSHA256(t *testing.T) {
	root := fresh(t)
	if err := os.RemoveAll(filepath.Join(root, ".git")); err != nil {
		t.Fatal(err)
	}
	runGit(t, root, "init", "--quiet", "--object-format=sha256")
	runGit(t, root, "config", "user.name", "Ann Example")
	runGit(t, root, "config", "user.email", "ann@example.org")
	commit(t, root, "one", map[string]string{"s/a": "1"})
	wantTale(t, tale(t, root, wanted), "one: s/a -->1")
	files, err := git.ListCommit(t.Context(), root, "HEAD", "s")
	if err != nil || len(files["s/a"]) != 64 {
		t.Errorf("files %q, %v", files, err)
	}
	err = git.Blobs(t.Context(), root, []string{files["s/a"]}, 100, func(_ int, content []byte, problem error) error {
		if string(content) != "1" || problem != nil {
			t.Errorf("content %q, %v", content, problem)
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestDescribe(t *testing.T) {
	root := fresh(t)
	if c, err := git.Describe(t.Context(), root); err != nil || c.Head != "" || c.Shallow {
		t.Errorf("no commits: %+v, %v", c, err)
	}
	all := wanted
	all.All = true
	wantTale(t, tale(t, root, all))
	commit(t, root, "one", map[string]string{"s/a": "1"})
	commit(t, root, "two", map[string]string{"s/a": "2"})
	if c, err := git.Describe(t.Context(), root); err != nil || c.Head != output(t, root, "rev-parse", "HEAD") || c.Shallow {
		t.Errorf("%+v, %v", c, err)
	}
	shallow := filepath.Join(t.TempDir(), "shallow")
	runGit(t, root, "clone", "--quiet", "--depth=1", "file://"+root, shallow)
	if c, err := git.Describe(t.Context(), shallow); err != nil || !c.Shallow {
		t.Errorf("shallow: %+v, %v", c, err)
	}
	wantTale(t, tale(t, shallow, wanted), "two: s/a -->2")
	var none *git.NotARepository
	if _, err := git.Describe(t.Context(), t.TempDir()); !errors.As(err, &none) {
		t.Errorf("error %v", err)
	}
}

func TestBlobs(t *testing.T) {
	root := fresh(t)
	binary := "a\x00b\n\n\xff"
	commit(t, root, "one", map[string]string{"a": "text", "b": binary, "c": strings.Repeat("x", 1000)})
	object := func(name string) string { return output(t, root, "rev-parse", name) }
	absent := strings.Repeat("ab", 20)
	objects := []string{object("HEAD:a"), absent, object("HEAD:c"), object("HEAD"), object("HEAD^{tree}"), object("HEAD:b"), object("HEAD:a")}
	var got []string
	err := git.Blobs(t.Context(), root, objects, 100, func(i int, content []byte, problem error) error {
		got = append(got, fmt.Sprintf("%d %q %v", i, content, problem))
		return nil
	})
	want := []string{`0 "text" <nil>`, `1 "" is not in this clone`, `2 "" is too large`, `3 "" is not a file`, `4 "" is not a file`, fmt.Sprintf("5 %q <nil>", binary), `6 "text" <nil>`}
	if err != nil || !slices.Equal(got, want) {
		t.Errorf("%v\n%s", err, strings.Join(got, "\n"))
	}
	stop := errors.New("stop")
	if err := git.Blobs(t.Context(), root, objects, 100, func(int, []byte, error) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
	if err := git.Blobs(t.Context(), root, nil, 100, nil); err != nil {
		t.Errorf("no objects: %v", err)
	}
}

// TestLogStops: an error of the caller ends Git, however much is to come.
func TestLogStops(t *testing.T) {
	root := fresh(t)
	commit(t, root, "one", map[string]string{"s/a": "1"})
	commit(t, root, "two", map[string]string{"s/a": "2"})
	stop := errors.New("stop")
	if err := git.Log(t.Context(), root, wanted, func(git.Commit, []git.Change) error { return stop }); !errors.Is(err, stop) {
		t.Errorf("error %v", err)
	}
}

// TestLogAuthors: a name from a repository cannot play with the terminal.
func TestLogAuthors(t *testing.T) {
	root := fresh(t)
	write(t, root, "s/a", "1")
	runGit(t, root, "add", "--all")
	runGit(t, root, "-c", "user.name=R\x1b[31med\u202e "+strings.Repeat("y", 200), "commit", "--quiet", "--message=one")
	err := git.Log(t.Context(), root, wanted, func(c git.Commit, _ []git.Change) error {
		if want := "R?[31med? " + strings.Repeat("y", 70); c.Author != want {
			t.Errorf("author %q", c.Author)
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
}

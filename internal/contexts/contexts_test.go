package contexts_test

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"

	"pistack/compose/images"
	"pistack/internal/contexts"
)

// files is a repository: path to content. "-> x" is a symlink, "+x" before the
// content makes it executable.
type files map[string]string

func (f files) write(t *testing.T, root string) {
	t.Helper()
	for name, text := range f {
		file := filepath.Join(root, name)
		err := os.MkdirAll(filepath.Dir(file), 0o755)
		mode := fs.FileMode(0o644)
		if rest, program := strings.CutPrefix(text, "+x"); program {
			text, mode = rest, 0o755
		}
		if target, link := strings.CutPrefix(text, "-> "); link {
			err = errors.Join(err, os.Symlink(target, file))
		} else {
			err = errors.Join(err, os.WriteFile(file, []byte(text), mode), os.Chmod(file, mode))
		}
		if err != nil {
			t.Fatal(err)
		}
	}
}

func (f files) with(more files) files {
	all := files{}
	for _, part := range []files{f, more} {
		for name, text := range part {
			if all[name] = text; text == "" {
				delete(all, name)
			}
		}
	}
	return all
}

func base() files {
	return files{
		"s/Dockerfile": "FROM scratch\nCOPY . /\n", "s/a": "1", "s/run": "+xecho", "s/dir/b": "2", "s/dir/c.log": "3", "s/link": "-> dir/b", "other/d": "4",
	}
}

func recipe() images.Recipe {
	return images.Recipe{Image: "x", Context: "s", Dockerfile: "s/Dockerfile"}
}

// hash is that of a repository in which Git tracks everything but some files.
func hash(t *testing.T, f files, r images.Recipe, untracked ...string) (string, error) {
	t.Helper()
	root := t.TempDir()
	f.write(t, root)
	tracked := func(path string) bool {
		_, known := f[path]
		return known && !slices.Contains(untracked, path)
	}
	return contexts.Hash(t.Context(), contexts.Repository{Root: root, Tracked: tracked}, r)
}

func mustHash(t *testing.T, f files, r images.Recipe) string {
	t.Helper()
	sum, err := hash(t, f, r)
	if err != nil || len(sum) != 64 {
		t.Fatalf("%q, %v", sum, err)
	}
	return sum
}

// TestHash: what changes the image changes the hash, and nothing else does.
func TestHash(t *testing.T) {
	want := mustHash(t, base(), recipe())
	for _, c := range []struct {
		name string
		more files
		same bool
	}{
		{"nothing", nil, true},
		{"a file elsewhere", files{"other/d": "5"}, true},
		{"content", files{"s/a": "2"}, false},
		{"content of the same length in a folder", files{"s/dir/b": "x"}, false},
		{"another name", files{"s/a": "", "s/b": "1"}, false},
		{"into a folder", files{"s/a": "", "s/dir/a": "1"}, false},
		{"can be executed", files{"s/a": "+x1"}, false},
		{"no longer", files{"s/run": "echo"}, false},
		{"another target", files{"s/link": "-> a"}, false},
		{"a file with the target's text", files{"s/link": "dir/b"}, false},
		{"one more", files{"s/e": "5"}, false},
		{"an empty one", files{"s/e": "+x"}, false},
		{"one less", files{"s/a": ""}, false},
		{"the Dockerfile", files{"s/Dockerfile": "FROM scratch\n"}, false},
		{"an ignore file that ignores nothing", files{"s/.dockerignore": "# nothing\n"}, false}, // it is in the image
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := mustHash(t, base().with(c.more), recipe()); (got == want) != c.same {
				t.Errorf("same: %t, want %t", got == want, c.same)
			}
		})
	}
}

// TestHashValue: the hash of a known repository is the same on every machine,
// and in every version: another one would build everything anew.
func TestHashValue(t *testing.T) {
	const want = "ccbd93f8607437ab45d38900e6680ac11c2dd0bc632d3722571b0fc8bb2d165a"
	if got := mustHash(t, base(), recipe()); got != want {
		t.Errorf("hash %s, want %s", got, want)
	}
}

func TestRecipeCounts(t *testing.T) {
	f := base().with(files{"s/Other": "FROM scratch\nCOPY . /\n"})
	want := mustHash(t, f, recipe())
	for name, change := range map[string]func(*images.Recipe){
		"args":    func(r *images.Recipe) { r.Args = map[string]string{"A": "b"} },
		"target":  func(r *images.Recipe) { r.Target = "x" },
		"folders": func(r *images.Recipe) { r.Folders = map[string]string{"more": "other"} },
		"file":    func(r *images.Recipe) { r.Dockerfile = "s/Other" },
		"inline":  func(r *images.Recipe) { r.Dockerfile, r.Inline = "", "FROM scratch\nCOPY . /\n" },
	} {
		r := recipe()
		change(&r)
		if mustHash(t, f, r) == want {
			t.Errorf("%s do not count", name)
		}
	}
	r := recipe()
	r.Folders = map[string]string{"more": "other"}
	if mustHash(t, f, r) == mustHash(t, f.with(files{"other/d": "5"}), r) {
		t.Error("an additional context does not count")
	}
}

// TestWhatDoesNotCount: times, owners, other permission bits, empty folders, and
// where the repository is.
func TestWhatDoesNotCount(t *testing.T) {
	want := mustHash(t, base(), recipe())
	root := t.TempDir()
	base().write(t, root)
	for name := range base() {
		if name != "s/link" {
			file := filepath.Join(root, name)
			info, err := os.Stat(file)
			if err == nil {
				err = errors.Join(os.Chmod(file, info.Mode()&0o700|0o006), os.Chtimes(file, info.ModTime(), info.ModTime().AddDate(-1, 0, 0)))
			}
			if err != nil {
				t.Fatal(err)
			}
		}
	}
	if err := os.Mkdir(filepath.Join(root, "s", "empty"), 0o700); err != nil {
		t.Fatal(err)
	}
	got, err := contexts.Hash(t.Context(), contexts.Repository{Root: root, Tracked: func(string) bool { return true }}, recipe())
	if err != nil || got != want {
		t.Errorf("%s, %v, want %s", got, err, want)
	}
}

func TestErrors(t *testing.T) {
	for _, c := range []struct {
		name      string
		more      files
		recipe    func(*images.Recipe)
		untracked []string
		want      string
	}{
		{"not tracked", nil, nil, []string{"s/a"}, "s/a: the builder would get to see it, and Git does not track it"},
		{"several", nil, nil, []string{"s/a", "s/dir/b", "s/run", "s/link", "s/dir/c.log"}, "s/a: the builder would get to see it, and Git does not track it; nor s/dir/b, s/dir/c.log, s/link and 1 more"},
		{"not tracked, and listed", files{"s/.dockerignore": "*\n!a"}, nil, []string{"s/dir/b", "s/run"}, ""},
		{"no Dockerfile", files{"s/Dockerfile": ""}, nil, nil, "s/Dockerfile: does not exist"},
		{"Dockerfile not tracked", files{"s/.dockerignore": "Dockerfile"}, nil, []string{"s/Dockerfile"}, "s/Dockerfile: Git does not track it"},
		{"Dockerfile is a symlink", files{"s/Dockerfile": "-> a"}, nil, nil, "s/Dockerfile: too many levels of symbolic links"},
		{"no context", nil, func(r *images.Recipe) { r.Context = "none" }, nil, "none: no such file or directory"},
		{"context is a file", nil, func(r *images.Recipe) { r.Context = "s/a" }, nil, "s/a: is not a folder"},
		{"context is a symlink", files{"s/to": "-> dir"}, func(r *images.Recipe) { r.Context = "s/to" }, nil, "s/to: is a symlink, and would be built from what it points to"},
		{"ignore file not tracked", files{"s/.dockerignore": "dir\n"}, nil, []string{"s/.dockerignore"}, "s/.dockerignore: it decides what the builder gets to see, and Git does not track it"},
		{"ignore file not tracked, and lists itself", files{"s/.dockerignore": ".dockerignore\n"}, nil, []string{"s/.dockerignore"}, "s/.dockerignore: it decides what the builder gets to see, and Git does not track it"},
		{"a Dockerfile's own not tracked", files{"s/Dockerfile.dockerignore": "*.dockerignore\n"}, nil, []string{"s/Dockerfile.dockerignore"}, "s/Dockerfile.dockerignore: it decides what the builder gets to see, and Git does not track it"},
		{"bad pattern", files{"s/.dockerignore": "a[\n"}, nil, nil, "s/.dockerignore: syntax error in pattern"},
		{"many patterns", files{"s/.dockerignore": strings.Repeat("x\n", 2001)}, nil, nil, "s/.dockerignore: has more than 2000 patterns"},
		{"the stack's folder", files{"stacks/s/a": "1"}, func(r *images.Recipe) { r.Context = "stacks/s" }, nil, "stacks/s/images.lock: the builder would get to see it, and it changes with every build"},
		{"the stack's folder without the lock file", files{"stacks/s/a": "1", "stacks/s/images.lock": "x", "stacks/s/.dockerignore": "images.lock\n"}, func(r *images.Recipe) { r.Context = "stacks/s" }, nil, ""},
		{"the root", files{"hosts/pi/generated/default.nix": "1"}, func(r *images.Recipe) { r.Context = "." }, nil, "hosts/pi/generated/default.nix: the builder would get to see it, and it changes with every build"},
		{"the root without these", files{"hosts/pi/generated/default.nix": "1", "stacks/s/images.lock": "x", ".dockerignore": "hosts\n**/images.lock\n"}, func(r *images.Recipe) { r.Context = "." }, nil, ""},
		{"large Dockerfile", files{"s/Dockerfile": strings.Repeat("#", 1<<20+1)}, nil, nil, "s/Dockerfile: is larger than 1 MiB"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := recipe()
			if c.recipe != nil {
				c.recipe(&r)
			}
			_, err := hash(t, base().with(c.more), r, c.untracked...)
			if got := fmt.Sprint(err); c.want != "" && got != c.want || c.want == "" && err != nil {
				t.Errorf("error %s\nwant  %s", got, c.want)
			}
		})
	}
}

// TestSpecialFiles: what would wait for ever, or is nothing that Git could keep.
func TestSpecialFiles(t *testing.T) {
	root := t.TempDir()
	base().write(t, root)
	pipe := filepath.Join(root, "s", "pipe")
	if err := syscall.Mkfifo(pipe, 0o644); err != nil {
		t.Fatal(err)
	}
	r := contexts.Repository{Root: root, Tracked: func(string) bool { return true }}
	if _, err := contexts.Hash(t.Context(), r, recipe()); fmt.Sprint(err) != "s/pipe: is neither a file nor a folder nor a symlink" {
		t.Errorf("error %v", err)
	}
	if err := errors.Join(os.Rename(pipe, filepath.Join(root, "s", ".dockerignore"))); err != nil {
		t.Fatal(err)
	}
	if _, err := contexts.Hash(t.Context(), r, recipe()); fmt.Sprint(err) != "s/.dockerignore: is not a regular file" {
		t.Errorf("error %v", err)
	}
}

func TestCanceled(t *testing.T) {
	root := t.TempDir()
	base().write(t, root)
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := contexts.Hash(ctx, contexts.Repository{Root: root, Tracked: func(string) bool { return true }}, recipe()); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

package compose_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/compose"
	"pistack/internal/git"
)

// onDisk writes a stack's files below a new root and opens that.
func (s stack) onDisk(t *testing.T, mode fs.FileMode) compose.Source {
	t.Helper()
	dir := t.TempDir()
	for name, content := range s.files {
		file := filepath.Join(dir, "stacks", "s", name)
		if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(file, []byte(content), mode); err != nil {
			t.Fatal(err)
		}
	}
	root, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { root.Close() })
	src := s.source()
	src.Repository = root.FS()
	return src
}

// TestHermetic: neither where the repository is nor what the process's
// environment says can be seen in the result.
func TestHermetic(t *testing.T) {
	want, wantFindings := full().load(t)
	for name, value := range map[string]string{
		"TAG": "evil", "LEVEL": "evil", "KEY": "evil", "NOPE": "evil", "HOME": "/evil",
		"COMPOSE_PROJECT_NAME": "evil", "COMPOSE_PROFILES": "*", "COMPOSE_FILE": "/evil", "COMPOSE_ENV_FILES": "/evil",
	} {
		t.Setenv(name, value)
	}
	for _, mode := range []fs.FileMode{0o644, 0o600} {
		got, findings := compose.Load(t.Context(), full().onDisk(t, mode))
		if !reflect.DeepEqual(got, want) || text(findings) != text(wantFindings) {
			t.Errorf("mode %v:\ngot  %+v\nwant %+v\n%s", mode, got, want, text(findings))
		}
	}
	_, findings := stack{files: one(web + "    command: $NOPE $HOME\n")}.load(t)
	if got, want := text(findings), "compose.yaml:4:14: error: variable HOME is not defined [undefined-variable]\ncompose.yaml:4:14: error: variable NOPE is not defined [undefined-variable]\n"; got != want {
		t.Errorf("the environment defined a variable:\n%s", got)
	}
}

// TestHermeticIncludes: the same for what a stack includes and extends, from two
// checkouts, in two folders, with a hostile machine around it.
func TestHermeticIncludes(t *testing.T) {
	for _, c := range cases(t) {
		if !strings.HasPrefix(c.name, "include-") && !strings.HasPrefix(c.name, "extends-") {
			continue
		}
		t.Run(c.name, func(t *testing.T) {
			want, wantFindings := c.stack.load(t)
			evil := t.TempDir()
			// Where a path that is not followed inside the repository would lead to.
			for _, name := range []string{".env", "common/.env", "stacks/s/.env", "a/.env", "sub/.env", "db.yaml", "base.yaml", "../common/.env"} {
				write(t, filepath.Join(evil, "x"), stack{files: map[string]string{"../../" + name: "services: {evil: {image: evil}}\n"}})
			}
			t.Chdir(filepath.Join(evil, "x"))
			for name, value := range map[string]string{"TAG": "evil", "DB": "evil", "HERE": "evil", "DIR": "/evil", "NOPE": "evil", "KEY": "evil", "A": "evil", "HOME": evil, "COMPOSE_FILE": "evil", "PWD": "/evil"} {
				t.Setenv(name, value)
			}
			dir := t.TempDir()
			write(t, dir, c.stack)
			src := c.stack.source()
			src.Repository = root(t, dir)
			got, findings := compose.Load(t.Context(), src)
			if result(t, got, findings) != result(t, want, wantFindings) || !reflect.DeepEqual(inputsOr(got), inputsOr(want)) {
				t.Errorf("on disk:\n%s\nin memory:\n%s", result(t, got, findings), result(t, want, wantFindings))
			}
		})
	}
}

func inputsOr(s *compose.Stack) map[string]string {
	all := map[string]string{}
	if s != nil {
		for _, service := range s.Services {
			all[service.Name] = service.Inputs
		}
	}
	return all
}

// TestSymlinks: what a symlink points to may not be on the device.
func TestSymlinks(t *testing.T) {
	s := stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ./conf:/conf\n", "conf/real": "1"}}
	for _, c := range []struct{ name, target string }{
		{"inside", "real"},
		{"outside", "/etc/passwd"},
		{"dangling", "nowhere"},
	} {
		t.Run(c.name, func(t *testing.T) {
			src := s.onDisk(t, 0o644)
			src.Tracked = git.FilesOf(append(src.Tracked.(git.Files).All(), "stacks/s/conf/link"))
			root := src.Repository
			if _, err := fs.Stat(root, "stacks/s/conf/real"); err != nil {
				t.Fatal(err)
			}
			dir := t.TempDir()
			if err := os.CopyFS(dir, root); err != nil {
				t.Fatal(err)
			}
			if err := os.Symlink(c.target, filepath.Join(dir, "stacks/s/conf/link")); err != nil {
				t.Fatal(err)
			}
			opened, err := os.OpenRoot(dir)
			if err != nil {
				t.Fatal(err)
			}
			defer opened.Close()
			src.Repository = opened.FS()
			_, findings := compose.Load(t.Context(), src)
			want := "compose.yaml:5:9: error: stacks/s/conf/link is not a regular file: a symlink would point elsewhere on the device [unreadable]\n"
			if got := text(findings); got != want || findings[0].Fix != "put the file that it points to in its place" {
				t.Errorf("got %swant %s, with a fix: %+v", got, want, findings)
			}
		})
	}
}

// TestSymlinkedEnv: what leads out of the repository is told apart.
func TestSymlinkedEnv(t *testing.T) {
	s, dir := stack{files: one(web)}, t.TempDir()
	write(t, dir, s)
	if err := os.Symlink("/etc/passwd", filepath.Join(dir, "stacks/s/.env")); err != nil {
		t.Fatal(err)
	}
	src := s.source()
	src.Repository = root(t, dir)
	_, findings := compose.Load(t.Context(), src)
	const fix = "it leads out of the repository through a symlink: keep the file or folder itself in the repository"
	if len(findings) != 1 || findings[0].File != "stacks/s/.env" || findings[0].Fix != fix {
		t.Errorf("got %+v, want one finding with the fix %q", findings, fix)
	}
}

// TestSymlinkedComposeFiles: nor may what a Compose file includes or extends be
// a symlink, or lie behind one.
func TestSymlinkedComposeFiles(t *testing.T) {
	for _, c := range []struct{ name, content, link, target, want string }{
		{"file inside", "include: [link.yaml]\n", "stacks/s/link.yaml", "real/db.yaml", "compose.yaml:1:11: error: stacks/s/link.yaml"},
		{"file outside", "include: [link.yaml]\n", "stacks/s/link.yaml", "/etc/passwd", "compose.yaml:1:11: error: stacks/s/link.yaml"},
		{"folder", "include:\n  - path: link/db.yaml\n", "stacks/s/link", "real", "compose.yaml:2:11: error: stacks/s/link"},
		{"folder outside", "services:\n  web:\n    extends: {file: ../link/x.yaml, service: x}\n", "stacks/link", "/etc", "compose.yaml:3:21: error: stacks/link"},
		{"env file", "include:\n  - path: real/db.yaml\n    env_file: link.env\n", "stacks/s/link.env", "/etc/passwd", "compose.yaml:3:15: error: stacks/s/link.env"},
		{".env", "include: [real/db.yaml]\n", "stacks/s/real/.env", "/etc/passwd", "compose.yaml:1:11: error: stacks/s/real/.env"},
		{"override", web, "stacks/s/compose.pi.yaml", "real/db.yaml", "compose.pi.yaml: error:"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := stack{files: map[string]string{"compose.yaml": c.content, "real/db.yaml": "services:\n  db:\n    image: x\n"}}
			dir := t.TempDir()
			write(t, dir, s)
			if err := os.Symlink(c.target, filepath.Join(dir, c.link)); err != nil {
				t.Fatal(err)
			}
			for _, open := range []func(string) fs.FS{os.DirFS, func(string) fs.FS { return root(t, dir) }} {
				src := s.source()
				src.Tracked = git.FilesOf(append(src.Tracked.(git.Files).All(), c.link, c.link+"/db.yaml", c.link+"/x.yaml"))
				src.Repository = open(dir)
				_, findings := compose.Load(t.Context(), src)
				if got, want := text(findings), c.want+" is a symlink, which would point elsewhere on the device [path]\n"; got != want {
					t.Errorf("got %swant %s", got, want)
				}
			}
		})
	}
}

func root(t *testing.T, dir string) fs.FS {
	t.Helper()
	opened, err := os.OpenRoot(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { opened.Close() })
	return opened.FS()
}

func TestDeletedFile(t *testing.T) {
	src := stack{files: map[string]string{"compose.yaml": web + "    volumes:\n      - ./conf:/conf\n", "conf/a": "1"}}.source()
	delete(src.Repository.(fstest.MapFS), "stacks/s/conf/a")
	_, findings := compose.Load(t.Context(), src)
	if got, want := text(findings), "compose.yaml:5:9: error: stacks/s/conf/a file does not exist [unreadable]\n"; got != want {
		t.Errorf("got %swant %s", got, want)
	}
}

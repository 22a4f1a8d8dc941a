package compose_test

import (
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/compose"
)

// full is a stack that uses everything that reaches the device.
func full() stack {
	return stack{
		ignored: []string{"data/web", "cache"},
		files: map[string]string{
			"compose.yaml": `x-env: &env
  LEVEL: ${LEVEL:-info}
services:
  web:
    image: nginx:${TAG}
    environment:
      <<: *env
      TOKEN: ${KEY}
    volumes:
      - ./site:/site:ro
      - ./data/web:/data
      - type: bind
        source: ./cache
        target: /cache
        read_only: true
      - named:/named
      - /etc/localtime:/etc/localtime:ro
    configs: [plain, inline]
    env_file: [web.env]
  db:
    image: postgres
    secrets:
      - source: PASSWORD
        uid: "999"
        mode: 0400
  idle:
    image: busybox
configs:
  plain:
    file: ./plain.conf
  inline:
    content: level ${LEVEL:-info}
secrets:
  PASSWORD:
    environment: PASSWORD
volumes:
  named:
`,
			"compose.pi.yaml": "services:\n  db:\n    environment:\n      OTHER: ${OTHER}\n",
			".env":            "TAG=1\n",
			"web.env":         "A=${THIRD}\nB=b\n",
			"plain.conf":      "plain",
			"site/index.html": "<html>",
			"site/sub/a.css":  "a",
			"unrelated.txt":   "u",
		},
		secrets: map[string]string{"KEY": "v1", "OTHER": "v1", "THIRD": "v1", "PASSWORD": "v1", "UNUSED": "v1"},
	}
}

func TestStack(t *testing.T) {
	got := full().mustLoad(t)
	inputs := map[string]bool{}
	for i := range got.Services {
		if len(got.Services[i].Inputs) != 64 {
			t.Errorf("inputs of %s: %q", got.Services[i].Name, got.Services[i].Inputs)
		}
		inputs[got.Services[i].Inputs] = true
		got.Services[i].Inputs = ""
	}
	if len(inputs) != 3 {
		t.Errorf("%d different inputs of 3 services", len(inputs))
	}
	want := &compose.Stack{
		Name:         "s",
		ComposeFiles: []string{"compose.yaml", "compose.pi.yaml"},
		EnvFiles:     []string{".env"},
		Files:        []string{".env", "compose.pi.yaml", "compose.yaml", "plain.conf", "site", "web.env"},
		EnvSecrets:   []string{"KEY", "OTHER", "THIRD"},
		Secrets:      []compose.FileSecret{{Name: "PASSWORD", Mode: 0o400, UID: 999}},
		Services: []compose.Service{
			{Name: "db", Image: "postgres", Secrets: []string{"OTHER", "PASSWORD"}},
			{Name: "idle", Image: "busybox"},
			{
				Name: "web", Image: "nginx:1", Secrets: []string{"KEY"},
				State: []compose.StateBind{{Path: "data/web", Target: "/data"}, {Path: "cache", Target: "/cache", ReadOnly: true}},
			},
		},
	}
	for i := range got.Services {
		if len(got.Services[i].Secrets) == 0 {
			got.Services[i].Secrets = nil
		}
	}
	said := &compose.Stack{
		Name: got.Name, ComposeFiles: got.ComposeFiles, EnvFiles: got.EnvFiles, Files: got.Files,
		EnvSecrets: got.EnvSecrets, Secrets: got.Secrets, Services: got.Services,
	}
	if !reflect.DeepEqual(said, want) {
		t.Errorf("got  %+v\nwant %+v", said, want)
	}
	parts := got.Parts("web")
	if !maps.Equal(parts.Secrets, map[string]string{"KEY": "v1", "THIRD": "v1"}) || len(parts.Configs) != 1 || !slices.Equal(slices.Sorted(maps.Keys(parts.Files)),
		[]string{"stacks/s/plain.conf", "stacks/s/site/index.html", "stacks/s/site/sub/a.css", "stacks/s/web.env"}) {
		t.Errorf("parts of web: %+v", parts)
	}
	if !got.Says("services", "web", "image") || got.Says("services", "web", "ports") || got.Says("services", "web", "environment", "LEVEL") {
		t.Error("what the files say of web")
	}
	if place := got.Place("services", "web", "image"); place != (compose.Position{File: "stacks/s/compose.yaml", Line: 5, Column: 5}) {
		t.Errorf("the image of web is at %v", place)
	}
}

// TestEnvironmentOrder: .env, then the host's variables, then its secrets.
func TestEnvironmentOrder(t *testing.T) {
	files := map[string]string{"compose.yaml": "services:\n  web:\n    image: x:${TAG}\n", ".env": "TAG=dotenv\n"}
	for _, c := range []struct {
		name  string
		stack stack
		want  string
	}{
		{".env", stack{files: files}, "x:dotenv"},
		{"host over .env", stack{files: files, env: map[string]string{"TAG": "host"}}, "x:host"},
		{"empty value of the host", stack{files: files, env: map[string]string{"TAG": ""}}, "x:"},
		{"project name is the stack's", stack{files: map[string]string{"compose.yaml": "services:\n  web:\n    image: ${COMPOSE_PROJECT_NAME}\n", ".env": "COMPOSE_PROJECT_NAME=other\n"}}, "s"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := c.stack.mustLoad(t).Services[0].Image; got != c.want {
				t.Errorf("image %q, want %q", got, c.want)
			}
		})
	}
	t.Run("secret over host", func(t *testing.T) {
		_, findings := stack{files: files, env: map[string]string{"TAG": "host"}, secrets: map[string]string{"TAG": "v1"}}.load(t)
		if want := "compose.yaml:3:5: error: secret TAG would be readable in services.web.image [secret-leak]\n"; text(findings) != want {
			t.Errorf("findings: %s", text(findings))
		}
	})
}

func TestProfiles(t *testing.T) {
	content := "services:\n  web:\n    image: x\n  debug:\n    image: y\n    profiles: [debug]\n  more:\n    image: y\n    profiles: [more]\n"
	for _, c := range []struct {
		name, env string
		want      []string
	}{
		{"none", "", []string{"web"}},
		{"one", "COMPOSE_PROFILES=debug\n", []string{"debug", "web"}},
		{"two", "COMPOSE_PROFILES=debug, more\n", []string{"debug", "more", "web"}},
		{"all", "COMPOSE_PROFILES=*\n", []string{"debug", "more", "web"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			loaded := stack{files: map[string]string{"compose.yaml": content, ".env": c.env}}.mustLoad(t)
			var names []string
			for _, s := range loaded.Services {
				names = append(names, s.Name)
			}
			if !slices.Equal(names, c.want) {
				t.Errorf("services %v, want %v", names, c.want)
			}
		})
	}
}

// TestSecretUsers: whose container a new value concerns, through every way that
// a Compose file has to say things once.
func TestSecretUsers(t *testing.T) {
	users := func(t *testing.T, files map[string]string) []string {
		var names []string
		for _, s := range (stack{files: files, secrets: map[string]string{"KEY": "v1"}}).mustLoad(t).Services {
			if slices.Contains(s.Secrets, "KEY") {
				names = append(names, s.Name)
			}
		}
		return names
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  []string
	}{
		{"own", one("services:\n  a:\n    image: x\n    environment: {A: $KEY}\n  b:\n    image: x\n"), []string{"a"}},
		{"list", one("services:\n  a:\n    image: x\n    environment: [KEY]\n  b:\n    image: x\n"), []string{"a"}},
		{"anchor of an environment", one("x-e: &e {A: $KEY}\nservices:\n  a:\n    image: x\n    environment: *e\n  b:\n    image: x\n  c:\n    image: x\n    environment: {<<: *e, B: b}\n"), []string{"a", "c"}},
		{"anchor of a service", one("services:\n  a: &a\n    image: x\n    environment: {A: $KEY}\n  b: *a\n  c:\n    <<: *a\n    environment: {B: b}\n"), []string{"a", "b"}},
		{"extends", one("services:\n  a:\n    image: x\n    environment: {A: $KEY}\n  b:\n    extends: a\n  c:\n    image: x\n"), []string{"a", "b"}},
		{"override adds", map[string]string{"compose.yaml": "services:\n  a:\n    image: x\n    environment: [B=b]\n  b:\n    image: x\n", "compose.pi.yaml": "services:\n  a:\n    environment: {A: $KEY}\n"}, []string{"a"}},
		{"override replaces the value", map[string]string{"compose.yaml": "services:\n  a:\n    image: x\n    environment: {A: $KEY}\n  b:\n    image: x\n    environment: {A: $KEY}\n", "compose.pi.yaml": "services:\n  a:\n    environment: [A=plain]\n"}, []string{"b"}},
		{"override resets", map[string]string{"compose.yaml": "services:\n  a:\n    image: x\n    environment: {A: $KEY}\n  b:\n    image: x\n    environment: {A: $KEY}\n", "compose.pi.yaml": "services:\n  a:\n    environment: !reset {}\n"}, []string{"b"}},
		{"default that applies", one("services:\n  a:\n    image: x\n    environment: {A: \"${NOPE:-${KEY}}\"}\n"), []string{"a"}},
		{"file", one("services:\n  a:\n    image: x\n    secrets: [KEY]\n  b:\n    image: x\nsecrets:\n  KEY: {environment: KEY}\n"), []string{"a"}},
		{"file, external", one("services:\n  a:\n    image: x\n    secrets: [KEY]\nsecrets:\n  KEY: {external: true}\n"), []string{"a"}},
		{"file from a file", one("services:\n  a:\n    image: x\n    secrets: [KEY]\nsecrets:\n  KEY: {file: ../secret.txt}\n"), []string{"a"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := users(t, c.files); !slices.Equal(got, c.want) {
				t.Errorf("users %v, want %v", got, c.want)
			}
		})
	}
}

func inputsOf(t *testing.T, s *compose.Stack) map[string]string {
	t.Helper()
	all := map[string]string{}
	for _, service := range s.Services {
		all[service.Name] = service.Inputs
	}
	return all
}

// TestInputs: a service's inputs change if and only if something does that
// Compose does not see.
func TestInputs(t *testing.T) {
	before := inputsOf(t, full().mustLoad(t))
	secret := func(name string) stack {
		s := full()
		s.secrets[name] = "v2"
		return s
	}
	for _, c := range []struct {
		name  string
		stack stack
		want  []string // services whose inputs change
	}{
		{"nothing", full(), nil},
		{"secret of a variable", secret("KEY"), []string{"web"}},
		{"secret of a variable in an override", secret("OTHER"), []string{"db"}},
		{"secret in an env_file", secret("THIRD"), []string{"web"}},
		{"secret as a file", secret("PASSWORD"), []string{"db"}},
		{"secret that nobody uses", secret("UNUSED"), nil},
		{"mounted file", full().with("site/sub/a.css", "b"), []string{"web"}},
		{"new file in a mounted folder", full().with("site/b.css", "b"), []string{"web"}},
		{"config file", full().with("plain.conf", "other"), []string{"web"}},
		{"inline config", full().with(".env", "TAG=1\nLEVEL=debug\n"), []string{"web"}},
		{"env_file", full().with("web.env", "A=${THIRD}\n"), []string{"web"}},
		{"file that nobody mounts", full().with("unrelated.txt", "other"), nil},
		{"image tag, which Compose sees", full().with(".env", "TAG=2\n"), nil},
		{"state", func() stack {
			s := full().with("data/web/db", "rows")
			s.ignored = append(s.ignored, "data/web/db")
			return s
		}(), nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			after := inputsOf(t, c.stack.mustLoad(t))
			var changed []string
			for _, name := range slices.Sorted(maps.Keys(before)) {
				if before[name] != after[name] {
					changed = append(changed, name)
				}
			}
			if !slices.Equal(changed, c.want) {
				t.Errorf("changed %v, want %v", changed, c.want)
			}
		})
	}
	t.Run("exec bit", func(t *testing.T) {
		src := full().source()
		repository := src.Repository.(fstest.MapFS)
		file := *repository["stacks/s/site/index.html"]
		file.Mode = 0o755
		repository["stacks/s/site/index.html"] = &file
		loaded, findings := compose.Load(t.Context(), src)
		if loaded == nil {
			t.Fatal(text(findings))
		}
		if after := inputsOf(t, loaded); after["web"] == before["web"] || after["db"] != before["db"] {
			t.Error("the exec bit of a mounted file must change exactly its user's inputs")
		}
	})
}

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
			src.Tracked = append(src.Tracked.(paths), "stacks/s/conf/link")
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
			if got := text(findings); got != want {
				t.Errorf("got %swant %s", got, want)
			}
		})
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
				src.Tracked = append(src.Tracked.(paths), c.link, c.link+"/db.yaml", c.link+"/x.yaml")
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

// TestLimits: what would take compose-go minutes is refused at once.
func TestLimits(t *testing.T) {
	bomb := "x-a: &a [1, 1, 1, 1, 1, 1, 1, 1, 1, 1]\n"
	for _, c := range "bcdefghi" {
		bomb += "x-" + string(c) + ": &" + string(c) + " [" + strings.TrimSuffix(strings.Repeat("*"+string(c-1)+" , ", 10), " , ") + "]\n"
	}
	nested := strings.Repeat("${A:-", 3000) + "x" + strings.Repeat("}", 3000)
	const values = "compose.yaml:1:1: error: has more than 10000 keys and values, with what its aliases stand for [syntax]\n"
	const many = ":1:1: error: has too many ${…} in one place to interpolate [syntax]\n"
	const deep = "compose.yaml:1:1: error: is nested more than 64 levels deep [syntax]\n"
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"alias bomb", one(bomb + web), values},
		{"many variables of a service", one(web + "    environment:\n" + strings.Repeat("      - A=b\n", 10_000)), values},
		{"deep lists", one("x-a: " + strings.Repeat("[", 5000) + strings.Repeat("]", 5000) + "\n" + web), deep},
		{"deep mappings", one("x-a: " + strings.Repeat("{a: ", 100) + "1" + strings.Repeat("}", 100) + "\n" + web), deep},
		{"nested references", one("services:\n  web:\n    image: \"" + nested + "\"\n"), "compose.yaml" + many},
		{"references in a row", one("services:\n  web:\n    image: \"" + strings.Repeat("${A:-x}", 10_000) + "\"\n"), "compose.yaml" + many},
		{"references in .env", map[string]string{"compose.yaml": web, ".env": "A=" + strings.Repeat("${A:-x}", 10_000)}, ".env" + many},
		{"references in an env_file", map[string]string{"compose.yaml": web + "    env_file: a.env\n", "a.env": "A=" + nested}, "a.env" + many},
		{"NUL byte", one(web + "x-a: \"\x00\"\n"), "compose.yaml:4:7: error: has a NUL byte [syntax]\n"},
		{"not UTF-8", one(web + "x-a: \xff\n"), "compose.yaml:4:6: error: is not valid UTF-8 [syntax]\n"},
		{"10 MB", one(strings.Repeat("# comment\n", 1_000_000)), "compose.yaml: error: is larger than 1 MiB [unreadable]\n"},
		{"documents", one(web + strings.Repeat("---\nx-a: 1\n", 101)), "compose.yaml:1:1: error: has more than 100 YAML documents [syntax]\n"},
		{"included alias bomb", map[string]string{"compose.yaml": "include: [b.yaml]\n" + web, "b.yaml": bomb}, "b.yaml:1:1: error: has more than 10000 keys and values, with what its aliases stand for [syntax]\n"},
		{"extended 10 MB", map[string]string{"compose.yaml": web + "    extends: {file: b.yaml, service: b}\n", "b.yaml": strings.Repeat("# comment\n", 1_000_000)},
			"b.yaml: error: is larger than 1 MiB [unreadable]\n"},
		{"large together", map[string]string{"compose.yaml": "include: [b.yaml, c.yaml]\n" + web, "b.yaml": manyServices("b", 900), "c.yaml": manyServices("c", 900)},
			"compose.yaml:1:1: error: with what it includes, has more than 10000 keys and values, with what its aliases stand for [syntax]\n"},
		{"100 levels of includes", levels(100), "f19.yaml:1:11: error: files include each other more than 20 levels deep [invalid-compose]\n"},
		{"100 levels of extends", extendsLevels(100), "f20.yaml:3:21: error: services extend each other more than 20 levels deep [invalid-compose]\n"},
		{"a large file often", map[string]string{"compose.yaml": "include: [" + strings.Repeat("b.yaml, ", 50) + "b.yaml]\n" + web, "b.yaml": manyServices("b", 1000)},
			"compose.yaml:1:75: error: the files that the stack includes or extends have more than 50000 keys and values, each counted as often as it is named [invalid-compose]\n"},
		{"includes that double", doubling(15), "f15.yaml:1:11: error: the stack includes or extends more than 100 files [invalid-compose]\n"},
		{"a list in itself", one("&a [*a ]\n"), "compose.yaml:1:5: error: the anchor \"a\" holds itself [syntax]\n"},
		{"an anchor in itself", one("x-a: &a [*a ]\n" + web), "compose.yaml:1:10: error: the anchor \"a\" holds itself [syntax]\n"},
		{"an anchor merged into itself", one("x-a: &a\n  <<: *a\n" + web), "compose.yaml:2:7: error: the anchor \"a\" holds itself [syntax]\n"},
		{"in an included file", map[string]string{"compose.yaml": "include: [b.yaml]\n" + web, "b.yaml": "x-a: &a\n  b: {<<: [*a ]}\n"},
			"b.yaml:2:12: error: the anchor \"a\" holds itself [syntax]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, findings := stack{files: c.files}.load(t)
			if got := text(findings); got != c.want {
				t.Errorf("got %.500s\nwant %s", got, c.want)
			}
		})
	}
}

// manyServices are some services with several values each.
func manyServices(name string, n int) string {
	out := "services:\n"
	for i := range n {
		out += fmt.Sprintf("  %s%d:\n    image: x\n    command: y\n", name, i)
	}
	return out
}

// levels is a chain of files that each include the next.
func levels(n int) map[string]string {
	files := map[string]string{"compose.yaml": "include: [f1.yaml]\n" + web}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("f%d.yaml", i)] = fmt.Sprintf("include: [f%d.yaml]\n", i+1)
	}
	return files
}

func extendsLevels(n int) map[string]string {
	service := func(i int) string {
		return fmt.Sprintf("services:\n  web:\n    extends: {file: f%d.yaml, service: web}\n", i)
	}
	files := map[string]string{"compose.yaml": service(1)}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("f%d.yaml", i)] = service(i + 1)
	}
	return files
}

// doubling is a chain of files that each include the next one twice.
func doubling(n int) map[string]string {
	files := map[string]string{"compose.yaml": "include: [f1.yaml]\n" + web}
	for i := 1; i <= n; i++ {
		files[fmt.Sprintf("f%d.yaml", i)] = fmt.Sprintf("include: [f%d.yaml, f%d.yaml]\n", i+1, i+1)
	}
	files[fmt.Sprintf("f%d.yaml", n+1)] = "services: {}\n"
	return files
}

// TestDeterministic: compose-go reports one of several errors, at random.
func TestDeterministic(t *testing.T) {
	for _, c := range []struct{ name, content string }{
		{"unknown keys", "services:\n  a:\n    imag: x\n    prots: []\n  b:\n    imag: x\n"},
		{"no images", "services:\n  a:\n    command: x\n  b:\n    command: x\n"},
		{"ports", "services:\n  a:\n    image: x\n    ports: [a]\n  b:\n    image: x\n    ports: [b]\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, first := stack{files: one(c.content)}.load(t)
			for range 5 {
				if _, again := (stack{files: one(c.content)}).load(t); !reflect.DeepEqual(first, again) {
					t.Errorf("first:\n%sthen:\n%s", text(first), text(again))
				}
			}
		})
	}
}

// FuzzLoad: no bytes, in the stack's file or in one that it includes or extends,
// make Load panic, hang, answer in two ways, or report something without a place.
func FuzzLoad(f *testing.F) {
	f.Add([]byte(full().files["compose.yaml"]), []byte(full().files[".env"]), []byte{})
	f.Add([]byte(web+"    image: ${A:-${B}}\n"), []byte("A=${B:-c}\n"), []byte{})
	f.Add([]byte("a: &a [*a]\nservices: {a: {<<: *a}}\n"), []byte("A='"), []byte{})
	f.Add([]byte("&a [*a ]\n"), []byte{}, []byte{})
	f.Add([]byte("services: &a [*a , {source: *a , path: [*a ]}]\n"), []byte{}, []byte{})
	f.Add([]byte("services: !reset {}\n---\n- x\n"), []byte("export A\n"), []byte{})
	f.Add([]byte("include: [o.yaml]\nservices: {web: {extends: {file: o.yaml, service: db}}, db: {ports: [80]}}\n"), []byte("TAG=1"), []byte("services: {db: {image: \"x:$$TAG\", command: |-\n    a\n     b}}\n"))
	f.Add([]byte("include: &i [{path: [o.yaml, o.yaml], env_file: .env}, *i ]\n<<: {include: [o.yaml]}\n"), []byte{}, []byte("a: &a\n  <<: *a\nservices: {<<: [*a , *a ]}\n"))
	f.Add([]byte("services: {a: {extends: &e {file: o.yaml, service: b}}, b: {extends: *e }}\n"), []byte{}, []byte("include: [compose.yaml]\nservices: {b: {extends: {file: ./compose.yaml, service: a}}}\n"))
	f.Fuzz(func(t *testing.T, content, env, other []byte) {
		s := stack{files: map[string]string{"compose.yaml": string(content), ".env": string(env), "o.yaml": string(other)}, secrets: map[string]string{"KEY": "v1", "PASSWORD": "v1"}, env: map[string]string{"TAG": "1"}}
		loaded, findings := s.load(t)
		if (loaded == nil) != compose.HasErrors(findings) {
			t.Errorf("stack %v with findings\n%s", loaded, text(findings))
		}
		compiled := true // a model error is a sample of several
		for _, finding := range findings {
			if !strings.HasPrefix(finding.File, "stacks/s/") || finding.Message == "" || finding.Code == "" {
				t.Errorf("finding without place, message or code: %+v", finding)
			}
			if strings.Contains(finding.Message+finding.Fix, "pistack-inlined") || strings.Contains(finding.Message, "⟦") {
				t.Errorf("finding shows what is inside: %q", finding.Message)
			}
			compiled = compiled && finding.Code != compose.CodeModel && finding.Code != compose.CodeSyntax
		}
		if compiled {
			again, findingsAgain := s.load(t)
			if result(t, loaded, findings) != result(t, again, findingsAgain) || !reflect.DeepEqual(inputsOr(loaded), inputsOr(again)) {
				t.Errorf("two answers:\n%+v %s\n%+v %s", loaded, text(findings), again, text(findingsAgain))
			}
		}
	})
}

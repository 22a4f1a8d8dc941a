package compose_test

import (
	"maps"
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
	files := map[string]string{"compose.yaml": "services:\n  web:\n    image: x${TAG}\n", ".env": "TAG=dotenv\n"}
	for _, c := range []struct {
		name  string
		stack stack
		want  string
	}{
		{".env", stack{files: files}, "xdotenv"},
		{"host over .env", stack{files: files, env: map[string]string{"TAG": "host"}}, "xhost"},
		{"empty value of the host", stack{files: files, env: map[string]string{"TAG": ""}}, "x"},
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

// TestPlaces: where the author's files say what the model has, through include,
// extends and override.
func TestPlaces(t *testing.T) {
	s := stack{files: map[string]string{
		"compose.yaml":        "include: [../common/db.yaml]\nservices:\n  web:\n    extends: {file: base.yaml, service: base}\n    command: x\n  more:\n    extends: web\n",
		"compose.pi.yaml":     "services:\n  web:\n    hostname: pi\n",
		"base.yaml":           "services:\n  base:\n    extends: first\n    image: web\n    command: y\n  first:\n    ports:\n      - 80:80\n",
		"../common/db.yaml":   "services:\n  db:\n    image: db\n    volumes:\n      - rows:/rows\nvolumes:\n  rows:\n",
		"../common/unused":    "",
		"../other/unused.yml": "",
	}}
	loaded := s.mustLoad(t)
	for _, c := range []struct {
		path string
		want compose.Position
	}{
		{"services.web.command", compose.Position{File: "stacks/s/compose.yaml", Line: 5, Column: 5}},
		{"services.web.hostname", compose.Position{File: "stacks/s/compose.pi.yaml", Line: 3, Column: 5}},
		{"services.web.image", compose.Position{File: "stacks/s/base.yaml", Line: 4, Column: 5}},
		{"services.web.ports.0", compose.Position{File: "stacks/s/base.yaml", Line: 8, Column: 9}},
		{"services.more.image", compose.Position{File: "stacks/s/base.yaml", Line: 4, Column: 5}},
		{"services.more.command", compose.Position{File: "stacks/s/compose.yaml", Line: 5, Column: 5}},
		{"services.db.image", compose.Position{File: "stacks/common/db.yaml", Line: 3, Column: 5}},
		{"volumes.rows", compose.Position{File: "stacks/common/db.yaml", Line: 7, Column: 3}},
		{"services.web.restart", compose.Position{File: "stacks/s/compose.pi.yaml", Line: 2, Column: 3}},
		{"networks.nope", compose.Position{File: "stacks/s/compose.yaml", Line: 1, Column: 1}},
	} {
		if got := loaded.Place(strings.Split(c.path, ".")...); got != c.want {
			t.Errorf("%s is at %v, want %v", c.path, got, c.want)
		}
	}
	if got, want := loaded.PlaceOfItem(3, "rows", "services", "db", "volumes"), (compose.Position{File: "stacks/common/db.yaml", Line: 5, Column: 9}); got != want {
		t.Errorf("the volume is at %v, want %v", got, want)
	}
}

package compose_test

import (
	"maps"
	"path"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/compose"
	"pistack/internal/git"
)

// stack is a fixture: the files of stacks/s, and what the host brings along.
type stack struct {
	files     map[string]string // by their path from stacks/s; tracked unless listed below
	untracked []string          // files that Git neither tracks nor ignores
	ignored   []string          // files that Git ignores
	env       map[string]string
	secrets   map[string]string
}

func (s stack) source() compose.Source {
	repository := fstest.MapFS{}
	var tracked []string
	for name, content := range s.files {
		repository[path.Join("stacks/s", name)] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
		if !slices.Contains(s.untracked, name) && !slices.Contains(s.ignored, name) {
			tracked = append(tracked, path.Join("stacks/s", name))
		}
	}
	ignored := func(asked string) (bool, error) {
		return slices.ContainsFunc(s.ignored, func(name string) bool {
			file := path.Join("stacks/s", name)
			return asked == file || strings.HasPrefix(file, asked+"/")
		}), nil
	}
	return compose.Source{
		Repository: repository, Stack: "s", Host: "pi",
		Env: s.env, Secrets: s.secrets, Tracked: git.FilesOf(tracked), Ignored: ignored,
	}
}

// TestNoHost: a hint for a stack that no host runs names no host.
func TestNoHost(t *testing.T) {
	for file, want := range map[string][2]string{
		"services:\n  web:\n    image: x:${TAG}\n": {
			"variable TAG is not defined",
			`set it in stacks/s/.env; if it is a secret, or differs by host: no host runs the stack; write stacks = ["s"] into the host.toml of one`,
		},
		web + "    secrets: [KEY]\nsecrets:\n  KEY:\n    environment: KEY\n": {
			"secret KEY of service web was not added for any host", `no host runs the stack; write stacks = ["s"] into the host.toml of one`,
		},
	} {
		src := stack{files: one(file)}.source()
		src.Host = ""
		_, findings := compose.Load(t.Context(), src)
		if len(findings) != 1 || findings[0].Message != want[0] || findings[0].Fix != want[1] {
			t.Errorf("findings %+v, want %q", findings, want)
		}
	}
}

func (s stack) load(t *testing.T) (*compose.Stack, []compose.Finding) {
	t.Helper()
	return compose.Load(t.Context(), s.source())
}

// mustLoad loads a stack that has no error.
func (s stack) mustLoad(t *testing.T) *compose.Stack {
	t.Helper()
	loaded, findings := s.load(t)
	if loaded == nil {
		t.Fatalf("Load found errors:\n%s", text(findings))
	}
	return loaded
}

func (s stack) with(name, content string) stack {
	s.files = maps.Clone(s.files)
	s.files[name] = content
	return s
}

func one(content string) map[string]string { return map[string]string{"compose.yaml": content} }

// text is the findings as lines, without the stack's folder.
func text(findings []compose.Finding) string {
	var out strings.Builder
	for _, f := range findings {
		out.WriteString(strings.TrimPrefix(f.String(), "stacks/s/") + "\n")
	}
	return out.String()
}

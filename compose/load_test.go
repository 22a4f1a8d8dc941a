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

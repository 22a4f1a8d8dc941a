package changes_test

import (
	"fmt"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/compose"
	"pistack/compose/changes"
	"pistack/internal/git"
)

// side is a version of a stack: compose.yaml, and what else it is made of.
type side struct {
	yaml    string
	files   map[string]string // more files of stacks/s, all tracked
	env     map[string]string
	secrets map[string]string
}

// load gives nil for a side without YAML, and findings for one with errors.
func (s side) load(t testing.TB) (*compose.Stack, []compose.Finding) {
	t.Helper()
	if s.yaml == "" {
		return nil, nil
	}
	repository := fstest.MapFS{"stacks/s/compose.yaml": &fstest.MapFile{Data: []byte(s.yaml), Mode: 0o644}}
	tracked := []string{"stacks/s/compose.yaml"}
	for name, content := range s.files {
		repository["stacks/s/"+name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
		tracked = append(tracked, "stacks/s/"+name)
	}
	return compose.Load(t.Context(), compose.Source{
		Repository: repository, Stack: "s", Host: "pi", Env: s.env, Secrets: s.secrets, Tracked: git.FilesOf(tracked),
		Ignored: func(string) (bool, error) { return true, nil },
	})
}

func (s side) mustLoad(t testing.TB) *compose.Stack {
	t.Helper()
	stack, findings := s.load(t)
	if stack == nil && s.yaml != "" {
		t.Fatalf("%v\n%s", findings, s.yaml)
	}
	return stack
}

func between(before, after *compose.Stack) changes.Changes {
	return changes.Between(changes.Version{Stack: before}, changes.Version{Stack: after})
}

// lines is a golden form of changes, without details.
func lines(c changes.Changes) []string {
	var out []string
	for _, d := range c.Dangers {
		out = append(out, fmt.Sprintf("! %s %s: %s", d.Code, d.Service, d.Message))
	}
	for _, s := range c.Services {
		out = append(out, fmt.Sprintf("%s: %s: %s", s.Name, s.Effect, strings.Join(s.Causes, "; ")))
	}
	return out
}

func details(c changes.Changes) []string {
	var out []string
	text := func(s *string) string {
		if s == nil {
			return "-"
		}
		return *s
	}
	for _, d := range c.Details {
		out = append(out, fmt.Sprintf("%s: %s -> %s", d.Path, text(d.Old), text(d.New)))
	}
	return out
}

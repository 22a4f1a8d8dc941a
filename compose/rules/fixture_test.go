package rules_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/compose"
	"pistack/compose/rules"
	"pistack/internal/git"
)

// fixture is a host "pi" with stacks. It opens "any", unless target says
// otherwise: most cases are not about that.
type fixture struct {
	files   map[string]string // below stacks/, tracked: "a/compose.yaml"
	ignored []string          // below stacks/
	secrets map[string]string // the host's: name to version
	target  rules.Target
}

// stacks is a fixture with a compose.yaml for each stack a, b, c…
func stacks(contents ...string) fixture {
	f := fixture{files: map[string]string{}}
	for i, c := range contents {
		f.files[string(rune('a'+i))+"/compose.yaml"] = c
	}
	return f
}

// one is a stack a of one service web, which is as it should be but for what
// the lines say; they start on line 5.
func one(lines ...string) fixture {
	return stacks("services:\n  web:\n    image: x\n    restart: unless-stopped\n" + strings.Join(lines, ""))
}

func (f fixture) with(change func(t *rules.Target)) fixture {
	f.target.Open = []string{"any"}
	change(&f.target)
	return f
}

func (f fixture) file(name, content string) fixture {
	f.files[name] = content
	return f
}

func (f fixture) names() []string {
	var names []string
	for file := range f.files {
		name, _, _ := strings.Cut(file, "/")
		names = append(names, name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// findings loads the stacks as package compose does and checks them.
func (f fixture) findings(t testing.TB) []compose.Finding {
	t.Helper()
	repository, tracked := fstest.MapFS{}, []string(nil)
	for name, content := range f.files {
		repository["stacks/"+name] = &fstest.MapFile{Data: []byte(content), Mode: 0o644}
		tracked = append(tracked, "stacks/"+name)
	}
	target := f.target
	target.Name, target.File, target.Whole = "pi", "hosts/pi/host.toml", true
	target.Repository, target.Tracked = repository, git.FilesOf(tracked)
	if target.Open == nil {
		target.Open = []string{"any"}
	}
	var loaded []*compose.Stack
	var findings []compose.Finding
	for _, name := range f.names() {
		s, found := compose.Load(t.Context(), compose.Source{
			Repository: repository, Stack: name, Host: "pi", Secrets: f.secrets, Tracked: git.FilesOf(tracked),
			Ignored: func(path string) (bool, error) {
				return slices.Contains(f.ignored, strings.TrimPrefix(path, "stacks/")), nil
			},
		})
		findings = append(findings, found...)
		if s == nil {
			target.Whole = false
			continue
		}
		loaded = append(loaded, s)
	}
	return rules.Check(target, loaded, findings)
}

// text is the findings as lines, without the folder of all stacks.
func text(findings []compose.Finding) string {
	var lines []string
	for _, f := range findings {
		line := strings.TrimPrefix(f.String(), "stacks/")
		if f.Accepted {
			line += " accepted: " + f.Reason
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

// lines joins what a case wants.
func lines(all ...string) string { return strings.Join(all, "\n") }

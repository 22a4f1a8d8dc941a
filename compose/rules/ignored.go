package rules

import (
	"fmt"
	"path"
	"slices"
	"strings"

	"pistack/compose"
)

func ignoredFile() Rule {
	return Rule{
		Code: "ignored-file", Severity: compose.Warning, check: ignoredFiles, local: true,
		Summary: "a Compose file in the stack's folder is not read for hosts",
		Why: `docker compose on a laptop merges compose.override.yaml into compose.yaml by itself, and takes docker-compose.yml where there is
no compose.yaml. A host runs compose.yaml and compose.HOST.yaml, and no other: what such a file says would be missing there.`,
		Fix: `Move what hosts need into compose.yaml, or into compose.HOST.yaml, with the name of a host of the fleet. A file that is for laptops only
is accepted at the top of compose.yaml.`,
		Example: "x-pistack:\n  accept: {ignored-file: the override is for laptops}",
	}
}

func ignoredFiles(h host) []problem {
	var problems []problem
	for _, s := range h.stacks {
		dir := "stacks/" + s.Name
		for _, file := range h.Tracked.Under(dir) {
			if path.Dir(file) != dir || slices.Contains(s.ComposeFiles, path.Base(file)) || slices.Contains(s.Files, path.Base(file)) {
				continue
			}
			if why := h.whyIgnored(path.Base(file)); why != "" {
				problems = append(problems, problem{
					at: compose.Position{File: file}, stack: s.Name, message: why,
					fix: "move what hosts need into compose.yaml or compose.HOST.yaml, or accept it at the top of compose.yaml",
				})
			}
		}
	}
	return problems
}

// whyIgnored tells of a file's name that Docker Compose, or a host of another
// name, would go by it.
func (h host) whyIgnored(name string) string {
	stem, isYAML := strings.CutSuffix(strings.TrimSuffix(name, ".yml"), ".yaml")
	if !isYAML && !strings.HasSuffix(name, ".yml") {
		return ""
	}
	switch stem {
	case "compose.override", "docker-compose", "docker-compose.override", "compose":
		return "docker compose reads this on a laptop, and no host does"
	}
	other, isOverride := strings.CutPrefix(stem, "compose.")
	if !isOverride || strings.HasSuffix(name, ".yml") || h.Tracked.Has("hosts/"+other+"/host.toml") {
		return ""
	}
	return fmt.Sprintf("no host is called %q, so nobody reads this", other)
}

package rules

import (
	"fmt"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

func missingExternal() Rule {
	return Rule{
		Code: "missing-external", Severity: compose.Error, check: missingExternals, whole: true,
		Summary: "an external network or volume is created by no stack of the host",
		Why: `Compose creates what a file defines, and only looks for what it calls external. When nothing has created it, up fails with
"declared as external, but could not be found", on a fresh host for certain. On a workstation it may be there from an
earlier day.`,
		Fix: `Define it in one stack of the same host with that very name: and without external. If the host's NixOS configuration creates
it, accept this with a reason. The units of stacks start together: where the stack that creates it comes second, the first
deploy fails once and its repetition succeeds.`,
		Example: `# in the stack that creates it
networks:
  proxy:
    name: proxy`,
	}
}

func missingExternals(h host) []problem {
	var problems []problem
	withNetwork := append([]string{"bridge", "host", "none"}, namesOf(h.networkNames())...)
	withVolume := namesOf(h.volumeNames())
	for _, s := range h.stacks {
		for _, key := range networks(s) {
			n := s.Project.Networks[key]
			problems = append(problems, h.external(s, n.External, n.Name, withNetwork, "network", key)...)
		}
		for _, key := range volumes(s) {
			v := s.Project.Volumes[key]
			problems = append(problems, h.external(s, v.External, v.Name, withVolume, "volume", key)...)
		}
	}
	return problems
}

// external reports one network or volume that is external and not among those
// that are created.
func (h host) external(s *compose.Stack, external types.External, name string, created []string, kind, key string) []problem {
	if !bool(external) || slices.Contains(created, name) {
		return nil
	}
	return []problem{{
		at: s.Place(kind+"s", key, "external"), stack: s.Name,
		message: compose.Redact(fmt.Sprintf("%s %s is external, and no stack of %s creates it", kind, name, h.Name)),
		fix:     fmt.Sprintf("define it with name: %s and without external in one stack of the host", compose.Redact(name)),
	}}
}

func namesOf(all []named) []string {
	var names []string
	for _, n := range all {
		names = append(names, n.name)
	}
	return names
}

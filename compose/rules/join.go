package rules

import (
	"slices"

	"pistack/compose"
)

// HostFindings is what Check found for one host.
type HostFindings struct {
	Stacks   []string // that the host runs
	Findings []compose.Finding
}

// Join puts the findings of several hosts together, each once. An acceptance is
// stale only where no host that runs the stack has the finding: the override of
// one host can add what it accepts.
func Join(hosts []HostFindings) []compose.Finding {
	var all []compose.Finding
	for _, h := range hosts {
		for _, f := range h.Findings {
			if f.Code != staleAccept().Code || f.Stack == "" || staleEverywhere(f, hosts) {
				all = append(all, f)
			}
		}
	}
	return compose.SortFindings(all)
}

func staleEverywhere(f compose.Finding, hosts []HostFindings) bool {
	for _, h := range hosts {
		if slices.Contains(h.Stacks, f.Stack) && !slices.Contains(h.Findings, f) {
			return false
		}
	}
	return true
}

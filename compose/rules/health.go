package rules

import (
	"fmt"
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

func missingHealthcheck() Rule {
	return Rule{
		Code: "missing-healthcheck", Severity: compose.Warning, check: missingHealthchecks, local: true,
		Summary: "a service waits for another one's health, which has no health check",
		Why: `depends_on with service_healthy needs a health check, from the Compose file or from the image. Without either, up fails with
"has no healthcheck configured" and the waiting service never starts. Images are not looked into here: an image may define
one.`,
		Fix:     `Write a healthcheck for the service. If its image defines one, accept this with that reason.`,
		Example: "services:\n  db:\n    healthcheck:\n      test: [\"CMD\", \"pg_isready\", \"-U\", \"postgres\"]\n      interval: 10s\n      start_period: 30s\n      start_interval: 1s",
	}
}

func missingHealthchecks(h host) []problem {
	var problems []problem
	for _, s := range h.services() {
		for _, name := range slices.Sorted(maps.Keys(s.DependsOn)) {
			needed, known := s.stack.Project.Services[name]
			if s.DependsOn[name].Condition != types.ServiceConditionHealthy || !known {
				continue
			}
			if text := unhealthy(needed); text != "" {
				problems = append(problems, s.problem(s.place("depends_on", name),
					fmt.Sprintf("service %s waits until %s is healthy, which %s", s.Name, name, text),
					fmt.Sprintf("write a healthcheck for %s; accept this if its image has one", name)))
			}
		}
	}
	return problems
}

// unhealthy says why a service can never be healthy, as far as its file tells.
func unhealthy(s types.ServiceConfig) string {
	switch check := s.HealthCheck; {
	case check == nil:
		return "has no healthcheck in its file"
	case check.Disable, len(check.Test) > 0 && check.Test[0] == "NONE":
		return "turns its healthcheck off"
	}
	return ""
}

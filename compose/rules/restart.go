package rules

import (
	"fmt"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

func restart() Rule {
	return Rule{
		Code: "restart", Severity: compose.Warning, check: restarts, local: true,
		Summary: "a service has no restart policy",
		Why: `Without one, a container that crashes stays down until the next deploy or boot, and nobody is told. Docker's default is not
to restart.`,
		Fix: `Write restart: unless-stopped. A service that does its work and ends says restart: "no" and is waited for by another one
(see one-shot).`,
		Example: `services:
  web:
    restart: unless-stopped`,
	}
}

func restarts(h host) []problem {
	var problems []problem
	for _, s := range h.services() {
		if policy(s) == "" && s.Provider == nil && s.containers() > 0 && !awaited(s) {
			problems = append(problems, s.problem(s.place(), fmt.Sprintf("service %s has no restart policy: once it crashes it stays down", s.Name),
				`restart: unless-stopped; or restart: "no" if it does its work and ends`))
		}
	}
	return problems
}

func oneShot() Rule {
	return Rule{
		Code: "one-shot", Severity: compose.Warning, check: oneShots, local: true,
		Summary: "a service that ends is not waited for, or one that is waited for never ends",
		Why: `The device runs docker compose up --wait, which succeeds when every service runs or is healthy. A service that ends by itself
makes it fail, with exit status 0 too, unless another service waits for it with service_completed_successfully: the stack's
unit fails on every switch although all is well. The reverse is a service that is waited for and has a restart policy that
starts it again each time it ends: what waits for it never starts.`,
		Fix: `Give the one-shot restart: "no" and let a service that needs its work wait for it. A job without such a service belongs into
a systemd timer of the host, or into a container that stays and sleeps between runs.`,
		Example: `services:
  migrate:
    restart: "no"
  web:
    depends_on:
      migrate:
        condition: service_completed_successfully`,
	}
}

func oneShots(h host) []problem {
	var problems []problem
	for _, s := range h.services() {
		if s.containers() == 0 || s.Provider != nil {
			continue
		}
		switch p := policy(s); {
		case p == "no" && !awaited(s):
			problems = append(problems, s.problem(s.place("restart"),
				fmt.Sprintf("service %s ends and nothing waits for it: up --wait fails on the device, even if it ends well", s.Name),
				"let another service wait for it with service_completed_successfully; or restart: unless-stopped if it stays"))
		case (p == "always" || p == "unless-stopped") && awaited(s):
			problems = append(problems, s.problem(s.place("restart"),
				fmt.Sprintf("service %s is waited for until it ends, and restart: %s starts it again each time", s.Name, p),
				`restart: "no"`))
		}
	}
	return problems
}

// policy is a service's restart policy as Compose takes it: "" where nothing is
// said, otherwise no, always, on-failure or unless-stopped.
func policy(s service) string {
	if s.Restart != "" {
		name, _, _ := strings.Cut(s.Restart, ":") // on-failure:3
		return name
	}
	if s.Deploy == nil || s.Deploy.RestartPolicy == nil {
		return ""
	}
	switch s.Deploy.RestartPolicy.Condition {
	case "none":
		return "no"
	case "on-failure":
		return "on-failure"
	}
	return "always"
}

// awaited tells whether another service waits for this one's end.
func awaited(s service) bool {
	for _, other := range s.stack.Project.Services {
		if d, ok := other.DependsOn[s.Name]; ok && d.Condition == types.ServiceConditionCompletedSuccessfully {
			return true
		}
	}
	return false
}

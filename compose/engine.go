package compose

import (
	"context"
	_ "crypto/sha256" // of digests that images are named by
	_ "crypto/sha512" // likewise
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"github.com/distribution/reference"
)

// engineTakes reports values that Compose passes on as they are, and that Docker
// refuses only when it makes the container.
func (l *loading) engineTakes(context.Context) {
	for _, name := range slices.Sorted(maps.Keys(l.project.Services)) {
		config := l.project.Services[name]
		place := func(path ...string) Position { return l.docs.find(append([]string{"services", name}, path...)...) }
		if config.Image != "" && config.Build == nil && !validImage(config.Image) { // what is built gets another name
			l.report(place("image"), CodeModel, Error, fmt.Sprintf("image %q of service %s is not the name of an image", config.Image, name),
				"write it as [registry/]name[:tag][@sha256:64 hex digits], in lower case")
		}
		if path, problem := restartProblem(config); problem != "" {
			l.report(place(path...), CodeModel, Error, fmt.Sprintf("%s of service %s %s", strings.Join(path, "."), name, problem),
				"write one of: "+strings.Join(restartPolicies(), ", "))
		}
	}
}

// validImage tells whether Docker takes a text for an image: its name, or its id.
func validImage(text string) bool {
	_, err := reference.ParseAnyReference(text)
	return err == nil
}

func restartPolicies() []string {
	return []string{"no", "always", "on-failure", "on-failure:3", "unless-stopped"}
}

// restartProblem tells what Docker holds against a service's restart policy, and
// where that is. What deploy says counts more for Compose.
func restartProblem(s types.ServiceConfig) (path []string, problem string) {
	if s.Deploy != nil && s.Deploy.RestartPolicy != nil {
		policy := s.Deploy.RestartPolicy
		limited := policy.MaxAttempts != nil && *policy.MaxAttempts > 0
		return []string{"deploy", "restart_policy", "condition"}, policyProblem(policy.Condition, limited)
	}
	name, attempts, _ := strings.Cut(s.Restart, ":")
	n, _ := strconv.Atoi(attempts) // Compose takes what is no number for 0
	if n < 0 {
		return []string{"restart"}, fmt.Sprintf("is %q, and a container cannot be restarted %d times", s.Restart, n)
	}
	return []string{"restart"}, policyProblem(name, n > 0)
}

// policyProblem judges the name of a policy as Docker does, with the names that
// Compose has for some.
func policyProblem(name string, limited bool) string {
	switch {
	case name == "" || name == "on-failure":
		return ""
	case !slices.Contains([]string{"no", "none", "any", "always", "unless-stopped"}, name):
		return fmt.Sprintf("is %q, which is no restart policy%s", name, nearest(name, restartPolicies()))
	case limited:
		return fmt.Sprintf("is %q, and only on-failure takes a number", name)
	}
	return ""
}

package fleet

import (
	"maps"
	"slices"
)

// validateRegistries checks the names of [registries]. Whether the host has the
// secrets is for "pistack check": they can be added later, by a command that reads
// this file.
func (h Host) validateRegistries(doc document) []error {
	var problems []error
	for _, registry := range slices.Sorted(maps.Keys(h.Registries)) {
		wrong := func(format string, args ...any) *Problem {
			p := doc.problemWithin([]string{"registries", registry}, format, args...)
			problems = append(problems, p)
			return p
		}
		switch {
		case isHubAlias(registry):
			wrong(`registries: write "docker.io" for %q`, registry)
		case !registryName.MatchString(registry):
			wrong(`registries: %q is not a registry; write its host, or host:port, like "ghcr.io"`, registry)
		}
		if secret := h.Registries[registry]; !variableName.MatchString(secret) {
			// Not quoted: it may be the credentials themselves.
			wrong("registries: what stands there for %q is not the name of a secret", registry).Fix =
				"pisec add " + h.Name + " REGISTRY_LOGIN, with user:token as its value, and write that name here"
		}
	}
	return problems
}

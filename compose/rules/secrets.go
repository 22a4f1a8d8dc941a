package rules

import (
	"fmt"
	"slices"

	"pistack/compose"
)

func secretInEnvironment() Rule {
	return Rule{
		Code: compose.CodeInEnv, Severity: compose.Warning,
		Summary: "a secret is delivered in a container's environment",
		Why: `The environment of a container is in docker inspect, in /proc of every process of the container, and in Docker's own files on
the device's disk: whoever finds the SD card finds it. A secret that arrives as a file is in memory only.`,
		Fix: `Many images read a file instead: POSTGRES_PASSWORD_FILE, GF_SECURITY_ADMIN_PASSWORD__FILE. Where the image is known the
finding names the variable. If the image has none, accept it with that reason.`,
		Example: `services:
  db:
    image: postgres:18
    environment:
      POSTGRES_PASSWORD_FILE: /run/secrets/DB_PASSWORD
    secrets: [DB_PASSWORD]
secrets:
  DB_PASSWORD:
    environment: DB_PASSWORD`,
	}
}

func unusedSecret() Rule {
	return Rule{
		Code: "unused-secret", Severity: compose.Warning, check: unusedSecrets, whole: true,
		Summary: "a secret of the host is used by no stack, no registry and no NixOS file",
		Why: `It is decrypted on the device for nobody, and has to be rotated and rekeyed with the others. Often it is the rest of a stack
that left, or its name is spelt otherwise in the Compose file.`,
		Fix:     `Remove it, or use it: in a stack, or under [registries] of host.toml. A NixOS file uses a secret when the name stands in it.`,
		Example: `pisec rm rpi-box-01 OLD_KEY`,
	}
}

func unusedSecrets(h host) []problem {
	var problems []problem
	for _, s := range h.Secrets {
		if !s.Used {
			problems = append(problems, problem{
				at:      compose.Position{File: s.File},
				message: fmt.Sprintf("no stack and no NixOS file of %s uses the secret %s", h.Name, s.Name),
				fix:     fmt.Sprintf("pisec rm %s %s", h.Name, s.Name),
			})
		}
	}
	return problems
}

func missingLogin() Rule {
	return Rule{
		Code: "missing-login", Severity: compose.Error, check: missingLogins, Fixed: true,
		Summary: "host.toml gives a registry a secret that the host does not have",
		Why: `The host's Docker logs in to a private registry with a secret, user:token. Without it the system is not built: its images could
not be pulled.`,
		Fix: `Add the secret, or correct its name. The user may be any where the registry looks at the token alone.`,
		Example: `[registries]                   # of host.toml
"ghcr.io" = "GHCR_LOGIN"       # the name of a secret of the host
"docker.io" = "HUB_LOGIN"      # Docker Hub`,
	}
}

func missingLogins(h host) []problem {
	var problems []problem
	for _, l := range h.Logins {
		if !slices.ContainsFunc(h.Secrets, func(s Secret) bool { return s.Name == l.Secret }) {
			problems = append(problems, problem{
				at:      l.At,
				message: fmt.Sprintf("%s has no secret %s, with which it is to log in to %s", h.Name, l.Secret, l.Registry),
				fix:     fmt.Sprintf("pisec add %s %s, with user:token as its value", h.Name, l.Secret),
			})
		}
	}
	return problems
}

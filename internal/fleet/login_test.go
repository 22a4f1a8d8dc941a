package fleet_test

import (
	"errors"
	"maps"
	"strings"
	"testing"

	"pistack/internal/fleet"
)

func TestRegistries(t *testing.T) {
	f, err := load(t, map[string]string{"hosts/pi/host.toml": base + `
[registries]
"ghcr.io" = "GHCR_LOGIN"
"registry.example.org:5000" = "OWN"
"docker.io" = "OWN"
`})
	if err != nil {
		t.Fatal(err)
	}
	want := map[string]string{"ghcr.io": "GHCR_LOGIN", "registry.example.org:5000": "OWN", "docker.io": "OWN"}
	if got := f.Hosts[0].Registries; !maps.Equal(got, want) {
		t.Errorf("%v", got)
	}
	if line, column := f.Hosts[0].Position("registries", "ghcr.io"); line != 5 || column != 1 {
		t.Errorf("ghcr.io is at %d:%d", line, column)
	}
}

func TestRegistryProblems(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"a URL", "[registries]\n\"https://ghcr.io\" = \"A\"\n", `hosts/pi/host.toml:4:1: registries: "https://ghcr.io" is not a registry; write its host, or host:port, like "ghcr.io"`},
		{"a path", "[registries]\n\"ghcr.io/me\" = \"A\"\n", `hosts/pi/host.toml:4:1: registries: "ghcr.io/me" is not a registry; write its host, or host:port, like "ghcr.io"`},
		{"nothing", "[registries]\n\"\" = \"A\"\n", `hosts/pi/host.toml:4:1: registries: "" is not a registry; write its host, or host:port, like "ghcr.io"`},
		{"another name of the Hub", "[registries]\n\"index.docker.io\" = \"A\"\n", `hosts/pi/host.toml:4:1: registries: write "docker.io" for "index.docker.io"`},
		{"no secret", "[registries]\n\"ghcr.io\" = \"\"\n", `hosts/pi/host.toml:4:1: registries: what stands there for "ghcr.io" is not the name of a secret`},
		{"the credentials", "[registries]\n\"ghcr.io\" = \"me:canary\"\n", `hosts/pi/host.toml:4:1: registries: what stands there for "ghcr.io" is not the name of a secret`},
		{"on one line", "registries = { \"ghcr.io\" = \"a b\" }\n", `hosts/pi/host.toml:3:1: registries: what stands there for "ghcr.io" is not the name of a secret`},
		{"a list", "registries = [\"ghcr.io\"]\n", `hosts/pi/host.toml:3:1: registries is no table: write [registries], and a line for each below it`},
		{"no text", "[registries]\n\"ghcr.io\" = 1\n", `hosts/pi/host.toml:4: registries.\"ghcr.io\": incompatible types: TOML value has type int64; destination has type string`},
		{"nearest key", "[registrys]\n", `hosts/pi/host.toml:3:1: unknown key "registrys" (did you mean "registries"?)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, map[string]string{"hosts/pi/host.toml": base + c.content})
			if err == nil || err.Error() != c.want {
				t.Errorf("error:\n%v\nwant:\n%s", err, c.want)
			}
			var p *fleet.Problem
			if errors.As(err, &p) && strings.Contains(p.Hint(), "canary") {
				t.Errorf("the hint quotes it: %s", p.Hint())
			}
		})
	}
}

package rules_test

import (
	"slices"
	"testing"

	"pistack/compose"
	"pistack/compose/rules"
)

const isPrivileged = "warning: service web is privileged: it is root on the device [privileged]"

func TestAccept(t *testing.T) {
	accept := func(value string) string { return "    x-pistack: " + value + "\n" }
	for _, c := range []struct {
		name    string
		fixture fixture
		want    string
	}{
		{"mapping", one("    privileged: true\n", accept("{accept: {privileged: needs the GPU}}")),
			"a/compose.yaml:5:5: " + isPrivileged + " accepted: needs the GPU"},
		{"list", one("    privileged: true\n", accept("{accept: [{code: privileged, reason: needs the GPU}]}")),
			"a/compose.yaml:5:5: " + isPrivileged + " accepted: needs the GPU"},
		{"top level", stacks("x-pistack: {accept: {privileged: both}}\n" + plain + "    privileged: true\n  db: {image: x, restart: always, privileged: true}\n"), lines(
			"a/compose.yaml:6:5: "+isPrivileged+" accepted: both",
			"a/compose.yaml:7:35: warning: service db is privileged: it is root on the device [privileged] accepted: both")},
		{"other service", one("    privileged: true\n  db:\n    image: x\n    restart: always\n", accept("{accept: {privileged: no}}")), lines(
			"a/compose.yaml:5:5: "+isPrivileged,
			"a/compose.yaml:9:26: warning: privileged is accepted here, and there is no such finding [stale-accept]")},
		{"other stack", stacks("x-pistack: {accept: {privileged: here}}\n"+plain, plain+"    privileged: true\n"), lines(
			"a/compose.yaml:1:22: warning: privileged is accepted here, and there is no such finding [stale-accept]",
			"b/compose.yaml:5:5: "+isPrivileged)},
		{"service and top level", stacks("x-pistack: {accept: {privileged: all}}\n" + plain + "    privileged: true\n" + accept("{accept: {privileged: this}}")),
			"a/compose.yaml:6:5: " + isPrivileged + " accepted: this"},
		{"shared by an anchor", stacks("x-ours: &ours {accept: {privileged: GPU}}\n" + plain + "    privileged: true\n    x-pistack: *ours\n  db: {image: x, restart: always, x-pistack: *ours}\n"),
			"a/compose.yaml:6:5: " + isPrivileged + " accepted: GPU"},
		{"in an override", one("    privileged: true\n").file("a/compose.pi.yaml", "services:\n  web:\n    x-pistack: {accept: {privileged: GPU}}\n"),
			"a/compose.yaml:5:5: " + isPrivileged + " accepted: GPU"},
		{"an error", stacks("x-pistack: {accept: {missing-external: made by NixOS}}\n" + mounts + "volumes: {data: {external: true}}\n"),
			"a/compose.yaml:7:18: error: volume data is external, and no stack of pi creates it [missing-external] accepted: made by NixOS"},
		{"of loading", fixture{files: one("    environment: {A: $KEY}\n", accept("{accept: {secret-in-environment: no other way}}")).files, secrets: map[string]string{"KEY": "v"}},
			"a/compose.yaml:5:19: warning: secret KEY is in the environment of service web as A: it shows in docker inspect and in Docker's files on the device's disk [secret-in-environment] accepted: no other way"},
		{"stale, but another host may have it", one(accept("{accept: {open-port: LAN only, secret-in-environment: no other way}}")), ""},

		{"no reason", one("    privileged: true\n", accept("{accept: {privileged: }}")), lines(
			"a/compose.yaml:5:5: "+isPrivileged,
			"a/compose.yaml:6:26: warning: privileged is accepted without a reason [bad-accept]")},
		{"no reason in a list", one("    privileged: true\n", accept("{accept: [privileged]}")), lines(
			"a/compose.yaml:5:5: "+isPrivileged,
			"a/compose.yaml:6:26: warning: privileged is accepted without a reason [bad-accept]")},
		{"unknown code", one(accept("{accept: {priviledged: GPU}}")),
			`a/compose.yaml:5:26: warning: no finding has the code "priviledged" (did you mean "privileged"?) [bad-accept]`},
		{"cannot be accepted", stacks(publish(`"80:80"`), "x-pistack: {accept: {port-clash: fine}}\n"+publish(`"80:80"`)), lines(
			"b/compose.yaml:1:22: warning: port-clash cannot be accepted [bad-accept]",
			"b/compose.yaml:6:13: error: service web publishes port 80/tcp, and so does service web of stack a [port-clash]")},
		{"the acceptance of a bad one", one(accept("{accept: {bad-accept: fine}}")),
			"a/compose.yaml:5:26: warning: bad-accept cannot be accepted [bad-accept]"},
		{"unknown key", one(accept("{acept: {privileged: GPU}}")),
			`a/compose.yaml:5:17: warning: unknown key "acept" in x-pistack (did you mean "accept"?) [bad-accept]`},
		{"unknown key in an item", one(accept("{accept: [{code: privileged, why: GPU}]}")),
			`a/compose.yaml:5:26: warning: unknown key "why" in an item of accept: it has code and reason [bad-accept]`},
		{"item of another kind", one(accept("{accept: [[privileged]]}")),
			"a/compose.yaml:5:26: warning: an item of accept is neither a code nor a mapping with code and reason [bad-accept]"},
		{"accept of another kind", one(accept("{accept: privileged}")),
			"a/compose.yaml:5:17: warning: accept is neither a mapping of codes to reasons nor a list [bad-accept]"},
		{"x-pistack of another kind", one(accept("[privileged]")), "a/compose.yaml:5:5: warning: x-pistack is no mapping [bad-accept]"},
		{"a reason that is a secret", fixture{files: one("    privileged: true\n", accept("{accept: {privileged: \"$KEY\"}}")).files, secrets: map[string]string{"KEY": "v"}},
			"a/compose.yaml:5:5: " + isPrivileged + " accepted: (secret KEY)"},

		{"host.toml", stacks(plain + "    mem_limit: 2g\n").with(func(t *rules.Target) {
			t.Memory = 1 << 30
			t.Accept = []rules.Acceptance{{"memory-sum", "never at once", compose.Position{File: "hosts/pi/host.toml", Line: 9, Column: 1}}}
		}), "hosts/pi/host.toml: warning: the memory limits of 1 services add up to 2 GiB, and pi has 1 GiB [memory-sum] accepted: never at once"},
		{"host.toml for a stack", stacks(plain + "    privileged: true\n").with(func(t *rules.Target) {
			t.Accept = []rules.Acceptance{{"privileged", "not here", compose.Position{File: "hosts/pi/host.toml", Line: 9, Column: 1}}}
		}), lines(
			"hosts/pi/host.toml:9:1: warning: privileged is accepted here, and there is no such finding [stale-accept]",
			"a/compose.yaml:5:5: "+isPrivileged)},
		{"host.toml, a stack does not load", stacks("x: 1\nservices: {}\n").with(func(t *rules.Target) {
			t.Accept = []rules.Acceptance{{"memory-sum", "never at once", compose.Position{File: "hosts/pi/host.toml", Line: 9, Column: 1}}}
		}), `a/compose.yaml:1:1: error: unknown key "x" in the file [invalid-compose]`},
	} {
		t.Run(c.name, func(t *testing.T) {
			found := c.fixture.findings(t)
			if got := text(found); got != c.want {
				t.Errorf("findings:\n%s\nwant:\n%s", got, c.want)
			}
			for _, f := range found {
				if f.Accepted && (f.Counts(compose.Note) || compose.HasErrors([]compose.Finding{f})) {
					t.Errorf("%s counts, although it was accepted", f)
				}
			}
		})
	}
}

// TestJoin: an acceptance is stale only where no host that runs the stack has
// the finding.
func TestJoin(t *testing.T) {
	with := one("    privileged: true\n", "    x-pistack: {accept: {privileged: GPU}}\n")
	without := one("    privileged: false\n", "    x-pistack: {accept: {privileged: GPU}}\n")
	host := func(f fixture, stacks ...string) rules.HostFindings {
		return rules.HostFindings{Stacks: stacks, Findings: f.findings(t)}
	}
	stale := "a/compose.yaml:6:26: warning: privileged is accepted here, and there is no such finding [stale-accept]"
	accepted := "a/compose.yaml:5:5: " + isPrivileged + " accepted: GPU"
	for _, c := range []struct {
		name  string
		hosts []rules.HostFindings
		want  string
	}{
		{"none", nil, ""},
		{"one", []rules.HostFindings{host(without, "a")}, stale},
		{"both", []rules.HostFindings{host(without, "a"), host(without, "a")}, stale},
		{"one of two", []rules.HostFindings{host(without, "a"), host(with, "a")}, accepted},
		{"the other runs something else", []rules.HostFindings{host(without, "a"), host(fixture{}, "b")}, stale},
		{"repeated", []rules.HostFindings{host(with, "a"), host(with, "a")}, accepted},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(rules.Join(c.hosts)); got != c.want {
				t.Errorf("got:\n%s\nwant:\n%s", got, c.want)
			}
			slices.Reverse(c.hosts)
			if got := text(rules.Join(c.hosts)); got != c.want {
				t.Errorf("in another order:\n%s\nwant:\n%s", got, c.want)
			}
		})
	}
}

package deploy

import (
	"context"
	"math/rand/v2"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"pistack/internal/fleet"
	"pistack/internal/target"
)

// closedMachine is a machine that cannot pull some images.
type closedMachine struct {
	*simMachine
	closed []string
}

func (m closedMachine) Missing(_ context.Context, images []string) ([]string, error) {
	return slices.DeleteFunc(slices.Clone(images), func(i string) bool { return !slices.Contains(m.closed, i) }), nil
}

func (m closedMachine) Pull(context.Context, []string, func(string)) error {
	return &Error{Message: "no basic auth credentials"}
}

// TestPullWithoutLogin: an image that cannot be pulled yet is no reason to
// refuse a deploy when its login comes with the new system, and else it is.
func TestPullWithoutLogin(t *testing.T) {
	const mine, other = "registry.example:5000/app:1@sha256:00", "example.org/web:2"
	changed := []UnitChange{{"pistack-chat.service", UnitReload}, {secretsUnit, UnitRestart}}
	for _, c := range []struct {
		name   string
		closed []string
		units  []UnitChange
		login  string
		want   Outcome
	}{
		{"the login is new", []string{mine}, changed, "registry.example:5000", Deployed},
		{"the secrets are the same", []string{mine}, changed[:1], "registry.example:5000", Refused},
		{"the host has no login there", []string{mine}, changed, "example.org", Refused},
		{"another image is missing, too", []string{mine, other}, changed, "registry.example:5000", Refused},
		{"only that other one", []string{other}, changed, "registry.example:5000", Refused},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newSimFleet([]string{"a"}, rand.New(rand.NewPCG(1, 1)), 0)
			run, hosts, _ := f.run("run1", Options{Action: Switch, Timing: DefaultTiming()})
			run.Machine = func(string) Machine { return closedMachine{f.machines["a"], c.closed} }
			plan := Plan{Hosts: []HostPlan{{
				Host: hosts[0], State: target.State{Running: oldSystem, Profile: oldSystem}, System: newSystem,
				Images: []Image{{Reference: mine}, {Reference: other}}, Units: c.units,
			}}}
			plan.Hosts[0].Host.Registries = map[string]string{c.login: "LOGIN"}
			results, err := run.Apply(t.Context(), plan)
			if err != nil || results[0].Outcome != c.want {
				t.Fatalf("%s: %+v, %v", c.name, results, err)
			}
			if said := strings.Contains(strings.Join(results[0].Warnings, "\n"), mine+" could not be pulled yet"); said != (c.want == Deployed) {
				t.Errorf("%s: warnings %q", c.name, results[0].Warnings)
			}
			if isOld := f.machines["a"].running == oldSystem; isOld != (c.want == Refused) {
				t.Errorf("%s: runs %s", c.name, f.machines["a"].running)
			}
		})
	}
}

func TestRegistryOf(t *testing.T) {
	for image, want := range map[string]string{
		"alpine": "docker.io", "alpine:3": "docker.io", "apache/tika:1": "docker.io", "docker.io/apache/tika": "docker.io",
		"ghcr.io/a/b:1@sha256:00": "ghcr.io", "localhost/a": "localhost", "10.0.0.1:5000/a:1": "10.0.0.1:5000", "host:5000/a": "host:5000",
	} {
		if got := registryOf(image); got != want {
			t.Errorf("%s: %q, want %q", image, got, want)
		}
	}
	if (HostPlan{Host: fleet.Host{}}).withoutLogin("alpine") != true {
		t.Error("a host without logins has one")
	}
}

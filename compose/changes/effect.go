package changes

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// service decides what happens to one service by itself.
func (c *comparison) service(name string) {
	before, had := c.before.services[name]
	after, has := c.after.services[name]
	switch {
	case !had:
		c.note(name, Create, c.whyCreated(name))
	case !has && c.disabled(name):
		c.note(name, None, "a profile disables it: its container runs on, and Compose leaves it alone")
	case !has:
		c.note(name, Remove, c.whyRemoved())
	default:
		c.own(name, before, after)
	}
}

// disabled tells whether the new version has the service behind a profile.
// Compose takes such containers for no orphans.
func (c *comparison) disabled(name string) bool {
	_, disabled := c.after.project.DisabledServices[name]
	return disabled
}

func (c *comparison) whyCreated(name string) string {
	if c.before.stack == nil {
		return "the stack is new on this host"
	}
	if _, disabled := c.before.project.DisabledServices[name]; disabled {
		return "a profile enables it"
	}
	return "the service is new"
}

func (c *comparison) whyRemoved() string {
	if c.after.stack == nil {
		return "the stack leaves this host; volumes are kept"
	}
	return "the service is gone; volumes are kept"
}

// own compares a service that both versions have.
func (c *comparison) own(name string, before, after service) {
	recreated := configuration(before.config) != configuration(after.config) || before.Inputs != after.Inputs
	if recreated {
		c.note(name, Recreate)
	}
	if before.Image != after.Image {
		c.note(name, Pull)
	}
	if text(before.config.Build) != text(after.config.Build) {
		c.note(name, Rebuild, "build changed")
	}
	if from, to := before.config.GetScale(), after.config.GetScale(); from != to {
		c.note(name, Scale, fmt.Sprintf("%d containers instead of %d", to, from))
	}
	causes := append(c.configCauses(name, before, after), inputCauses(c.after, before, after)...)
	if len(causes) > 0 {
		c.note(name, None, causes...)
	}
	if recreated && len(c.effects[name].Causes) == 0 {
		c.note(name, None, "its configuration has another order")
	}
}

// shared finds what changes under several services: networks, which Compose
// makes anew with the containers in them, and the names of volumes.
func (c *comparison) shared() {
	for _, key := range bothKeys(c.before.project.Networks, c.after.project.Networks) {
		old, had := c.before.project.Networks[key]
		now, has := c.after.project.Networks[key]
		if had && has && text(old) != text(now) {
			c.each(func(s types.ServiceConfig) bool { _, in := s.Networks[key]; return in }, "network "+key+" changed")
		}
	}
	for _, key := range bothKeys(c.before.project.Volumes, c.after.project.Volumes) {
		old, had := c.before.project.Volumes[key]
		now, has := c.after.project.Volumes[key]
		if had && has && old.Name != now.Name {
			c.each(func(s types.ServiceConfig) bool { return mounts(s, key) }, fmt.Sprintf("volume %s is %s instead of %s", key, now.Name, old.Name))
		}
	}
}

// each recreates every service that both versions have and that uses something.
func (c *comparison) each(uses func(types.ServiceConfig) bool, cause string) {
	for name, s := range c.after.services {
		if old, had := c.before.services[name]; had && uses(old.config) && uses(s.config) {
			c.note(name, Recreate, cause)
		}
	}
}

func mounts(s types.ServiceConfig, volume string) bool {
	return slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Type == types.VolumeTypeVolume && v.Source == volume
	})
}

// follow adds what happens to a service because of another: who lives in a new
// container's namespace or with its volumes is recreated, and who says "restart:
// true" about it is restarted. A round for each link of the longest chain.
func (c *comparison) follow() {
	for range c.after.services {
		changed := false
		for _, name := range slices.Sorted(maps.Keys(c.after.services)) {
			if _, had := c.before.services[name]; had {
				changed = c.followOne(name, c.after.services[name].config) || changed
			}
		}
		if !changed {
			return
		}
	}
}

func (c *comparison) followOne(name string, s types.ServiceConfig) (changed bool) {
	if c.renewed(name) {
		return false
	}
	for _, parent := range parents(s) {
		if c.renewed(parent) {
			c.note(name, Recreate, "it lives in the container of "+parent)
			return true
		}
	}
	for _, other := range slices.Sorted(maps.Keys(s.DependsOn)) {
		if s.DependsOn[other].Restart && c.renewed(other) && c.effectOf(name) == None {
			c.note(name, Restart, "it restarts with "+other)
			return true
		}
	}
	return false
}

func (c *comparison) effectOf(name string) Effect {
	if s := c.effects[name]; s != nil {
		return s.Effect
	}
	return None
}

// parents are the services whose container a service refers to.
func parents(s types.ServiceConfig) []string {
	var names []string
	for _, mode := range []string{s.NetworkMode, s.Ipc, s.Pid} {
		if name, ok := strings.CutPrefix(mode, types.ServicePrefix); ok {
			names = append(names, name)
		}
	}
	for _, from := range s.VolumesFrom {
		if !strings.HasPrefix(from, types.ContainerPrefix) {
			name, _, _ := strings.Cut(from, ":")
			names = append(names, name)
		}
	}
	return names
}

// bothKeys lists the keys of two maps, sorted.
func bothKeys[V any](a, b map[string]V) []string {
	all := map[string]bool{}
	for k := range a {
		all[k] = true
	}
	for k := range b {
		all[k] = true
	}
	return slices.Sorted(maps.Keys(all))
}

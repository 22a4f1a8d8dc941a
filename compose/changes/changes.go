// Package changes tells what a new version of a stack will do on the device: to
// each service, for which cause, and what can be lost or exposed by it.
//
// # Effects
//
// Docker Compose makes a container anew when the configuration of its service
// is another one. Which parts of it count is Compose's rule, reproduced in
// configuration; what it does not look at, secrets' values and files' content,
// is in compose.Service.Inputs, which the device carries as a label. So an
// effect is what "docker compose up" will do, as of version 5. Version 2 may do
// more: it recreates for depends_on and profiles, too, and before 2.30 recreates
// what depends on a recreated service, and sees no change of a network.
//
// # Values
//
// No value of a secret is here to be shown: a loaded stack has only their names
// and versions. What looks like a secret and stands in a Compose file in clear
// is hidden all the same, since a diff ends up in logs and comments.
package changes

import (
	"maps"
	"slices"

	"pistack/compose"
	"pistack/compose/plain"
)

// Effect is what happens to a service's container.
type Effect string

// The effects, from the least to the most.
const (
	None     Effect = "none"     // it runs on as it is
	Restart  Effect = "restart"  // stopped and started, the same container
	Scale    Effect = "scale"    // containers are added or taken away, the others run on
	Recreate Effect = "recreate" // a new container in its place
	Pull     Effect = "pull"     // a new container of another image
	Rebuild  Effect = "rebuild"  // a new container of an image that is built again
	Create   Effect = "create"   // a container where none was
	Remove   Effect = "remove"   // no container any more; volumes are kept
)

// Effects lists all, from the least to the most.
func Effects() []Effect {
	return []Effect{None, Restart, Scale, Recreate, Pull, Rebuild, Create, Remove}
}

// Changes is what one version of a stack does to another.
type Changes struct {
	Dangers  []Danger  `json:"dangers"`
	Services []Service `json:"services"` // those with an effect or a cause, sorted by name
	Details  []Detail  `json:"details"`  // sorted by path
}

// Empty tells that both versions are the same to the device.
func (c Changes) Empty() bool { return len(c.Dangers)+len(c.Services)+len(c.Details) == 0 }

// Service is what happens to one service, and why.
type Service struct {
	Name   string   `json:"name"`
	Effect Effect   `json:"effect"`
	Causes []string `json:"causes"`
}

// Detail is one thing that is different. Old or New is nil where there is none.
type Detail struct {
	Path string  `json:"path"` // such as "services.web.image"
	Old  *string `json:"old"`
	New  *string `json:"new"`
}

// Version is a stack as one host runs it. One without a stack stands for the time
// before it came to the host, or after it left.
type Version struct {
	Stack  *compose.Stack
	Images map[string]string // service to its image with digest, of those that a lock pins
	Wrong  map[string]string // service to why its image does not run on the host
}

// Between compares two versions of a stack on one host.
func Between(before, after Version) Changes {
	c := &comparison{before: newSide(before), after: newSide(after), effects: map[string]*Service{}}
	for _, name := range c.names() {
		c.service(name)
	}
	c.shared()
	c.follow()
	c.details()
	c.dangers()
	return c.result()
}

// comparison is the state of one Between.
type comparison struct {
	before, after side
	effects       map[string]*Service
	out           Changes
}

// names lists the services of both versions, sorted.
func (c *comparison) names() []string {
	all := map[string]bool{}
	for _, v := range []side{c.before, c.after} {
		for name := range v.services {
			all[name] = true
		}
	}
	return slices.Sorted(maps.Keys(all))
}

// note records an effect and its causes; the greatest effect counts.
func (c *comparison) note(name string, effect Effect, causes ...string) {
	s := c.effects[name]
	if s == nil {
		s = &Service{Name: name, Effect: None, Causes: []string{}}
		c.effects[name] = s
	}
	if rank(effect) > rank(s.Effect) {
		s.Effect = effect
	}
	for _, cause := range causes {
		if !slices.Contains(s.Causes, cause) {
			s.Causes = append(s.Causes, cause)
		}
	}
}

func rank(e Effect) int { return slices.Index(Effects(), e) }

// renewed tells whether a service gets a new container in place of the old.
func (c *comparison) renewed(name string) bool {
	s := c.effects[name]
	return s != nil && rank(s.Effect) >= rank(Recreate) && s.Effect != Remove
}

func (c *comparison) result() Changes {
	c.out.Services = []Service{}
	for _, name := range slices.Sorted(maps.Keys(c.effects)) {
		s := *c.effects[name]
		for i, cause := range s.Causes {
			s.Causes[i] = plain.Mask(cause)
		}
		c.out.Services = append(c.out.Services, s)
	}
	for i, d := range c.out.Dangers {
		c.out.Dangers[i].Message = plain.Mask(d.Message)
	}
	if c.out.Dangers == nil {
		c.out.Dangers = []Danger{}
	}
	if c.out.Details == nil {
		c.out.Details = []Detail{}
	}
	return c.out
}

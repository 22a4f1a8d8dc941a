package rules

import (
	"fmt"
	"slices"
	"strconv"

	"pistack/compose"
)

func containerClash() Rule {
	return Rule{
		Code: "container-clash", Severity: compose.Error, Fixed: true, check: containerClashes,
		Summary: "two containers of the host would have the same name",
		Why: `Docker has one namespace a host, so the second container of a name cannot be created: "The container name is already in
use". Names that Compose makes count too: service b-c of stack a and service c of stack a-b are both a-b-c-1. The names of
projects cannot clash: a stack's project is its folder's name, whatever name: says.`,
		Fix: `Leave out container_name: Compose prefixes names with the stack's, and containers of one network find each other by the
names of services.`,
		Example: `services:
  db:
    # container_name: db
    image: postgres:18`,
	}
}

func sharedName() Rule {
	return Rule{
		Code: "shared-name", Severity: compose.Warning, check: sharedNames,
		Summary: "two stacks create a network or volume of the same name",
		Why: `The stack that comes second finds what the first has created, and uses it with no more than a warning in the unit's log:
containers see each other's data and ports, and a stack that leaves the host takes the network with it.`,
		Fix: `Leave out name:, so that Compose prefixes it with the stack's name. Where the two are meant to share it, one stack creates
it and the other says external: true.`,
		Example: `networks:
  proxy:
    name: proxy
    external: true   # created by the stack that has it without this line`,
	}
}

// named is a thing of a stack that Docker knows by a name.
type named struct {
	kind, name     string // "container", "db"
	at             compose.Position
	stack, service string
}

func (n named) owner() string {
	if n.service != "" {
		return "service " + n.service + " of stack " + n.stack
	}
	return "stack " + n.stack
}

func containerClashes(h host) []problem {
	return h.sameName(h.containerNames(), "leave out container_name, or rename the service")
}

func sharedNames(h host) []problem {
	return h.sameName(slices.Concat(h.networkNames(), h.volumeNames()), "leave out its name:, or write external: true if both are meant to share it")
}

// sameName reports what has a name that something of its kind has already.
func (h host) sameName(all []named, fix string) []problem {
	var problems []problem
	first := map[string]named{}
	for _, n := range all {
		other, taken := first[n.kind+" "+n.name]
		if !taken {
			first[n.kind+" "+n.name] = n
			continue
		}
		problems = append(problems, problem{
			at: n.at, stack: n.stack, service: n.service, fix: fix,
			message: compose.Redact(fmt.Sprintf("%s %s has the name of one of %s", n.kind, n.name, other.owner())),
		})
	}
	return problems
}

func (h host) containerNames() []named {
	var all []named
	for _, s := range h.services() {
		n := named{kind: "container", stack: s.stack.Name, service: s.Name}
		if s.ContainerName != "" {
			n.name, n.at = s.ContainerName, s.place("container_name")
			all = append(all, n)
			continue
		}
		n.at = s.place()
		for i := range s.containers() {
			n.name = s.stack.Name + "-" + s.Name + "-" + strconv.Itoa(i+1)
			all = append(all, n)
		}
	}
	return all
}

func (h host) networkNames() []named {
	var all []named
	for _, s := range h.stacks {
		for _, key := range networks(s) {
			if n := s.Project.Networks[key]; !bool(n.External) {
				all = append(all, named{kind: "network", name: n.Name, at: s.Place("networks", key, "name"), stack: s.Name})
			}
		}
	}
	return all
}

func (h host) volumeNames() []named {
	var all []named
	for _, s := range h.stacks {
		for _, key := range volumes(s) {
			if v := s.Project.Volumes[key]; !bool(v.External) {
				all = append(all, named{kind: "volume", name: v.Name, at: s.Place("volumes", key, "name"), stack: s.Name})
			}
		}
	}
	return all
}

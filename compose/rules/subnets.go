package rules

import (
	"fmt"
	"net/netip"
	"slices"

	"pistack/compose"
)

func subnetClash() Rule {
	return Rule{
		Code: "subnet-clash", Severity: compose.Error, Fixed: true, check: subnetClashes,
		Summary: "two networks of the host have overlapping subnets",
		Why: `Docker refuses to create a network whose subnet overlaps that of another one: "Pool overlaps with other one on this
address space". The stack that comes second does not start.`,
		Fix: `Leave ipam out, so that Docker takes a free subnet; containers find each other by the names of services. Where addresses
must be fixed, give each network a subnet of its own.`,
		Example: `networks:
  lab:
    ipam:
      config:
        - subnet: 10.20.1.0/24`,
	}
}

type subnet struct {
	prefix netip.Prefix
	stack  *compose.Stack
	key    string // of the network
	name   string
}

func subnetClashes(h host) []problem {
	var problems []problem
	var before []subnet
	for _, s := range h.stacks {
		for _, n := range subnets(s) {
			i := slices.IndexFunc(before, func(o subnet) bool { return o.name != n.name && o.prefix.Overlaps(n.prefix) })
			if i >= 0 {
				o := before[i]
				problems = append(problems, problem{
					at: s.Place("networks", n.key, "ipam", "config"), stack: s.Name,
					message: fmt.Sprintf("subnet %s of network %s overlaps %s of network %s of stack %s", n.prefix, n.key, o.prefix, o.key, o.stack.Name),
					fix:     "leave ipam out, or give each network a subnet of its own",
				})
			}
			before = append(before, n)
		}
	}
	return problems
}

// subnets lists the fixed subnets of the networks that a stack creates.
func subnets(s *compose.Stack) []subnet {
	var all []subnet
	for _, key := range networks(s) {
		n := s.Project.Networks[key]
		if n.External {
			continue
		}
		for _, pool := range n.Ipam.Config {
			if pool == nil {
				continue
			}
			if prefix, err := netip.ParsePrefix(pool.Subnet); err == nil {
				all = append(all, subnet{prefix.Masked(), s, key, n.Name})
			}
		}
	}
	return all
}

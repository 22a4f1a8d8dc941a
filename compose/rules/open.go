package rules

import (
	"fmt"
	"net/netip"
	"slices"

	"pistack/compose"
)

func openPort() Rule {
	return Rule{
		Code: "open-port", Severity: compose.Warning, check: openPorts,
		Summary: "a published port is open to more than host.toml says",
		Why: `Ports that Docker publishes bypass the NixOS firewall: Docker writes rules of its own, before those of networking.firewall.
So "8080:80" is reachable by whoever reaches the host, on every interface. host.toml says who may: open lists the interfaces
on which published ports are meant to be reached, or "any". Without it none is, and only ports on a loopback address pass.
A port on all addresses needs "any"; one on an address of the host needs some entry, since which interface has that address
is not known here.`,
		Fix: `Publish on 127.0.0.1 what only the host itself needs: a reverse proxy in the same stack needs no published port at all. If
the port is meant to be reached, say so in host.toml.`,
		Example: `# hosts/pi/host.toml
open = ["any"]

# or, in compose.yaml
ports:
  - "127.0.0.1:9090:9090"`,
	}
}

func openPorts(h host) []problem {
	var problems []problem
	for _, s := range h.services() {
		for _, p := range published(s) {
			if reach := h.wider(p.address); reach != "" {
				problems = append(problems, s.problem(p.at,
					fmt.Sprintf("service %s publishes %s on %s, and %s", s.Name, p, reach, h.openText()),
					fmt.Sprintf(`bind it to 127.0.0.1, or write open = ["any"] into %s`, h.File)))
			}
		}
	}
	return problems
}

// wider says where a port on an address is open beyond what the host opens.
func (h host) wider(address string) string {
	if slices.Contains(h.Open, "any") {
		return ""
	}
	a, err := netip.ParseAddr(address)
	switch {
	case err != nil || a.IsUnspecified():
		return "all addresses"
	case a.IsLoopback() || len(h.Open) > 0:
		return ""
	}
	return address
}

func (h host) openText() string {
	if len(h.Open) == 0 {
		return h.Name + " opens nothing"
	}
	return h.Name + " opens only " + list(h.Open)
}

package rules

import (
	"fmt"
	"net/netip"

	"pistack/compose"
)

func openPort() Rule {
	return Rule{
		Code: "open-port", Severity: compose.Warning, check: openPorts,
		Summary: "a published port is reached by nobody but the host itself",
		Why: `On the device a firewall decides who reaches the ports that Docker publishes, by open in host.toml: the network interfaces
through which they are reached, or "any". Without it nobody outside does, so this port is published in vain, or in error: where
the firewall is turned off (networking.firewall.enable, pistack.firewall.enable), and on a laptop, everybody on the network
reaches it. Ports on a loopback address are for the host itself, whatever host.toml says.`,
		Fix: `If the port is meant to be reached, say through which interface. If not, publish it on 127.0.0.1; what only other services
of the stack need is reached without being published.`,
		Example: `# hosts/pi/host.toml
open = ["end0", "tailscale0"]

# or, in compose.yaml
ports:
  - "127.0.0.1:9090:9090"`,
	}
}

func openPorts(h host) []problem {
	if len(h.Open) > 0 {
		return nil
	}
	var problems []problem
	for _, s := range h.services() {
		for _, p := range joined(published(s)) {
			if reach := beyondHost(p.address); reach != "" {
				problems = append(problems, s.problem(p.at,
					fmt.Sprintf("service %s publishes %s on %s, and %s opens no interface: nobody outside reaches it", s.Name, p, reach, h.Name),
					fmt.Sprintf(`publish it on 127.0.0.1, or write open = ["end0"], with the interface's name, into %s`, h.File)))
			}
		}
	}
	return problems
}

// joined makes one of ports that follow each other: Compose takes a range apart.
func joined(ports []publication) []publication {
	var all []publication
	for _, p := range ports {
		if n := len(all) - 1; n >= 0 && p.low > 0 && all[n].high+1 == p.low && all[n].address == p.address && all[n].protocol == p.protocol {
			all[n].high, all[n].all = p.high, true
			continue
		}
		all = append(all, p)
	}
	return all
}

// beyondHost names an address that others than the host itself could reach.
func beyondHost(address string) string {
	a, err := netip.ParseAddr(address)
	switch {
	case err != nil || a.IsUnspecified():
		return "all addresses"
	case a.IsLoopback():
		return ""
	}
	return address
}

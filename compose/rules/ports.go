package rules

import (
	"cmp"
	"fmt"
	"net/netip"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

func portClash() Rule {
	return Rule{
		Code: "port-clash", Severity: compose.Error, Fixed: true, check: portClashes,
		Summary: "two services want the same port of the host",
		Why: `Only one process can listen on a port of an address. Whichever container starts second fails with "port is already
allocated" or "address already in use", its stack's unit fails, and with it the deploy. Which one is second can change from
boot to boot. The services of all stacks of the host are compared, and the host's own: sshd, on the port of [ssh], and what
[reserved_ports] of host.toml names. A port published on one address clashes with the same port on all addresses, tcp does
not clash with udp. A service with several replicas clashes with itself.`,
		Fix: `Give one of the two another port, best by a variable that the stack's .env or [env] of host.toml sets. Or bind each to an
address of its own.`,
		Example: `ports:
  - "${CHAT_PORT}:8080"   # CHAT_PORT=3001 in host.toml, under [env]`,
	}
}

// claim is a port of the host that a service takes.
type claim struct {
	service  service
	at       compose.Position
	address  string // "" for all
	port     int
	protocol string
}

func portClashes(h host) []problem {
	var problems []problem
	taken := map[string][]claim{}
	for _, s := range h.services() {
		for _, c := range claims(s) {
			if message := h.clash(c, taken[c.key()]); message != "" {
				problems = append(problems, s.problem(c.at, fmt.Sprintf("service %s publishes port %s, and so does %s", s.Name, c.key(), message),
					"give one of them another port, or an address of its own"))
			}
			taken[c.key()] = append(taken[c.key()], c)
		}
	}
	return problems
}

// clash says who else has the port, or nothing.
func (h host) clash(c claim, before []claim) string {
	for _, p := range h.Taken {
		if p.Number == c.port && p.Protocol == c.protocol {
			return fmt.Sprintf("%s, on the host itself", p.Owner)
		}
	}
	for _, other := range before {
		if !overlap(c.address, other.address) {
			continue
		}
		if other.service.stack == c.service.stack && other.service.Name == c.service.Name {
			return "the same service once more"
		}
		return other.service.title()
	}
	if c.service.containers() > 1 {
		return fmt.Sprintf("each of its %d replicas", c.service.containers())
	}
	return ""
}

func (c claim) key() string { return strconv.Itoa(c.port) + "/" + c.protocol }

// claims lists the ports that a service surely takes. Where Docker chooses, from
// all or from a range, it takes one that is free.
func claims(s service) []claim {
	var all []claim
	for _, p := range published(s) {
		if p.low == p.high && p.low > 0 {
			all = append(all, claim{s, p.at, p.address, p.low, p.protocol})
		}
	}
	return all
}

// publication is an entry of "ports".
type publication struct {
	at        compose.Position
	address   string // "" for all
	low, high int    // 0 where Docker chooses
	protocol  string
	all       bool // every one of them, and not one that Docker chooses
}

// published lists the ports that a service publishes: none on the host's own
// network, where Compose drops them.
func published(s service) []publication {
	if s.NetworkMode == "host" || s.containers() == 0 {
		return nil
	}
	var all []publication
	for i, p := range s.Ports {
		low, high, ok := portRange(p.Published)
		if !ok {
			continue // Compose refuses it
		}
		all = append(all, publication{s.item(i, portText(p), "ports"), p.HostIP, low, high, cmp.Or(p.Protocol, "tcp"), false})
	}
	return all
}

// portText is how a short entry begins in the file.
func portText(p types.ServicePortConfig) string {
	if p.HostIP != "" {
		return p.HostIP + ":" + p.Published
	}
	return p.Published
}

// portRange reads "80", "8000-8010", or nothing.
func portRange(text string) (low, high int, ok bool) {
	if text == "" {
		return 0, 0, true
	}
	first, last, isRange := strings.Cut(text, "-")
	if !isRange {
		last = first
	}
	low, err1 := strconv.Atoi(first)
	high, err2 := strconv.Atoi(last)
	return low, high, err1 == nil && err2 == nil && low >= 0 && high <= 65535
}

func (p publication) String() string {
	switch {
	case p.all:
		return fmt.Sprintf("ports %d-%d/%s", p.low, p.high, p.protocol)
	case p.low == 0:
		return "a port of Docker's choice"
	case p.low == p.high:
		return fmt.Sprintf("port %d/%s", p.low, p.protocol)
	}
	return fmt.Sprintf("a port of %d-%d/%s", p.low, p.high, p.protocol)
}

// overlap tells whether one listener would be in the other's way. No address
// means all of both families.
func overlap(a, b string) bool {
	if a == "" || b == "" {
		return true
	}
	first, err1 := netip.ParseAddr(a)
	second, err2 := netip.ParseAddr(b)
	if err1 != nil || err2 != nil {
		return a == b
	}
	first, second = first.Unmap().WithZone(""), second.Unmap().WithZone("")
	if first.Is4() != second.Is4() {
		return false
	}
	return first == second || first.IsUnspecified() || second.IsUnspecified()
}

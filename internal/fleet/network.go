package fleet

import (
	"net/netip"
	"slices"
)

// networkTable is a fixed address of the host. modules/fixed-address.nix makes
// options of it; only checked here. Without it, the host asks by DHCP.
type networkTable struct {
	Interface   string   `toml:"interface"`
	Addresses   []string `toml:"addresses"`   // with the length of the prefix: 192.168.1.10/24
	Gateways    []string `toml:"gateways"`    // at most one of IPv4 and of IPv6
	Nameservers []string `toml:"nameservers"` // nobody else tells them
}

func (n networkTable) validate(doc document) []error {
	if line, _ := doc.find([]string{"network"}); line == 0 {
		return nil
	}
	var problems []error
	wrong := func(key, format string, args ...any) {
		at := []string{"network", key}
		if line, _ := doc.find(at); line == 0 {
			at = at[:1]
		}
		problems = append(problems, doc.problem(at, "network: "+format, args...))
	}
	if n.Interface == "" {
		wrong("interface", `no interface: write interface = "end0", as "ip link" on the host names it`)
	} else if !interfaceForm.MatchString(n.Interface) {
		wrong("interface", "%q is not the name of a network interface", n.Interface)
	}
	n.validateGateways(wrong, n.validateAddresses(wrong))
	n.validateNameservers(wrong)
	return problems
}

// validateAddresses returns those that are right.
func (n networkTable) validateAddresses(wrong func(key, format string, args ...any)) []netip.Prefix {
	var good []netip.Prefix
	if len(n.Addresses) == 0 {
		wrong("addresses", `no addresses: write addresses = ["192.168.1.10/24"]`)
	}
	for _, text := range n.Addresses {
		p, err := netip.ParsePrefix(text)
		switch {
		case err != nil:
			wrong("addresses", `%q is not an address with the length of its prefix, like "192.168.1.10/24"`, text)
		case !isHost(p.Addr()) || isSubnet(p) || isBroadcast(p):
			wrong("addresses", "%q is not the address of one host", text)
		case slices.ContainsFunc(good, func(g netip.Prefix) bool { return g.Addr() == p.Addr() }):
			wrong("addresses", "%q stands there twice", text)
		default:
			good = append(good, p)
		}
	}
	return good
}

func (n networkTable) validateGateways(wrong func(key, format string, args ...any), own []netip.Prefix) {
	var good []netip.Addr
	for _, text := range n.Gateways {
		a, err := netip.ParseAddr(text)
		inReach := func(p netip.Prefix) bool { return p.Contains(a) && p.Addr() != a }
		switch {
		case err != nil || !isHost(a):
			wrong("gateways", `%q is not the address of a gateway, like "192.168.1.1"`, text)
		case slices.ContainsFunc(good, func(g netip.Addr) bool { return g.Is4() == a.Is4() }):
			wrong("gateways", "%q is the second of its kind: one of IPv4 and one of IPv6 can be there", text)
		case len(own) > 0 && !a.IsLinkLocalUnicast() && !slices.ContainsFunc(own, inReach):
			wrong("gateways", "%q is not in the network of any of the addresses", text)
		default:
			good = append(good, a)
		}
	}
}

func (n networkTable) validateNameservers(wrong func(key, format string, args ...any)) {
	if len(n.Nameservers) == 0 {
		wrong("nameservers", `no nameservers: write nameservers = ["192.168.1.1"]; with a fixed address nobody tells the host`)
	}
	for i, text := range n.Nameservers {
		a, err := netip.ParseAddr(text)
		switch {
		case err != nil || a.Zone() != "" || a.IsUnspecified() || a.IsMulticast():
			wrong("nameservers", "%q is not an address", text)
		case slices.Contains(n.Nameservers[:i], text):
			wrong("nameservers", "%q stands there twice", text)
		}
	}
}

// isHost tells whether an address can be that of a machine on a network.
func isHost(a netip.Addr) bool {
	return a.IsValid() && a.Zone() == "" && !a.Is4In6() && !a.IsUnspecified() && !a.IsLoopback() && !a.IsMulticast()
}

// isSubnet tells whether a prefix names a network, and no host of it.
func isSubnet(p netip.Prefix) bool {
	return p.Addr().BitLen()-p.Bits() > 1 && p == p.Masked()
}

// isBroadcast tells whether a prefix names all hosts of an IPv4 network.
func isBroadcast(p netip.Prefix) bool {
	return p.Addr().Is4() && p.Bits() < 31 && !netip.PrefixFrom(p.Addr().Next(), p.Bits()).Masked().Contains(p.Addr())
}

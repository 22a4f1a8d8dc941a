package fleet_test

import (
	"fmt"
	"net/netip"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/internal/fleet"
)

const network = base + `[network]
interface = "end0"
addresses = ["192.168.1.10/24", "2001:db8::10/64"]
gateways = ["192.168.1.1", "fe80::1"]
nameservers = ["192.168.1.1"]
`

func TestNetwork(t *testing.T) {
	for name, content := range map[string]string{
		"both kinds":      network,
		"no gateway":      strings.Replace(network, `gateways = ["192.168.1.1", "fe80::1"]`, "", 1),
		"inline":          base + `network = { interface = "eth0", addresses = ["10.0.0.2/8"], nameservers = ["9.9.9.9"] }`,
		"last of two":     base + "[network]\ninterface = \"eth0\"\naddresses = [\"10.0.0.3/31\"]\nnameservers = [\"::1\"]\n",
		"point to point":  strings.Replace(network, "192.168.1.10/24", "192.168.1.0/31", 1),
		"one address":     base + "[network]\ninterface = \"eth0\"\naddresses = [\"10.0.0.2/32\"]\nnameservers = [\"::1\"]\n",
		"no table at all": base,
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := load(t, map[string]string{"hosts/pi/host.toml": content}); err != nil {
				t.Error(err)
			}
		})
	}
}

func TestNetworkProblems(t *testing.T) {
	for _, c := range []struct{ name, old, new, want string }{
		{"unknown key", `gateways`, `gateway`, `hosts/pi/host.toml:6:1: unknown key "network.gateway" (did you mean "gateways"?)`},
		{"text for a list", `["192.168.1.1", "fe80::1"]`, `"192.168.1.1"`, `hosts/pi/host.toml:6:1: network.gateways: incompatible types: TOML value has type string; destination has type slice`},
		{"no interface", `interface = "end0"`, ``, `hosts/pi/host.toml:3:1: network: no interface: write interface = "end0", as "ip link" on the host names it`},
		{"interface", `"end0"`, `"end0; reboot"`, `hosts/pi/host.toml:4:1: network: "end0; reboot" is not the name of a network interface`},
		{"no addresses", `["192.168.1.10/24", "2001:db8::10/64"]`, `[]`, `hosts/pi/host.toml:5:1: network: no addresses: write addresses = ["192.168.1.10/24"]`},
		{"no prefix", `"192.168.1.10/24", `, `"192.168.1.10/24", "10.0.0.1", `, `hosts/pi/host.toml:5:1: network: "10.0.0.1" is not an address with the length of its prefix, like "192.168.1.10/24"`},
		{"long prefix", `2001:db8::10/64`, `2001:db8::10/129`, `hosts/pi/host.toml:5:1: network: "2001:db8::10/129" is not an address with the length of its prefix, like "192.168.1.10/24"`},
		{"a network", `2001:db8::10/64`, `2001:db8::/64`, `hosts/pi/host.toml:5:1: network: "2001:db8::/64" is not the address of one host`},
		{"the broadcast address", `2001:db8::10/64`, `192.168.2.255/24`, `hosts/pi/host.toml:5:1: network: "192.168.2.255/24" is not the address of one host`},
		{"loopback", `2001:db8::10/64`, `127.0.0.1/8`, `hosts/pi/host.toml:5:1: network: "127.0.0.1/8" is not the address of one host`},
		{"IPv4 in IPv6", `2001:db8::10/64`, `::ffff:10.0.0.1/120`, `hosts/pi/host.toml:5:1: network: "::ffff:10.0.0.1/120" is not the address of one host`},
		{"address twice", `2001:db8::10/64`, `192.168.1.10/16`, `hosts/pi/host.toml:5:1: network: "192.168.1.10/16" stands there twice`},
		{"gateway out of reach", `"192.168.1.1", "fe80::1"`, `"192.168.2.1"`, `hosts/pi/host.toml:6:1: network: "192.168.2.1" is not in the network of any of the addresses`},
		{"itself as gateway", `"192.168.1.1", "fe80::1"`, `"192.168.1.10"`, `hosts/pi/host.toml:6:1: network: "192.168.1.10" is not in the network of any of the addresses`},
		{"two gateways", `"fe80::1"`, `"192.168.1.2"`, `hosts/pi/host.toml:6:1: network: "192.168.1.2" is the second of its kind: one of IPv4 and one of IPv6 can be there`},
		{"gateway with a zone", `"fe80::1"`, `"fe80::1%eth0"`, `hosts/pi/host.toml:6:1: network: "fe80::1%eth0" is not the address of a gateway, like "192.168.1.1"`},
		{"no nameservers", `nameservers = ["192.168.1.1"]`, ``, `hosts/pi/host.toml:3:1: network: no nameservers: write nameservers = ["192.168.1.1"]; with a fixed address nobody tells the host`},
		{"nameserver by name", `nameservers = ["192.168.1.1"]`, `nameservers = ["dns.example"]`, `hosts/pi/host.toml:7:1: network: "dns.example" is not an address`},
		{"nameserver twice", `nameservers = ["192.168.1.1"]`, `nameservers = ["9.9.9.9", "9.9.9.9"]`, `hosts/pi/host.toml:7:1: network: "9.9.9.9" stands there twice`},
		{"empty table", network[len(base):], "[network]\n", `hosts/pi/host.toml:3:1: network: no addresses: write addresses = ["192.168.1.10/24"]
hosts/pi/host.toml:3:1: network: no interface: write interface = "end0", as "ip link" on the host names it
hosts/pi/host.toml:3:1: network: no nameservers: write nameservers = ["192.168.1.1"]; with a fixed address nobody tells the host`},
	} {
		t.Run(c.name, func(t *testing.T) {
			content := strings.Replace(network, c.old, c.new, 1)
			if content == network {
				t.Fatal("nothing was replaced")
			}
			_, err := load(t, map[string]string{"hosts/pi/host.toml": content})
			if err == nil || err.Error() != c.want {
				t.Errorf("error:\n%v\nwant:\n%s", err, c.want)
			}
		})
	}
}

// FuzzNetwork: what is taken is an address of one host, and a gateway that it reaches.
func FuzzNetwork(f *testing.F) {
	f.Add("192.168.1.10/24", "192.168.1.1", "9.9.9.9")
	f.Add("2001:db8::10/64", "fe80::1", "2620:fe::fe")
	f.Add("10.0.0.0/8", "::ffff:10.0.0.1", "fe80::1%1")
	f.Add("10.0.0.1/08", "0.0.0.0", "::")
	f.Fuzz(func(t *testing.T, address, gateway, nameserver string) {
		content := base + fmt.Sprintf("[network]\ninterface = \"end0\"\naddresses = [%q]\ngateways = [%q]\nnameservers = [%q]\n", address, gateway, nameserver)
		_, err := fleet.LoadFS(fstest.MapFS{
			"fleet.toml":         &fstest.MapFile{Data: []byte(settings)},
			"hosts/pi/host.toml": &fstest.MapFile{Data: []byte(content)},
		}, "")
		if err != nil {
			return
		}
		p, a := netip.MustParsePrefix(address), netip.MustParseAddr(gateway)
		netip.MustParseAddr(nameserver)
		if p.String() != address && !p.Addr().Is6() || p.Addr() == a || !p.Contains(a) && !a.IsLinkLocalUnicast() {
			t.Errorf("%q by %q is taken", address, gateway)
		}
	})
}

// TestNetworkKeys: the module that makes options of the table takes exactly the
// keys that are taken here.
func TestNetworkKeys(t *testing.T) {
	text, err := os.ReadFile("../../modules/fixed-address.nix")
	if err != nil {
		t.Fatal(err)
	}
	arguments, _, _ := strings.Cut(string(text), "\n}:")
	var got []string
	for _, m := range regexp.MustCompile(`(?m)^  ([a-z]+)(?: \? .*)?,$`).FindAllStringSubmatch(arguments, -1) {
		got = append(got, m[1])
	}
	var want []string
	for _, m := range regexp.MustCompile(`(?m)^([a-z]+) = `).FindAllStringSubmatch(network[len(base):], -1) {
		want = append(want, m[1])
	}
	if len(want) == 0 || !slices.Equal(got, want) {
		t.Errorf("modules/fixed-address.nix takes %v, host.toml %v", got, want)
	}
}

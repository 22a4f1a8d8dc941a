package fleet_test

import (
	"reflect"
	"testing"

	"pistack/internal/fleet"
)

const base = "address = \"pi.local\"\nsystem = \"aarch64-linux\"\n"

func TestTarget(t *testing.T) {
	f, err := load(t, map[string]string{"hosts/pi/host.toml": base + `open = ["end0", "tailscale0"]
memory = "512MiB"

[ssh]
port = 2222

[reserved_ports]
"9100/tcp" = "node exporter"
53 = "dnsmasq"

[accept]
memory-sum = "never at once"
`})
	if err != nil {
		t.Fatal(err)
	}
	h := f.Hosts[0]
	if !reflect.DeepEqual(h.Open, []string{"end0", "tailscale0"}) || h.Memory != 512<<20 || h.Accept["memory-sum"] != "never at once" {
		t.Errorf("host %+v", h)
	}
	if want := []fleet.ReservedPort{{53, "tcp", "dnsmasq"}, {53, "udp", "dnsmasq"}, {9100, "tcp", "node exporter"}}; !reflect.DeepEqual(h.Reserved, want) {
		t.Errorf("reserved: %v", h.Reserved)
	}
	for _, c := range []struct {
		key  []string
		line int
	}{
		{[]string{"memory"}, 4}, {[]string{"ssh", "port"}, 7}, {[]string{"reserved_ports", "9100/tcp"}, 10},
		{[]string{"accept", "memory-sum"}, 14}, {[]string{"board"}, 0},
	} {
		if line, column := h.Position(c.key...); line != c.line || column != min(line, 1) {
			t.Errorf("%v is at %d:%d, want line %d", c.key, line, column, c.line)
		}
	}
}

func TestTargetDefaults(t *testing.T) {
	f, err := load(t, map[string]string{"hosts/pi/host.toml": base})
	if err != nil {
		t.Fatal(err)
	}
	if h := f.Hosts[0]; h.Open != nil || h.Memory != 0 || h.Reserved != nil || h.Accept != nil {
		t.Errorf("host %+v", h)
	}
}

func TestTargetProblems(t *testing.T) {
	for _, c := range []struct{ name, content, want string }{
		{"memory without a unit", "memory = \"4\"\n", `hosts/pi/host.toml:3:1: memory "4" is not like "512MiB" or "4GiB"`},
		{"memory in other units", "memory = \"4GB\"\n", `hosts/pi/host.toml:3:1: memory "4GB" is not like "512MiB" or "4GiB"`},
		{"no memory", "memory = \"0GiB\"\n", `hosts/pi/host.toml:3:1: memory "0GiB" is not like "512MiB" or "4GiB"`},
		{"memory without an end", "memory = \"99999999GiB\"\n", `hosts/pi/host.toml:3:1: memory "99999999GiB" is not like "512MiB" or "4GiB"`},
		{"memory as a number", "memory = 4\n", `hosts/pi/host.toml:3:1: memory: incompatible types: TOML value has type int64; destination has type string`},
		{"interface", "open = [\"../x\"]\n", `hosts/pi/host.toml:3:1: open: "../x" is not the name of a network interface, nor "any"`},
		{"long interface", "open = [\"abcdefghijklmnop\"]\n", `hosts/pi/host.toml:3:1: open: "abcdefghijklmnop" is not the name of a network interface, nor "any"`},
		{"interface twice", "open = [\"end0\", \"end0\"]\n", `hosts/pi/host.toml:3:1: open: "end0" stands there twice`},
		{"any and more", "open = [\"end0\", \"any\"]\n", `hosts/pi/host.toml:3:1: open: "any" says it all: take the others out`},
		{"no port", "[reserved_ports]\nhttp = \"nginx\"\n", `hosts/pi/host.toml:4:1: "http" is not a port like 53, "53/udp" or "9100/tcp"`},
		{"large port", "[reserved_ports]\n65536 = \"nginx\"\n", `hosts/pi/host.toml:4:1: "65536" is not a port like 53, "53/udp" or "9100/tcp"`},
		{"other protocol", "[reserved_ports]\n\"53/sctp\" = \"x\"\n", `hosts/pi/host.toml:4:1: "53/sctp" is not a port like 53, "53/udp" or "9100/tcp"`},
		{"nobody's port", "[reserved_ports]\n53 = \" \"\n", `hosts/pi/host.toml:4:1: reserved_ports: say who listens on 53`},
		{"no reason", "[accept]\nmemory-sum = \"\"\n", `hosts/pi/host.toml:4:1: accept: memory-sum has no reason`},
		{"nearest key", "[reserved_port]\n", `hosts/pi/host.toml:3:1: unknown key "reserved_port" (did you mean "reserved_ports"?)`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := load(t, map[string]string{"hosts/pi/host.toml": base + c.content})
			if err == nil || err.Error() != c.want {
				t.Errorf("error:\n%v\nwant:\n%s", err, c.want)
			}
		})
	}
}

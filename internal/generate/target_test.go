package generate_test

import (
	"strings"
	"testing"

	"pistack/compose/images"
)

// TestTarget: what host.toml, the board, the secrets and the NixOS files of a
// host say reaches the rules.
func TestTarget(t *testing.T) {
	const (
		head  = "address = \"pi.local\"\nsystem = \"aarch64-linux\"\nstacks = [\"chat\"]\n"
		quiet = "services:\n  web:\n    image: x\n    restart: always\n    environment: {A: $KEY}\n    x-pistack: {accept: {secret-in-environment: test}}\n"
	)
	for _, c := range []struct {
		name          string
		host, compose string
		files         map[string]string
		want          string // findings, less those that are accepted
	}{
		{"nothing", head, quiet, nil, ""},
		{"sshd", head + "open = [\"any\"]\n[ssh]\nport = 2222\n", quiet + "    ports: [\"22:22\", \"2222:22\"]\n", nil,
			"stacks/chat/compose.yaml:7:22: error: service web publishes port 2222/tcp, and so does sshd, on the host itself [port-clash]"},
		{"reserved port", head + "open = [\"any\"]\n[reserved_ports]\n\"53/udp\" = \"dnsmasq\"\n", quiet + "    ports: [\"53:53\", \"53:53/udp\"]\n", nil,
			"stacks/chat/compose.yaml:7:13: error: service web publishes port 53/udp, and so does dnsmasq, on the host itself [port-clash]"},
		{"opens nothing", head, quiet + "    ports: [\"80:80\"]\n", nil,
			"stacks/chat/compose.yaml:7:13: warning: service web publishes port 80/tcp on all addresses, and pi opens no interface: nobody outside reaches it [open-port]"},
		{"memory", head + "memory = \"1GiB\"\n", quiet + "    mem_limit: 2g\n", nil,
			"hosts/pi/host.toml:4:1: warning: the memory limits of 1 services add up to 2 GiB, and pi has 1 GiB [memory-sum]"},
		{"memory of a board", head + "board = \"rpi-zero2\"\n", quiet + "    mem_limit: 2g\n", nil,
			"hosts/pi/host.toml:4:1: warning: the memory limits of 1 services add up to 2 GiB, and pi has 512 MiB [memory-sum]"},
		{"memory, over the board's", head + "board = \"rpi3\"\nmemory = \"4GiB\"\n", quiet + "    mem_limit: 2g\n", nil, ""},
		{"memory, accepted", head + "memory = \"1GiB\"\n[accept]\nmemory-sum = \"never at once\"\n", quiet + "    mem_limit: 2g\n", nil, ""},
		{"vendor kernel", head + "board = \"rpi5\"\n", quiet + "    mem_limit: 1m\n", nil,
			"stacks/chat/compose.yaml:7:5: warning: the memory limit of service web has no effect: the kernel of pi leaves the memory controller off [memory-cgroup]"},
		{"vendor kernel, parameter in a module", head + "board = \"rpi5\"\n", quiet + "    mem_limit: 1m\n", map[string]string{"modules/docker.nix": "cgroup_enable=memory"}, ""},
		{"vendor kernel, parameter at the host", head + "board = \"rpi5\"\n", quiet + "    mem_limit: 1m\n", map[string]string{"hosts/pi/default.nix": "cgroup_enable=memory"}, ""},
		{"vendor kernel, parameter at another host", head + "board = \"rpi5\"\n", quiet + "    mem_limit: 1m\n", map[string]string{"hosts/b/default.nix": "cgroup_enable=memory"},
			"stacks/chat/compose.yaml:7:5: warning: the memory limit of service web has no effect: the kernel of pi leaves the memory controller off [memory-cgroup]"},
		{"unused secret", head, strings.Replace(quiet, "$KEY", "x", 1), nil,
			"hosts/pi/secrets/KEY.age: warning: no stack and no NixOS file of pi uses the secret KEY [unused-secret]"},
		{"secret of a NixOS file", head, strings.Replace(quiet, "$KEY", "x", 1), map[string]string{"hosts/pi/default.nix": "config.pistack.secrets.KEY.path"}, ""},
		{"variable of the host", head + "[env]\nDB_PASSWORD = \"canary\"\n", quiet, nil,
			"hosts/pi/host.toml:5:1: warning: DB_PASSWORD has a literal value [plaintext-secret]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r := newRepository(t)
			r.write("hosts/pi/host.toml", c.host)
			r.write("stacks/chat/compose.yaml", c.compose)
			for file, content := range c.files {
				r.write(file, content)
			}
			r.git("add", "--all")
			_, result := r.load()
			var lines []string
			for _, f := range result.Findings {
				if !f.Accepted && f.Code != images.CodeUnlocked {
					lines = append(lines, f.String())
				}
			}
			if got := strings.Join(lines, "\n"); got != c.want {
				t.Errorf("findings:\n%s\nwant:\n%s", got, c.want)
			}
			if refused := strings.Contains(c.want, "error"); (result.Files == nil) != refused {
				t.Errorf("files: %t, errors: %t", result.Files != nil, refused)
			}
		})
	}
}

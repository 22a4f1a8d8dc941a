package rules_test

import (
	"strings"
	"testing"

	"pistack/compose"
	"pistack/compose/rules"
)

const plain = "services:\n  web:\n    image: x\n    restart: unless-stopped\n"

const mounts = plain + "    volumes: [\"data:/v\"]\n"

func publish(ports string) string { return plain + "    ports: [" + ports + "]\n" }

func opens(names ...string) func(*rules.Target) {
	return func(t *rules.Target) { t.Open = append([]string{}, names...) }
}

// TestRules holds every rule to what it finds, its exact place, and what it
// leaves alone.
func TestRules(t *testing.T) {
	for _, c := range []struct {
		name    string
		fixture fixture
		want    string // lines; empty for none
	}{
		{"nothing", stacks(plain, plain), ""},

		// Ports.
		{"port of two stacks", stacks(publish(`"80:80"`), publish(`"80:8080"`)),
			"b/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does service web of stack a [port-clash]"},
		{"port in one stack", stacks("services:\n  a: {image: x, restart: always, ports: [\"80:80\"]}\n  b: {image: x, restart: always, ports: [\"80:81\"]}\n"),
			"a/compose.yaml:3:42: error: service b publishes port 80/tcp, and so does service a of stack a [port-clash]"},
		{"port twice in a service", stacks(publish(`"80:80", "80:81"`)),
			"a/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does the same service once more [port-clash]"},
		{"port of sshd", stacks(publish(`"22:22"`)).with(func(t *rules.Target) { t.Taken = []rules.Port{{22, "tcp", "sshd"}} }),
			"a/compose.yaml:5:13: error: service web publishes port 22/tcp, and so does sshd, on the host itself [port-clash]"},
		{"port of the host, other protocol", stacks(publish(`"53:53"`)).with(func(t *rules.Target) { t.Taken = []rules.Port{{53, "udp", "dnsmasq"}} }), ""},
		{"port of the host on one address", stacks(publish(`"127.0.0.1:53:53/udp"`)).with(func(t *rules.Target) { t.Taken = []rules.Port{{53, "udp", "dnsmasq"}} }),
			"a/compose.yaml:5:13: error: service web publishes port 53/udp, and so does dnsmasq, on the host itself [port-clash]"},
		{"other protocol", stacks(publish(`"53:53"`), publish(`"53:53/udp"`)), ""},
		{"two addresses", stacks(publish(`"127.0.0.1:80:80"`), publish(`"10.0.0.1:80:80"`)), ""},
		{"one and all addresses", stacks(publish(`"127.0.0.1:80:80"`), publish(`"80:80"`)),
			"b/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does service web of stack a [port-clash]"},
		{"one and all of IPv4", stacks(publish(`"127.0.0.1:80:80"`), publish(`"0.0.0.0:80:80"`)),
			"b/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does service web of stack a [port-clash]"},
		{"IPv4 and IPv6", stacks(publish(`"0.0.0.0:80:80"`), publish(`"[::]:80:80"`)), ""},
		{"IPv6 and IPv6", stacks(publish(`"[::1]:80:80"`), publish(`"[::]:80:80"`)),
			"b/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does service web of stack a [port-clash]"},
		{"IPv6 in two spellings", stacks(publish(`"[::1]:80:80"`), publish(`"[0:0::1]:80:80"`)),
			"b/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does service web of stack a [port-clash]"},
		{"ranges", stacks(publish(`"8000-8002:8000-8002"`), publish(`"8002-8003:2-3"`)),
			"b/compose.yaml:5:13: error: service web publishes port 8002/tcp, and so does service web of stack a [port-clash]"},
		{"range to choose from", stacks(publish(`"8000-8002:80"`), publish(`"8000:80"`)), ""},
		{"Docker's choice", stacks(publish(`"80", "80"`), publish(`"80"`)), ""},
		{"long syntax", stacks(publish(`{target: 80, published: "80"}`), publish(`{target: 81, published: "80", host_ip: 127.0.0.1}`)),
			"b/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does service web of stack a [port-clash]"},
		{"replicas", stacks(publish(`"80:80"`) + "    deploy: {replicas: 2}\n"),
			"a/compose.yaml:5:13: error: service web publishes port 80/tcp, and so does each of its 2 replicas [port-clash]"},
		{"no replicas", stacks(publish(`"80:80"`), publish(`"80:80"`)+"    scale: 0\n"), ""},
		{"ports on the host's network", stacks(publish(`"80:80"`), publish(`"80:80"`)+"    network_mode: host\n"),
			"b/compose.yaml:6:5: warning: service web uses the network of the host [host-network]"},
		{"port of a profile that is off", stacks(publish(`"80:80"`), publish(`"80:80"`)+"    profiles: [debug]\n"), ""},

		// Open ports.
		{"open to all", stacks(publish(`"80:80"`)).with(opens()),
			"a/compose.yaml:5:13: warning: service web publishes port 80/tcp on all addresses, and pi opens no interface: nobody outside reaches it [open-port]"},
		{"open to all, one interface", stacks(publish(`"80:80", "0.0.0.0:81:81", "[::]:82:82"`)).with(opens("tailscale0")), ""},
		{"open to all, each way to say it", stacks(publish(`"80:80", "0.0.0.0:81:81", "[::]:82:82"`)).with(opens()), lines(
			"a/compose.yaml:5:13: warning: service web publishes port 80/tcp on all addresses, and pi opens no interface: nobody outside reaches it [open-port]",
			"a/compose.yaml:5:22: warning: service web publishes port 81/tcp on all addresses, and pi opens no interface: nobody outside reaches it [open-port]",
			"a/compose.yaml:5:39: warning: service web publishes port 82/tcp on all addresses, and pi opens no interface: nobody outside reaches it [open-port]")},
		{"open on an address", stacks(publish(`"10.0.0.1:80:80"`)).with(opens()),
			"a/compose.yaml:5:13: warning: service web publishes port 80/tcp on 10.0.0.1, and pi opens no interface: nobody outside reaches it [open-port]"},
		{"open on an address, one interface", stacks(publish(`"10.0.0.1:80:80"`)).with(opens("tailscale0")), ""},
		{"loopback", stacks(publish(`"127.0.0.1:80:80", "[::1]:81:80", "127.1.2.3:82:80"`)).with(opens()), ""},
		{"open by Docker's choice", stacks(publish(`"80", "8000-8002:81"`)).with(opens()), lines(
			"a/compose.yaml:5:13: warning: service web publishes a port of Docker's choice on all addresses, and pi opens no interface: nobody outside reaches it [open-port]",
			"a/compose.yaml:5:19: warning: service web publishes a port of 8000-8002/tcp on all addresses, and pi opens no interface: nobody outside reaches it [open-port]")},
		{"any", stacks(publish(`"80:80"`)).with(opens("any")), ""},

		// Names.
		{"container_name", stacks(plain+"    container_name: db\n", plain+"    container_name: db\n"),
			"b/compose.yaml:5:5: error: container db has the name of one of service web of stack a [container-clash]"},
		{"container_name like Compose's own", stacks(plain, plain+"    container_name: a-web-1\n"),
			"b/compose.yaml:5:5: error: container a-web-1 has the name of one of service web of stack a [container-clash]"},
		{"container names differ", stacks(plain+"    container_name: db\n", plain+"    container_name: db2\n"), ""},
		{"network", stacks(plain+"networks: {default: {name: shared}}\n", plain+"networks: {default: {name: shared}}\n"),
			"b/compose.yaml:5:22: warning: network shared has the name of one of stack a [shared-name]"},
		{"network like Compose's own", stacks(plain+"networks: {default: {name: b_default}}\n", plain),
			"b/compose.yaml:1:1: warning: network b_default has the name of one of stack a [shared-name]"},
		{"network that no service is on", stacks(plain+"networks: {n: {name: shared}, m: {name: nope, external: true}}\n", plain+"networks: {n: {name: shared}}\n"), ""},
		{"volume", stacks(mounts+"volumes: {data: {name: shared}}\n", mounts+"volumes:\n  data:\n    name: shared\n"),
			"b/compose.yaml:8:5: warning: volume shared has the name of one of stack a [shared-name]"},
		{"volume that nobody mounts", stacks(mounts+"volumes: {data: {}, w: {name: nope, external: true}}\n", plain+"volumes: {data: {name: a_data}}\n"), ""},
		{"volume and network", stacks(mounts+"volumes: {data: {name: shared}}\n", plain+"networks: {default: {name: shared}}\n"), ""},
		{"shared as external", stacks(plain+"networks: {default: {name: shared}}\n", plain+"networks: {default: {name: shared, external: true}}\n"), ""},
		{"external that nobody creates", stacks(mounts + "networks: {default: {name: shared, external: true}}\nvolumes:\n  data:\n    external: true\n"), lines(
			"a/compose.yaml:6:36: error: network shared is external, and no stack of pi creates it [missing-external]",
			"a/compose.yaml:9:5: error: volume data is external, and no stack of pi creates it [missing-external]")},
		{"external network of Docker", stacks(plain + "networks: {default: {name: bridge, external: true}}\n"), ""},
		{"external by Compose's own name", stacks(mounts+"volumes: {data: {}}\n", mounts+"volumes: {data: {name: a_data, external: true}}\n"), ""},
		{"external, and a stack that does not load", stacks("services: {}\nx: 1\n", mounts+"volumes: {data: {external: true}}\n"),
			"a/compose.yaml:2:1: error: unknown key \"x\" in the file [invalid-compose]"},
		{"subnets", stacks(plain+"networks: {default: {ipam: {config: [{subnet: 10.1.0.0/16}]}}}\n", plain+"    networks: [m]\nnetworks: {m: {ipam: {config: [{subnet: 10.2.0.0/24}, {subnet: 10.1.2.3/24}]}}}\n"),
			"b/compose.yaml:6:23: error: subnet 10.1.2.0/24 of network m overlaps 10.1.0.0/16 of network default of stack a [subnet-clash]"},
		{"subnets differ", stacks(plain+"networks: {default: {ipam: {config: [{subnet: 10.1.0.0/24}]}}}\n", plain+"networks: {default: {ipam: {config: [{subnet: 10.1.1.0/24}, {subnet: \"fd00::/64\"}]}}}\n"), ""},
		{"subnet in one stack", stacks(plain + "    networks: [m, n]\nnetworks:\n  m: {ipam: {config: [{subnet: 10.1.0.0/24}]}}\n  n: {ipam: {config: [{subnet: 10.1.0.0/24}]}}\n"),
			"a/compose.yaml:8:14: error: subnet 10.1.0.0/24 of network n overlaps 10.1.0.0/24 of network m of stack a [subnet-clash]"},

		// Memory.
		{"memory", stacks(plain+"    mem_limit: 600m\n", plain+"    deploy: {replicas: 2, resources: {limits: {memory: 300m}}}\n").with(func(t *rules.Target) { t.Memory = 1 << 30 }),
			"hosts/pi/host.toml: warning: the memory limits of 2 services add up to 1.2 GiB, and pi has 1 GiB [memory-sum]"},
		{"memory, with a place", stacks(plain + "    mem_limit: 600m\n").with(func(t *rules.Target) {
			t.Memory, t.MemoryAt = 512<<20, compose.Position{File: "hosts/pi/host.toml", Line: 4, Column: 1}
		}), "hosts/pi/host.toml:4:1: warning: the memory limits of 1 services add up to 600 MiB, and pi has 512 MiB [memory-sum]"},
		{"memory fits", stacks(plain + "    mem_limit: 1g\n").with(func(t *rules.Target) { t.Memory = 1 << 30 }), ""},
		{"memory is not known", stacks(plain + "    mem_limit: 900g\n"), ""},
		{"memory of a scale without end", stacks(plain + "    mem_limit: 999999999g\n    scale: 2000000000\n").with(func(t *rules.Target) { t.Memory = 1 << 30 }),
			"hosts/pi/host.toml: warning: the memory limits of 1 services add up to 4096000 GiB, and pi has 1 GiB [memory-sum]"},
		{"no memory cgroup", stacks(plain+"    mem_limit: 1m\n", plain+"    deploy: {resources: {limits: {memory: 1m}}}\n", plain).with(func(t *rules.Target) { t.NoMemoryCgroup = true }), lines(
			"a/compose.yaml:5:5: warning: the memory limit of service web has no effect: the kernel of pi leaves the memory controller off [memory-cgroup]",
			"b/compose.yaml:5:35: warning: the memory limit of service web has no effect: the kernel of pi leaves the memory controller off [memory-cgroup]")},

		// Secrets.
		{"unused secret", stacks(plain).with(func(t *rules.Target) {
			t.Secrets = []rules.Secret{{"A", "hosts/pi/secrets/A.age", false}, {"B", "hosts/pi/secrets/B.age", true}}
		}), "hosts/pi/secrets/A.age: warning: no stack and no NixOS file of pi uses the secret A [unused-secret]"},

		{"secret of a registry", stacks(plain).with(func(t *rules.Target) {
			t.Secrets = []rules.Secret{{"A", "hosts/pi/secrets/A.age", true}}
			t.Logins = []rules.Login{{"a.example", "A", compose.Position{File: "hosts/pi/host.toml", Line: 4, Column: 1}}, {"docker.io", "B", compose.Position{File: "hosts/pi/host.toml", Line: 5, Column: 1}}}
		}), "hosts/pi/host.toml:5:1: error: pi has no secret B, with which it is to log in to docker.io [missing-login]"},

		// Restart.
		{"no restart policy", stacks("services:\n  web:\n    image: x\n"),
			"a/compose.yaml:2:3: warning: service web has no restart policy: once it crashes it stays down [restart]"},
		{"restart by deploy", stacks("services:\n  web:\n    image: x\n    deploy: {restart_policy: {condition: any}}\n"), ""},
		{"restart on failure", stacks("services:\n  web:\n    image: x\n    restart: on-failure:3\n"), ""},
		{"one-shot", stacks("services:\n  web:\n    image: x\n    restart: \"no\"\n"),
			"a/compose.yaml:4:5: warning: service web ends and nothing waits for it: up --wait fails on the device, even if it ends well [one-shot]"},
		{"one-shot by deploy", stacks("services:\n  web:\n    image: x\n    deploy: {restart_policy: {condition: none}}\n"),
			"a/compose.yaml:2:3: warning: service web ends and nothing waits for it: up --wait fails on the device, even if it ends well [one-shot]"},
		{"one-shot that is waited for", one("    depends_on: {init: {condition: service_completed_successfully}}\n  init: {image: x}\n  more: {image: x, restart: \"no\"}\n").
			file("b/compose.yaml", plain+"    depends_on: {init: {condition: service_completed_successfully}}\n  init: {image: x, restart: \"no\"}\n"),
			"a/compose.yaml:7:20: warning: service more ends and nothing waits for it: up --wait fails on the device, even if it ends well [one-shot]"},
		{"one-shot that is only started first", one("    depends_on: [init]\n  init: {image: x, restart: \"no\"}\n"),
			"a/compose.yaml:6:20: warning: service init ends and nothing waits for it: up --wait fails on the device, even if it ends well [one-shot]"},
		{"one-shot that never ends", one("    depends_on: {init: {condition: service_completed_successfully}}\n  init: {image: x, restart: always}\n"),
			"a/compose.yaml:6:20: warning: service init is waited for until it ends, and restart: always starts it again each time [one-shot]"},

		// Health.
		{"no healthcheck", one("    depends_on: {db: {condition: service_healthy}}\n  db: {image: x, restart: always}\n"),
			"a/compose.yaml:5:18: warning: service web waits until db is healthy, which has no healthcheck in its file [missing-healthcheck]"},
		{"healthcheck off", one("    depends_on: {db: {condition: service_healthy}}\n  db: {image: x, restart: always, healthcheck: {disable: true}}\n"),
			"a/compose.yaml:5:18: warning: service web waits until db is healthy, which turns its healthcheck off [missing-healthcheck]"},
		{"healthcheck NONE", one("    depends_on: {db: {condition: service_healthy}}\n  db: {image: x, restart: always, healthcheck: {test: [NONE]}}\n"),
			"a/compose.yaml:5:18: warning: service web waits until db is healthy, which turns its healthcheck off [missing-healthcheck]"},
		{"healthcheck", one("    depends_on: {db: {condition: service_healthy}}\n  db: {image: x, restart: always, healthcheck: {test: [CMD, x]}}\n"), ""},
		{"started is enough", one("    depends_on: [db]\n  db: {image: x, restart: always}\n"), ""},

		// Logs and state.
		{"json-file", one("    logging: {driver: json-file}\n"),
			"a/compose.yaml:5:5: warning: service web logs to json-file without max-size: its log grows until the disk is full [unbounded-log]"},
		{"json-file without an end", one("    logging: {driver: json-file, options: {max-size: \"-1\"}}\n"),
			"a/compose.yaml:5:5: warning: service web logs to json-file without max-size: its log grows until the disk is full [unbounded-log]"},
		{"json-file with a limit", one("    logging: {driver: json-file, options: {max-size: 10m}}\n"), ""},
		{"other logs", one("    logging: {options: {max-file: \"3\"}}\n").file("b/compose.yaml", plain+"    logging: {driver: journald}\n"), ""},
		{"state", fixture{files: one("    volumes:\n      - ./data:/data\n      - ./conf:/conf\n      - v:/v\nvolumes: {v: }\n").file("a/conf/x", "x").files, ignored: []string{"a/data"}},
			"a/compose.yaml:6:9: note: data of service web is /var/lib/pistack/a/data on the device, empty at first and owned by root [state-bind]"},
		{"files that a laptop alone reads", one().file("a/compose.override.yaml", "x").file("a/docker-compose.yml", "x").file("a/compose.yml", "x").file("a/sub/compose.override.yaml", "x"), lines(
			"a/compose.override.yaml: warning: docker compose reads this on a laptop, and no host does [ignored-file]",
			"a/compose.yml: warning: docker compose reads this on a laptop, and no host does [ignored-file]",
			"a/docker-compose.yml: warning: docker compose reads this on a laptop, and no host does [ignored-file]")},
		{"a file of a host that is not there", one().file("a/compose.pj.yaml", "x").file("a/other.yaml", "x"),
			"a/compose.pj.yaml: warning: no host is called \"pj\", so nobody reads this [ignored-file]"},
		{"an override that is for laptops", stacks("x-pistack: {accept: {ignored-file: for laptops}}\n"+plain).file("a/compose.override.yaml", "x"),
			"a/compose.override.yaml: warning: docker compose reads this on a laptop, and no host does [ignored-file] accepted: for laptops"},
		{"a range of ports", stacks(publish(`"7000-7003:7000-7003/udp"`)).with(opens()),
			"a/compose.yaml:5:13: warning: service web publishes ports 7000-7003/udp on all addresses, and pi opens no interface: nobody outside reaches it [open-port]"},

		// Privileges.
		{"socket", one("    volumes: [\"/var/run/docker.sock:/var/run/docker.sock:ro\"]\n"),
			"a/compose.yaml:5:15: warning: service web mounts /var/run/docker.sock, and is root on the device with it [docker-socket]"},
		{"folders above the socket", one("    volumes:\n      - /run/:/run\n      - type: bind\n        source: /\n        target: /host\n        read_only: true\n"), lines(
			"a/compose.yaml:6:9: warning: service web mounts /run/, and is root on the device with it [docker-socket]",
			"a/compose.yaml:7:9: warning: service web mounts /, and is root on the device with it [docker-socket]")},
		{"socket by Compose", one("    use_api_socket: true\n"),
			"a/compose.yaml:5:5: warning: service web uses Docker's socket, and is root on the device with it [docker-socket]"},
		{"other folders", one("    volumes: [\"/run/dbus:/run/dbus\", \"/etc/localtime:/etc/localtime\", \"/var/lib/x:/x\"]\n"), ""},
		{"privileged", one("    privileged: true\n"), "a/compose.yaml:5:5: warning: service web is privileged: it is root on the device [privileged]"},
		{"not privileged", one("    privileged: false\n"), ""},
		{"host network", one("    network_mode: host\n"), "a/compose.yaml:5:5: warning: service web uses the network of the host [host-network]"},
		{"other networks", one("    networks: [host]\nnetworks: {host: {}}\n").file("b/compose.yaml", plain+"    network_mode: none\n"), ""},
		{"host's processes", one("    pid: host\n    ipc: host\n"), "a/compose.yaml:5:5: warning: service web has pid: host, ipc: host [host-namespace]"},
		{"shared memory", one("    ipc: host\n"), "a/compose.yaml:5:5: warning: service web has ipc: host [host-namespace]"},
		{"processes of another service", one("    pid: service:db\n  db: {image: x, restart: always}\n"), ""},
		{"capabilities", one("    cap_add: [NET_ADMIN, CAP_SYS_ADMIN, all]\n"), "a/compose.yaml:5:5: warning: service web has SYS_ADMIN, ALL: it is as good as root on the device [capability]"},
		{"harmless capabilities", one("    cap_add: [NET_ADMIN, NET_BIND_SERVICE]\n"), ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 2 { // maps inside must not show
				found := c.fixture.findings(t)
				if got := text(found); got != c.want {
					t.Fatalf("findings:\n%s\nwant:\n%s", got, c.want)
				}
				for _, f := range found {
					if rule, known := rules.Lookup(f.Code); !known || rule.Severity != f.Severity {
						t.Errorf("%s: not in the table with this severity", f)
					}
					if f.Fix == "" && f.Code != compose.CodeModel || strings.ContainsAny(f.Message+f.Fix, "\n⟦") {
						t.Errorf("no hint, a token or a line break: %+v", f)
					}
				}
			}
		})
	}
}

// TestCodes: every code is in the table once, with all that is to be said.
func TestCodes(t *testing.T) {
	seen := map[compose.Code]bool{}
	for _, r := range rules.All() {
		switch {
		case seen[r.Code]:
			t.Errorf("%s is there twice", r.Code)
		case r.Summary == "" || r.Why == "" || r.Fix == "" || !r.Severity.AtLeast(compose.Note):
			t.Errorf("%s: no severity, summary, explanation or fix", r.Code)
		case strings.HasSuffix(r.Summary, ".") || !strings.HasSuffix(r.Why, "."):
			t.Errorf("%s: the summary ends with a full stop, or the explanation without one", r.Code)
		}
		seen[r.Code] = true
	}
	for _, code := range []compose.Code{
		compose.CodeRead, compose.CodeSyntax, compose.CodeModel, compose.CodeUnsupported, compose.CodeUndefined, compose.CodeMissing,
		compose.CodeLeak, compose.CodeInEnv, compose.CodeOwner, compose.CodePath, compose.CodeUntracked,
	} {
		if !seen[code] {
			t.Errorf("%s is not explained", code)
		}
	}
	if _, known := rules.Lookup("nope"); known {
		t.Error("nope is known")
	}
}

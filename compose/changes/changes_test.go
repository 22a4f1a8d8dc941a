package changes_test

import (
	"slices"
	"strings"
	"testing"

	"pistack/compose/changes"
)

// web is a stack of one service with these keys.
func web(keys ...string) string {
	return "services:\n  web:\n    image: x:1\n    " + strings.Join(keys, "\n    ") + "\n"
}

// cases are changes with what they do. Each is also tested against itself and
// backwards.
var cases = []struct {
	name          string
	before, after side
	want          []string
}{
	// Every effect.
	{"the stack is new", side{}, side{yaml: web()}, []string{"! unpinned-image web: image x:1 is not pinned to a digest", "web: create: the stack is new on this host"}},
	{"the stack leaves", side{yaml: web("volumes: [\"dd:/d\", \"./state:/s\"]") + "volumes: {dd: }\n"}, side{}, []string{
		"! volume-left : the stack leaves this host, and its data stays there: /var/lib/pistack/s/state, volume s_dd",
		"web: remove: the stack leaves this host; volumes are kept"}},
	{"a new service", side{yaml: web()}, side{yaml: web() + "  db:\n    image: y\n"}, []string{"! unpinned-image db: image y is not pinned to a digest", "db: create: the service is new"}},
	{"a service is gone", side{yaml: web() + "  db:\n    image: y\n"}, side{yaml: web()}, []string{"db: remove: the service is gone; volumes are kept"}},
	{"a profile disables", side{yaml: web()}, side{yaml: web("profiles: [debug]") + "  other:\n    image: y\n"}, []string{
		"! unpinned-image other: image y is not pinned to a digest", "! left-running web: its container runs on, without an owner: docker rm -f it, or take the service out of the file",
		"other: create: the service is new",
		"web: none: a profile disables it: its container runs on, and Compose leaves it alone"}},
	{"a profile enables", side{yaml: web("profiles: [debug]")}, side{yaml: web("profiles: [debug]"), env: map[string]string{"COMPOSE_PROFILES": "debug"}}, []string{"! unpinned-image web: image x:1 is not pinned to a digest", "web: create: a profile enables it"}},
	{"an image's tag", side{yaml: web()}, side{yaml: strings.Replace(web(), "x:1", "x:2", 1)}, []string{"! unpinned-image web: image x:2 is not pinned to a digest", "web: pull: image tag 1 -> 2"}},
	{"another image", side{yaml: web()}, side{yaml: strings.Replace(web(), "x:1", "r.example:5000/y", 1)}, []string{"! unpinned-image web: image r.example:5000/y is not pinned to a digest", "web: pull: image x:1 -> r.example:5000/y"}},
	{"an image gets a digest", side{yaml: web()}, side{yaml: strings.Replace(web(), "x:1", digest("a"), 1)}, []string{"web: pull: image is pinned to a digest"}},
	{"an image's digest", side{yaml: strings.Replace(web(), "x:1", digest("a"), 1)}, side{yaml: strings.Replace(web(), "x:1", digest("b"), 1)}, []string{"web: pull: image digest changed"}},
	{"scale", side{yaml: web("scale: 1")}, side{yaml: web("scale: 3")}, []string{"web: scale: 3 containers instead of 1"}},
	{"replicas", side{yaml: web("deploy: {replicas: 2}")}, side{yaml: web("deploy: {replicas: 1}")}, []string{"web: scale: 1 containers instead of 2"}},

	// What Compose does not look at.
	{"a comment", side{yaml: web()}, side{yaml: "# new\n" + web()}, nil},
	{"an extension", side{yaml: web()}, side{yaml: web() + "x-note: 1\n"}, nil},
	{"pull policy", side{yaml: web()}, side{yaml: web("pull_policy: always")}, []string{"web: none: pull_policy added"}},
	{"depends_on", side{yaml: web() + "  db:\n    image: y\n"}, side{yaml: web("depends_on: [db]") + "  db:\n    image: y\n"}, []string{"web: none: depends_on added"}},
	{"profiles that are on", side{yaml: web("profiles: [a]"), env: map[string]string{"COMPOSE_PROFILES": "a,b"}}, side{yaml: web("profiles: [b]"), env: map[string]string{"COMPOSE_PROFILES": "a,b"}}, []string{"web: none: profiles changed"}},
	{"whether an env file is required", side{yaml: web("env_file: [{path: a.env, required: true}]"), files: map[string]string{"a.env": "A=1\n"}},
		side{yaml: web("env_file: [{path: a.env, required: false}]"), files: map[string]string{"a.env": "A=1\n"}}, []string{"web: none: env_file changed"}},
	{"both forms of one thing", side{yaml: web("environment: [A=1, B=2]", "ports: [\"127.0.0.1:80:80\"]")}, side{yaml: web("environment: {B: \"2\", A: 1}", "ports: [{target: 80, published: \"80\", host_ip: 127.0.0.1}]")}, nil},

	// What it does look at.
	{"command", side{yaml: web()}, side{yaml: web("command: [a, b]")}, []string{"web: recreate: command added"}},
	{"an empty command is one", side{yaml: web()}, side{yaml: web("command: []")}, []string{"web: recreate: command added"}},
	{"a variable", side{yaml: web("environment: {A: 1, B: 2, E: 1}")}, side{yaml: web("environment: {A: 2, C: 3, D: 4, E: 1}")}, []string{"web: recreate: environment A changed, B removed, C added and 1 more"}},
	{"a label", side{yaml: web("labels: [a=1]")}, side{yaml: web("labels: {a: \"2\"}")}, []string{"web: recreate: labels a changed"}},
	{"a variable by way of .env", side{yaml: web("command: $A"), files: map[string]string{".env": "A=1\n"}}, side{yaml: web("command: $A"), files: map[string]string{".env": "A=2\n"}}, []string{"web: recreate: command changed"}},
	{"a variable by way of the host", side{yaml: web("command: $A"), env: map[string]string{"A": "1"}}, side{yaml: web("command: $A"), env: map[string]string{"A": "2"}}, []string{"web: recreate: command changed"}},
	{"several keys", side{yaml: web("user: a", "restart: always")}, side{yaml: web("user: b", "hostname: h")}, []string{"web: recreate: hostname added; restart removed; user changed"}},
	{"the order of a list", side{yaml: web("cap_add: [A, B]")}, side{yaml: web("cap_add: [B, A]")}, []string{"web: recreate: cap_add changed"}},
	{"a memory limit", side{yaml: web("deploy: {resources: {limits: {memory: 512m}}}")}, side{yaml: web("deploy: {resources: {limits: {memory: 1g}}}")}, []string{"web: recreate: deploy changed"}},

	// Causes that Compose does not see, and the label carries.
	{"a secret's value, as a variable", side{yaml: web("environment: {A: $KEY}"), secrets: map[string]string{"KEY": "v1"}}, side{yaml: web("environment: {A: $KEY}"), secrets: map[string]string{"KEY": "v2"}}, []string{"web: recreate: secret KEY has a new value"}},
	{"a secret's value, as a file", side{yaml: withSecret, secrets: map[string]string{"KEY": "v1"}}, side{yaml: withSecret, secrets: map[string]string{"KEY": "v2"}}, []string{"web: recreate: secret KEY has a new value"}},
	{"a secret that nobody uses", side{yaml: web(), secrets: map[string]string{"KEY": "v1"}}, side{yaml: web(), secrets: map[string]string{"KEY": "v2"}}, nil},
	{"a secret's owner", side{yaml: withSecret, secrets: map[string]string{"KEY": "v1"}}, side{yaml: strings.Replace(withSecret, "[KEY]", "[{source: KEY, uid: \"5\"}]", 1), secrets: map[string]string{"KEY": "v1"}}, []string{"web: recreate: secrets changed"}},
	{"a literal becomes a secret", side{yaml: web("environment: {A: x}"), secrets: map[string]string{"KEY": "v1"}}, side{yaml: web("environment: {A: $KEY}"), secrets: map[string]string{"KEY": "v1"}}, []string{"web: recreate: environment A changed; secret KEY is used"}},
	{"a mounted file", side{yaml: web("volumes: [\"./a.conf:/a\"]"), files: map[string]string{"a.conf": "1"}}, side{yaml: web("volumes: [\"./a.conf:/a\"]"), files: map[string]string{"a.conf": "2"}}, []string{"web: recreate: config file a.conf changed"}},
	{"a file in a mounted folder", side{yaml: web("volumes: [\"./a:/a\"]"), files: map[string]string{"a/b": "1", "a/c": "1"}}, side{yaml: web("volumes: [\"./a:/a\"]"), files: map[string]string{"a/b": "1", "a/d": "1"}}, []string{"web: recreate: config file a/c removed; config file a/d added"}},
	{"an env file", side{yaml: web("env_file: a.env"), files: map[string]string{"a.env": "A=1\n"}}, side{yaml: web("env_file: a.env"), files: map[string]string{"a.env": "A=2\n"}}, []string{"web: recreate: config file a.env changed"}},
	{"a config", side{yaml: web("configs: [c]") + "configs: {c: {content: a}}\n"}, side{yaml: web("configs: [c]") + "configs: {c: {content: b}}\n"}, []string{"web: recreate: config c changed"}},
	{"a file that nobody mounts", side{yaml: web(), files: map[string]string{"README": "1"}}, side{yaml: web(), files: map[string]string{"README": "2"}}, nil},
	{"configuration becomes state", side{yaml: web("volumes: [\"./a:/a\"]"), files: map[string]string{"a/b": "1"}}, side{yaml: web("volumes: [\"./a:/a\"]")}, []string{"web: recreate: volumes changed; config file a/b removed"}},

	// By way of other parts.
	{"base of extends", side{yaml: extending("environment: {A: 1}", "image: x:1")}, side{yaml: extending("environment: {A: 2}", "image: x:2")}, []string{"! unpinned-image base: image x:2 is not pinned to a digest", "! unpinned-image web: image x:2 is not pinned to a digest", "base: pull: image tag 1 -> 2; environment A changed", "web: pull: base of extends changed: image tag 1 -> 2, environment A changed"}},
	{"own text of an extending service", side{yaml: extending("environment: {A: 1}", "image: x") + "    user: a\n"}, side{yaml: extending("environment: {A: 1}", "image: x") + "    user: b\n"}, []string{"web: recreate: user changed"}},
	{"a network", side{yaml: networked("driver_opts: {a: \"1\"}")}, side{yaml: networked("driver_opts: {a: \"2\"}")}, []string{"web: recreate: network n changed"}},
	{"namespaces", side{yaml: web("user: a") + followers}, side{yaml: web("user: b") + followers}, []string{
		"data: recreate: it lives in the container of web", "far: recreate: it lives in the container of side", "side: recreate: it lives in the container of web",
		"told: restart: it restarts with web", "web: recreate: user changed"}},
	{"restart: true of a service that stays", side{yaml: web("pull_policy: always") + followers}, side{yaml: web() + followers}, []string{"web: none: pull_policy removed"}},

	// Dangers.
	{"a port opens", side{yaml: web("ports: [\"127.0.0.1:80:80\"]")}, side{yaml: web("ports: [\"80:80\"]")}, []string{"! public-port web: port 80/tcp is open on all addresses, and was on 127.0.0.1 only", "web: recreate: ports changed"}},
	{"a port on one address opens", side{yaml: web("ports: [\"10.0.0.1:80:80\"]")}, side{yaml: web("ports: [\"80:80\"]")}, []string{"! public-port web: port 80/tcp is open on all addresses, and was on 10.0.0.1 only", "web: recreate: ports changed"}},
	{"a port closes", side{yaml: web("ports: [\"80:80\"]")}, side{yaml: web("ports: [\"[::1]:80:80\"]")}, []string{"web: recreate: ports changed"}},
	{"a port moves to another service", side{yaml: web("ports: [\"80:80\"]") + "  b:\n    image: y\n"}, side{yaml: web() + "  b:\n    image: y\n    ports: [\"80:8080\"]\n"}, []string{"b: recreate: ports added", "web: recreate: ports removed"}},
	{"a random port", side{yaml: web()}, side{yaml: web("ports: [\"80/udp\"]")}, []string{"! public-port web: port (random) to 80/udp is open on all addresses", "web: recreate: ports added"}},
	{"privileged", side{yaml: web()}, side{yaml: web("privileged: true", "pid: host", "cap_add: [SYS_ADMIN]")}, []string{
		"! privileged web: it is privileged: it can do what root on the host can",
		"! privileged web: it gets the capability SYS_ADMIN, with which it can do nearly what root on the host can",
		"! privileged web: it sees the host's processes", "web: recreate: cap_add added; pid added; privileged added"}},
	{"Docker's socket", side{yaml: web()}, side{yaml: web("volumes: [\"/var/run/docker.sock:/s:ro\", \"/:/host\"]")}, []string{
		"! docker-socket web: it gets Docker's socket: it can start any container, and so do what root on the host can",
		"! host-files web: it gets all files of the host", "web: recreate: volumes added"}},
	{"the host's network", side{yaml: web()}, side{yaml: web("network_mode: host")}, []string{
		"! host-network web: it is in the host's network: each of its ports is one of the host, whatever \"ports\" says", "web: recreate: network_mode added; networks removed"}},
	{"a volume gets another key", side{yaml: data("aa", "aa: ")}, side{yaml: data("bb", "bb: ")}, []string{"! volume-left web: /d gets volume s_bb, and its data stays behind in volume s_aa", "web: recreate: volumes changed"}},
	{"a volume gets another name", side{yaml: data("aa", "aa: ")}, side{yaml: data("aa", "aa: {name: other}")}, []string{"! volume-left web: /d gets volume other, and its data stays behind in volume s_aa", "web: recreate: volume aa is other instead of s_aa"}},
	{"the same volume under another key", side{yaml: data("aa", "aa: {name: n}")}, side{yaml: data("bb", "bb: {name: n}")}, []string{"web: recreate: volumes changed"}},
	{"a volume is gone", side{yaml: data("aa", "aa: ")}, side{yaml: web()}, []string{"! volume-left : no service uses it any more, and its data stays behind: volume s_aa", "web: recreate: volumes removed"}},
	{"a volume moves to another service", side{yaml: data("aa", "aa: ")}, side{yaml: web() + "  b:\n    image: y\n    volumes: [\"aa:/d\"]\nvolumes: {aa: }\n"}, []string{"! unpinned-image b: image y is not pinned to a digest", "b: create: the service is new", "web: recreate: volumes removed"}},
	{"a volume's configuration", side{yaml: data("aa", "aa: ")}, side{yaml: data("aa", "aa: {driver_opts: {type: nfs}}")}, []string{"! volume-config : volume s_aa has another configuration: Compose keeps the old volume as it is, or asks to delete it with its data"}},
	{"state moves", side{yaml: web("volumes: [\"./a:/d\"]")}, side{yaml: web("volumes: [\"./b:/d\"]")}, []string{"! volume-left web: /d gets /var/lib/pistack/s/b, and its data stays behind in /var/lib/pistack/s/a", "web: recreate: volumes changed"}},
	{"an anonymous volume", side{yaml: web("volumes: [/d]")}, side{yaml: web("volumes: [/e]")}, []string{"! anonymous-volume web: the data at /d is in a volume without a name: the new version does not find it again", "web: recreate: volumes changed"}},
	{"an anonymous volume that stays", side{yaml: web("volumes: [/d]")}, side{yaml: web("volumes: [/d]", "user: a")}, []string{"web: recreate: user added"}},
	{"an anonymous volume of a removed service", side{yaml: web() + "  b:\n    image: y\n    volumes: [/d]\n"}, side{yaml: web()}, []string{"! anonymous-volume b: the data at /d is in a volume without a name: the new version does not find it again", "b: remove: the service is gone; volumes are kept"}},
	{"an image loses its digest", side{yaml: strings.Replace(web(), "x:1", digest("a"), 1)}, side{yaml: web()}, []string{"! unpinned-image web: image x:1 is no longer pinned to a digest", "web: pull: image is no longer pinned to a digest"}},
	{"an image without digest that stays", side{yaml: web()}, side{yaml: web("user: a")}, []string{"web: recreate: user added"}},
	{"an image without digest among others", side{yaml: web() + "  b:\n    image: " + digest("a") + "\n"}, side{yaml: strings.Replace(web(), "x:1", "x:2", 1) + "  b:\n    image: " + digest("a") + "\n"}, []string{"! unpinned-image web: image x:2 is not pinned to a digest", "web: pull: image tag 1 -> 2"}},
}

const withSecret = "services:\n  web:\n    image: x:1\n    secrets: [KEY]\nsecrets: {KEY: {environment: KEY}}\n"

const followers = `  side:
    image: y
    network_mode: service:web
  far:
    image: y
    pid: service:side
  data:
    image: y
    volumes_from: [web]
  told:
    image: y
    depends_on: {web: {condition: service_started, restart: true}}
  plain:
    image: y
    depends_on: [web]
`

func digest(letter string) string { return "x:1@sha256:" + strings.Repeat(letter, 64) }

// extending is a service web that extends base, and says nothing of its own.
func extending(keys ...string) string {
	return "services:\n  base:\n    " + strings.Join(keys, "\n    ") + "\n  web:\n    extends: {service: base}\n"
}

func networked(network string) string {
	return web("networks: [n]") + "  other:\n    image: y\nnetworks: {n: {" + network + "}}\n"
}

// data is web with volume at /d.
func data(volume, volumes string) string {
	return web("volumes: [\""+volume+":/d\"]") + "volumes: {" + volumes + "}\n"
}

func TestBetween(t *testing.T) {
	for _, c := range cases {
		t.Run(c.name, func(t *testing.T) {
			before, after := c.before.mustLoad(t), c.after.mustLoad(t)
			got := between(before, after)
			if !slices.Equal(lines(got), c.want) {
				t.Errorf("got\n  %s\nwant\n  %s", strings.Join(lines(got), "\n  "), strings.Join(c.want, "\n  "))
			}
			if len(c.want) > 0 && len(got.Details) == 0 {
				t.Error("no details")
			}
			holds(t, c.before, c.after)
		})
	}
}

// TestEveryEffect: the table above leaves none out.
func TestEveryEffect(t *testing.T) {
	seen := map[changes.Effect]bool{}
	for _, c := range cases {
		for _, line := range c.want {
			for _, e := range changes.Effects() {
				if strings.Contains(line, ": "+string(e)+": ") {
					seen[e] = true
				}
			}
		}
	}
	for _, e := range changes.Effects() {
		if !seen[e] && e != changes.Rebuild { // of a stack that builds: none loads yet
			t.Errorf("no case with effect %s", e)
		}
	}
}

// TestImages: what a lock pins is the image, and what it knows of platforms is a
// danger where it is new.
func TestImages(t *testing.T) {
	stack := side{yaml: web() + "  b:\n    image: y\n"}.mustLoad(t)
	const wrong = "exists for linux/amd64 only, and the host is linux/arm64"
	pinned := func(letter, why string) changes.Version {
		return changes.Version{Stack: stack, Images: map[string]string{"web": digest(letter)}, Wrong: map[string]string{"web": why}}
	}
	for _, c := range []struct {
		name          string
		before, after changes.Version
		want          []string
	}{
		{"the same", pinned("a", wrong), pinned("a", wrong), nil},
		{"locked", changes.Version{Stack: stack}, pinned("a", ""), []string{"web: pull: image is pinned to a digest"}},
		{"updated", pinned("a", ""), pinned("b", ""), []string{"web: pull: image digest changed"}},
		{"unlocked", pinned("a", ""), changes.Version{Stack: stack}, []string{"! unpinned-image web: image x:1 is no longer pinned to a digest", "web: pull: image is no longer pinned to a digest"}},
		{"for another platform", pinned("a", ""), pinned("b", wrong), []string{"! wrong-platform web: image " + digest("b") + " " + wrong, "web: pull: image digest changed"}},
	} {
		if got := lines(changes.Between(c.before, c.after)); !slices.Equal(got, c.want) {
			t.Errorf("%s: got %q, want %q", c.name, got, c.want)
		}
	}
}

func TestDetails(t *testing.T) {
	before := side{yaml: web("mem_limit: 512m", "shm_size: 1000", "ports: [\"127.0.0.1:8080:80\"]", "stop_grace_period: 90s",
		"environment: {DB_PASSWORD: hunter2, URL: \"pg://u:hunter2@db/x\", A: $KEY, TOKEN_FILE: /t}", "labels: {a.b/c: \"1\"}", "command: [run, \"--token\"]"),
		secrets: map[string]string{"KEY": "v1"}}
	after := side{yaml: web("mem_limit: 1.5g", "shm_size: 2g", "ports: [\"8080:80\"]", "stop_grace_period: 2m",
		"environment: {DB_PASSWORD: hunter3, URL: \"pg://u:hunter3@db/x\", A: $KEY, TOKEN_FILE: /u}", "labels: {a.b/c: \"2\"}", "command: []"),
		secrets: map[string]string{"KEY": "v2"}}
	got := details(between(before.mustLoad(t), after.mustLoad(t)))
	want := []string{
		"services.web.command: run, --token -> (none)",
		"services.web.environment.DB_PASSWORD: (hidden) -> (hidden, changed)",
		"services.web.environment.TOKEN_FILE: /t -> /u",
		"services.web.environment.URL: pg://u:***@db/x -> pg://u:***@db/x (changed)",
		"services.web.inputs.secrets.KEY: (value) -> (value, changed)",
		`services.web.labels["a.b/c"]: 1 -> 2`,
		"services.web.mem_limit: 512 MiB -> 1536 MiB",
		"services.web.ports[80/tcp]: 8080 on 127.0.0.1 -> 8080 on all addresses",
		"services.web.shm_size: 1000 bytes -> 2 GiB",
		"services.web.stop_grace_period: 1m30s -> 2m0s",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n  %s\nwant\n  %s", strings.Join(got, "\n  "), strings.Join(want, "\n  "))
	}
}

// TestCanary: no secret that stands in clear is shown, wherever it stands, and
// that it is another one is.
func TestCanary(t *testing.T) {
	const token = "ghp_CANARYefghijklmnopqrstuvwxyz012345678"
	for _, keys := range []string{
		`environment: {T: "TOKEN1"}`,
		`environment: {T: "x TOKEN1 y"}`,
		`environment: {DB_PASS: CANARY1}`,
		`environment: {OPTS: "-Dpassword=CANARY1"}`,
		`command: ["--token=TOKEN1"]`,
		`command: ["--password=CANARY1"]`,
		`command: ["--token", CANARY1]`,
		`command: ["-e", "API_KEY=CANARY1"]`,
		`command: app --password=CANARY1`,
		`entrypoint: [sh, -c, "app --token CANARY1"]`,
		`labels: {api_token: CANARY1}`,
		`labels: ["app.api-key=CANARY1"]`,
		`labels: ["TOKEN1=x"]`,
		`hostname: TOKEN1`,
		`logging: {driver: x, options: {splunk-token: CANARY1}}`,
		`healthcheck: {test: "curl -H 'Authorization: Bearer CANARY1' x"}`,
		`ports: [{target: 80, published: "80", host_ip: 127.0.0.1, name: TOKEN1}]`,
	} {
		before := strings.NewReplacer("TOKEN1", token+"1", "CANARY1", "CANARY1").Replace(keys)
		after := strings.NewReplacer("TOKEN1", token+"2", "CANARY1", "CANARY2").Replace(keys)
		for _, s := range [][2]side{{{yaml: web(before)}, {yaml: web(after)}}, {{yaml: web()}, {yaml: web(after)}}, {{yaml: web(before)}, {yaml: web()}}} {
			got := between(s[0].mustLoad(t), s[1].mustLoad(t))
			if shown := strings.Join(append(lines(got), details(got)...), "\n"); strings.Contains(shown, "CANARY") || len(got.Details) == 0 {
				t.Errorf("%s is shown as:\n%s", keys, shown)
			}
		}
	}
	for _, d := range []changes.Detail{changes.NewDetail("env.T", token+"1", token+"2"), changes.NewDetail("env.DB_PASS", "CANARY1", "CANARY2"), changes.NewDetail("note", "--token=CANARY1", "")} {
		if got := details(changes.Changes{Details: []changes.Detail{d}})[0]; strings.Contains(got, "CANARY") {
			t.Errorf("a setting is shown as %s", got)
		}
	}
}

// holds checks what is true of any two versions: nothing is different from
// itself, both directions name the same paths, and an effect has a cause and,
// like a danger, a detail. No value of a secret is anywhere.
func holds(t *testing.T, a, b side) {
	t.Helper()
	one, other := a.mustLoad(t), b.mustLoad(t)
	for _, s := range []side{a, b} {
		if same := between(s.mustLoad(t), s.mustLoad(t)); !same.Empty() {
			t.Errorf("different from itself: %v %v", lines(same), details(same))
		}
	}
	there, back := between(one, other), between(other, one)
	if x, y := pathsOf(there), pathsOf(back); !slices.Equal(x, y) {
		t.Errorf("paths differ by direction:\n%q\n%q", x, y)
	}
	if !slices.Equal(lines(there), lines(between(one, other))) {
		t.Error("another result the second time")
	}
	for _, s := range there.Services {
		if len(s.Causes) == 0 {
			t.Errorf("%s: %s without a cause", s.Name, s.Effect)
		}
	}
	if len(there.Services)+len(there.Dangers) > 0 && len(there.Details) == 0 {
		t.Errorf("no details: %v", lines(there))
	}
}

func pathsOf(c changes.Changes) []string {
	var paths []string
	for _, d := range c.Details {
		paths = append(paths, d.Path)
	}
	return paths
}

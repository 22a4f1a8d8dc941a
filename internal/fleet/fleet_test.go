package fleet_test

import (
	"errors"
	"maps"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/internal/fleet"
)

const settings = "operators = [\"age1example\"]\n"

// repository writes a fleet with one good stack and host, and the given files
// over them; an empty content leaves a file out.
func repository(t *testing.T, files map[string]string) string {
	t.Helper()
	all := map[string]string{
		"fleet.toml":               settings,
		"stacks/chat/compose.yaml": "services: {}\n",
		"hosts/pi/host.toml":       good,
	}
	maps.Copy(all, files)
	root := t.TempDir()
	for name, content := range all {
		if content == "" {
			continue
		}
		path := filepath.Join(root, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(content), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	return root
}

const good = `address = "pi.local"
system = "aarch64-linux"
board = "rpi4"
roles = ["ai"]
stacks = ["chat"]
tags = ["lab", "ai2"]

[ssh]
user = "admin"
port = 2222

[env]
TZ = "Europe/Berlin"
`

func load(t *testing.T, files map[string]string) (*fleet.Fleet, error) {
	t.Helper()
	return fleet.Load(repository(t, files))
}

func TestLoad(t *testing.T) {
	root := repository(t, map[string]string{
		"hosts/a/host.toml":                 "address = \"10.0.0.1\"\nsystem = \"x86_64-linux\"\n",
		"hosts/not-a-host/default.nix":      "{ }",
		"hosts/README":                      "x",
		"stacks/not-a-stack/docker-compose": "x",
	})
	f, err := fleet.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	if f.Root != root || !reflect.DeepEqual(f.Operators, []string{"age1example"}) || !reflect.DeepEqual(f.Stacks, []string{"chat"}) {
		t.Errorf("fleet %+v", f)
	}
	if names := f.HostNames(); !reflect.DeepEqual(names, []string{"a", "pi"}) {
		t.Fatalf("hosts %v", names)
	}
	a, pi := f.Hosts[0], f.Hosts[1]
	if a.User != "root" || a.Port != 22 || a.Address != "10.0.0.1" || a.Dir() != "hosts/a" || a.File() != "hosts/a/host.toml" {
		t.Errorf("defaults: %+v", a)
	}
	if pi.User != "admin" || pi.Port != 2222 || pi.Board != "rpi4" || pi.Env["TZ"] != "Europe/Berlin" || !reflect.DeepEqual(pi.Tags, []string{"lab", "ai2"}) || !reflect.DeepEqual(pi.Roles, []string{"ai"}) {
		t.Errorf("host: %+v", pi)
	}
}

func TestLoadRelative(t *testing.T) {
	root := repository(t, nil)
	t.Chdir(root)
	f, err := fleet.Load(".")
	if err != nil || !filepath.IsAbs(f.Root) {
		t.Errorf("root %v, error %v", f, err)
	}
}

// TestProblems holds every problem to its text and its exact place.
func TestProblems(t *testing.T) {
	const base = "address = \"pi.local\"\nsystem = \"aarch64-linux\"\n"
	host := func(content string) map[string]string { return map[string]string{"hosts/pi/host.toml": content} }
	modules := func(content string) map[string]string {
		return map[string]string{
			"hosts/pi/host.toml": content, "modules/roles/radio.nix": "{ }",
			"modules/boards/rpi4.nix": "{ }", "modules/boards/generic.nix": "{ }", "modules/boards/README.md": "x",
		}
	}
	ours := func(content string) map[string]string {
		return map[string]string{"hosts/pi/host.toml": content, "flake.nix": "{ x = lib.mkFleet; }"}
	}
	for _, c := range []struct {
		name  string
		files map[string]string
		want  string
	}{
		{"unknown key", host("adress = \"x\"\n" + base), `hosts/pi/host.toml:1:1: unknown key "adress" (did you mean "address"?)`},
		{"unknown key, indented", host(base + "  zzz = 1\n"), `hosts/pi/host.toml:3:3: unknown key "zzz"`},
		{"unknown key in a table", host(base + "[ssh]\nprot = 22\n"), `hosts/pi/host.toml:4:1: unknown key "ssh.prot" (did you mean "port"?)`},
		{"unknown table", host(base + "[shh]\n"), `hosts/pi/host.toml:3:1: unknown key "shh" (did you mean "ssh"?)`},
		{"unknown key of the fleet", map[string]string{"fleet.toml": settings + "operator = []\n"}, `fleet.toml:2:1: unknown key "operator" (did you mean "operators"?)`},
		{"unknown key of the registry table", map[string]string{"fleet.toml": settings + "[registry]\nmirror = {}\n"}, `fleet.toml:3:1: unknown key "registry.mirror" (did you mean "mirrors"?)`},
		{"mirrors of no registry", map[string]string{"fleet.toml": settings + "[registry.mirrors]\n\"https://a.example\" = []\n"}, `fleet.toml:3:1: mirrors: "https://a.example" is not a registry; write one like "docker.io" or "ghcr.io"`},
		{"mirrors of an alias", map[string]string{"fleet.toml": settings + "[registry.mirrors]\n\"index.docker.io\" = []\n"}, `fleet.toml:3:1: mirrors: write "docker.io" for "index.docker.io"`},
		{"mirror is no list", map[string]string{"fleet.toml": settings + "[registry.mirrors]\n\"docker.io\" = \"https://a.example\"\n"}, `fleet.toml:3: registry.mirrors.\"docker.io\": incompatible types: TOML value has type string; destination has type slice`},
		{"mirror without scheme", map[string]string{"fleet.toml": settings + "[registry.mirrors]\n\"docker.io\" = [\"a.example\"]\n"}, `fleet.toml:3:1: mirrors: "a.example" is not the URL of a registry; write one like "https://mirror.example.org"`},
		{"mirror with a password", map[string]string{"fleet.toml": settings + "[registry.mirrors]\n\"docker.io\" = [\"https://u:p@a.example\"]\n"}, `fleet.toml:3:1: mirrors: "https://u:xxxxx@a.example" holds credentials, which do not belong into the repository: use docker login a.example`},
		{"mirror with a query", map[string]string{"fleet.toml": settings + "[registry.mirrors]\n\"docker.io\" = [\"https://a.example/p?ns=x\"]\n"}, `fleet.toml:3:1: mirrors: "https://a.example/p?ns=x" has more than a host and a path in lower case`},
		{"mirror without encryption", map[string]string{"fleet.toml": settings + "[registry]\nmirrors = { \"docker.io\" = [\"http://a.example:5000\"] }\n"}, `fleet.toml:3:1: mirrors: "http://a.example:5000" is not encrypted: write https, or list "a.example:5000" under insecure`},
		{"insecure is a URL", map[string]string{"fleet.toml": settings + "[registry]\ninsecure = [\"http://a.example\"]\n"}, `fleet.toml:3:1: insecure: "http://a.example" is not a registry; write "host" or "host:port"`},
		{"registry without a server", map[string]string{"fleet.toml": settings + "registry = \"me\"\n"}, `fleet.toml:2:1: registry for images: "me" names no server: write "docker.io/me" for Docker Hub`},
		{"registry with a scheme", map[string]string{"fleet.toml": settings + "registry = \"https://ghcr.io/me\"\n"}, `fleet.toml:2:1: registry for images: "https://ghcr.io/me" begins with a scheme: write one like "ghcr.io/you"`},
		{"registry with a password", map[string]string{"fleet.toml": settings + "registry = \"https://u:p@ghcr.io/me\"\n"}, `fleet.toml:2:1: registry for images: "https://u:xxxxx@ghcr.io/me" begins with a scheme: write one like "ghcr.io/you"`},
		{"registry in upper case", map[string]string{"fleet.toml": settings + "[registry]\nimages = \"ghcr.io/Me\"\n"}, `fleet.toml:3:1: registry for images: "ghcr.io/Me" is not a registry and a path in lower case: write one like "ghcr.io/you", or "ssh"`},
		{"registry with a tag", map[string]string{"fleet.toml": settings + "registry = \"ghcr.io/me:1\"\n"}, `fleet.toml:2:1: registry for images: "ghcr.io/me:1" is not a registry and a path in lower case: write one like "ghcr.io/you", or "ssh"`},
		{"registry is a number", map[string]string{"fleet.toml": settings + "registry = 7\n"}, `fleet.toml:2:1: registry is neither a text like "ghcr.io/you" nor a table`},
		{"unknown key beside a registry", map[string]string{"fleet.toml": settings + "registry = \"ssh\"\npluggins = []\n"}, `fleet.toml:3:1: unknown key "pluggins" (did you mean "plugins"?)`},
		{"syntax", host(base + "tags = [\n"), `hosts/pi/host.toml:3:9: unexpected EOF; expected value`},
		{"duplicate key", host(base + "board = \"a\"\nboard = \"b\"\n"), `hosts/pi/host.toml:4:13: Key 'board' has already been defined.`},
		{"wrong type", host(base + "tags = \"lab\"\n"), `hosts/pi/host.toml:3:1: tags: incompatible types: TOML value has type string; destination has type slice`},
		{"wrong type of an element", host(base + "tags = [1]\n"), `hosts/pi/host.toml:3:1: tags: incompatible types: TOML value has type int64; destination has type string`},
		{"port as text", host(base + "[ssh]\nport = \"22\"\n"), `hosts/pi/host.toml:4:1: ssh.port: incompatible types: TOML value has type string; destination has type integer`},
		{"no address", host("system = \"aarch64-linux\"\n"), `hosts/pi/host.toml: no address: write address = "pi.local" or an IP address`},
		{"empty address", host("address = \"\"\nsystem = \"aarch64-linux\"\n"), `hosts/pi/host.toml:1:1: no address: write address = "pi.local" or an IP address`},
		{"address with a space", host("address = \"a b\"\nsystem = \"aarch64-linux\"\n"), `hosts/pi/host.toml:1:1: address "a b" is neither a DNS name nor an IP address`},
		{"address like an option", host("address = \"-oProxyCommand=x\"\nsystem = \"aarch64-linux\"\n"), `hosts/pi/host.toml:1:1: address "-oProxyCommand=x" is neither a DNS name nor an IP address`},
		{"no system", host("address = \"pi.local\"\n"), `hosts/pi/host.toml: system is "": "aarch64-linux" and "x86_64-linux" are known`},
		{"other system", host("address = \"pi.local\"\n\nsystem = \"armv7l-linux\"\n"), `hosts/pi/host.toml:3:1: system is "armv7l-linux": "aarch64-linux" and "x86_64-linux" are known`},
		{"port", host(base + "[ssh]\nport = 70000\n"), `hosts/pi/host.toml:4:1: port 70000 is not between 1 and 65535`},
		{"negative port", host(base + "[ssh]\nport = -1\n"), `hosts/pi/host.toml:4:1: port -1 is not between 1 and 65535`},
		{"user", host(base + "[ssh]\nuser = \"-l\"\n"), `hosts/pi/host.toml:4:1: user "-l" is not a user name`},
		{"unknown stack", host(base + "stacks = [\"chta\"]\n"), `hosts/pi/host.toml:3:1: no stack "chta": stacks/chta/compose.yaml does not exist (did you mean "chat"?)`},
		{"stack twice", host(base + "stacks = [\"chat\", \"chat\"]\n"), `hosts/pi/host.toml:3:1: stacks: "chat" stands there twice`},
		{"role with a slash", host(base + "roles = [\"../x\"]\n"), `hosts/pi/host.toml:3:1: roles: "../x" is not a plain name`},
		{"tag twice", host(base + "tags = [\"a\", \"a\"]\n"), `hosts/pi/host.toml:3:1: tags: "a" stands there twice`},
		{"board with a slash", host(base + "board = \"a/b\"\n"), `hosts/pi/host.toml:3:1: board: "a/b" is not a plain name`},
		{"unknown board", modules(base + "board = \"rpi9\"\n"), `hosts/pi/host.toml:3:1: no board "rpi9" (did you mean "rpi3"?): there are generic, generic-x86_64, rpi-zero2, rpi3, rpi4, rpi5`},
		{"no board", modules(base), `hosts/pi/host.toml: board is missing: there are generic, generic-x86_64, rpi-zero2, rpi3, rpi4, rpi5`},
		{"unknown role", modules(base + "board = \"rpi4\"\nroles = [\"ia\"]\n"), `hosts/pi/host.toml:4:1: no role "ia" (did you mean "ai"?): there are ai, gateway, home, monitoring, radio`},
		{"board of nobody", ours(base + "board = \"rpi44\"\n"), `hosts/pi/host.toml:3:1: no board "rpi44" (did you mean "rpi4"?): there are generic-x86_64, rpi-zero2, rpi3, rpi4, rpi5`},
		{"system of another board", ours("address = \"pi\"\nboard = \"rpi4\"\nsystem = \"x86_64-linux\"\n"), `hosts/pi/host.toml:3:1: system is "x86_64-linux", and the board "rpi4" is of "aarch64-linux": change one of them`},
		{"name of an image", map[string]string{"hosts/pi-sd/host.toml": base}, `hosts/pi-sd/host.toml: "pi-sd" is the name of the image of host "pi": give one of them another name`},
		{"role of nobody", ours(base + "board = \"rpi4\"\nroles = [\"ia\"]\n"), `hosts/pi/host.toml:4:1: no role "ia" (did you mean "ai"?): there are ai, gateway, home, monitoring`},
		{"no board, of a fleet made by mkFleet", ours(base), `hosts/pi/host.toml: board is missing: there are generic-x86_64, rpi-zero2, rpi3, rpi4, rpi5`},
		{"variable name", host(base + "[env]\n\"A-B\" = \"x\"\n"), `hosts/pi/host.toml:4:1: "A-B" is not a variable name`},
		{"NUL in a variable", host(base + "[env]\nA = \"a\\u0000\"\n"), `hosts/pi/host.toml:4:1: the value of A holds a NUL byte`},
		{"host name", map[string]string{"hosts/Pi_4/host.toml": base}, `hosts/Pi_4/host.toml: "Pi_4" cannot be a host name: use a-z, 0-9 and -, at most 63 characters`},
		{"no operators", map[string]string{"fleet.toml": "# empty\n"}, `fleet.toml: no operators: nobody but the hosts themselves could read a secret again`},
		{"empty operators", map[string]string{"fleet.toml": "\noperators = []\n"}, `fleet.toml:2:1: no operators: nobody but the hosts themselves could read a secret again`},
		{"cache", map[string]string{"fleet.toml": settings + "[cache]\nurls = [\"ftp://cache.example.org\"]\nkeys = [\"cache.example.org-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\n"}, `fleet.toml:3:1: urls: "ftp://cache.example.org" is not a binary cache; write one like "https://cache.example.org"`},
		{"cache key", map[string]string{"fleet.toml": settings + "[cache]\nurls = [\"https://cache.example.org\"]\nkeys = [\"x:AAAA\"]\n"}, `fleet.toml:4:1: keys: "x:AAAA" is not the public key of a cache; it looks like "cache.example.org-1:" and 44 characters`},
		{"cache without keys", map[string]string{"fleet.toml": settings + "[cache]\nurls = [\"https://cache.example.org\"]\n"}, `fleet.toml:3:1: urls: without keys machines would refuse what is fetched; add keys = ["cache.example.org-1:…"]`},
		{"cache with password", map[string]string{"fleet.toml": settings + "[cache]\nurls = [\"https://me:hunter2@cache.example.org\"]\nkeys = [\"cache.example.org-1:AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA=\"]\n"}, `fleet.toml:3:1: urls: "https://me:xxxxx@cache.example.org" holds a password, which does not belong into the repository`},
		{"build system", map[string]string{"fleet.toml": settings + "build_system = \"darwin\"\n"}, `fleet.toml:2:1: build_system is "darwin": aarch64-darwin, aarch64-linux, x86_64-linux are known`},
		{"large file", host("#" + strings.Repeat("x", 1<<20)), `hosts/pi/host.toml: is larger than 1 MiB`},
		{"no fleet.toml", map[string]string{"fleet.toml": ""}, `fleet.toml: cannot be read: no such file or directory`},
		{
			"several, sorted",
			map[string]string{
				"fleet.toml":         settings + "zzz = 1\n",
				"hosts/pi/host.toml": base + "stacks = [\"nope\", \"chat\", \"chat\"]\nboard = \"/\"\n[env]\n1B = \"x\"\n1A = \"x\"\n",
				"hosts/a/host.toml":  base + "port = 22\nuser = \"x\"\n",
			},
			`fleet.toml:2:1: unknown key "zzz"
hosts/a/host.toml:3:1: unknown key "port"
hosts/a/host.toml:4:1: unknown key "user"
hosts/pi/host.toml:3:1: no stack "nope": stacks/nope/compose.yaml does not exist
hosts/pi/host.toml:3:1: stacks: "chat" stands there twice
hosts/pi/host.toml:4:1: board: "/" is not a plain name
hosts/pi/host.toml:6:1: "1B" is not a variable name
hosts/pi/host.toml:7:1: "1A" is not a variable name`,
		},
	} {
		t.Run(c.name, func(t *testing.T) {
			for range 3 { // maps inside must not show
				_, err := load(t, c.files)
				if err == nil || err.Error() != c.want {
					t.Fatalf("error:\n%v\nwant:\n%s", err, c.want)
				}
				for _, e := range err.(interface{ Unwrap() []error }).Unwrap() {
					var p *fleet.Problem
					if !errors.As(e, &p) {
						t.Errorf("%v is a %T, not a *Problem", e, e)
					}
				}
			}
		})
	}
}

func TestFindRoot(t *testing.T) {
	root := repository(t, nil)
	for _, dir := range []string{"", "hosts/pi", "stacks/chat"} {
		if got, err := fleet.FindRoot(filepath.Join(root, dir)); err != nil || got != root {
			t.Errorf("from %q: %s, %v", dir, got, err)
		}
	}
	t.Run("nested fleets: the nearest", func(t *testing.T) {
		inner := filepath.Join(root, "stacks", "chat")
		if err := os.WriteFile(filepath.Join(inner, fleet.Marker), nil, 0o644); err != nil {
			t.Fatal(err)
		}
		if got, err := fleet.FindRoot(inner); err != nil || got != inner {
			t.Errorf("%s, %v", got, err)
		}
	})
	t.Run("none", func(t *testing.T) {
		dir := t.TempDir()
		_, err := fleet.FindRoot(dir)
		var p *fleet.Problem
		if !errors.As(err, &p) || p.Message != "no fleet.toml in "+dir+" or any folder above it" || p.Fix == "" {
			t.Errorf("error %v", err)
		}
	})
}

func TestSelect(t *testing.T) {
	const base = "address = \"x\"\nsystem = \"aarch64-linux\"\n"
	f, err := load(t, map[string]string{
		"hosts/pi/host.toml":         "",
		"hosts/rpi-box-01/host.toml": base + "tags = [\"lab\"]\nroles = [\"ai\"]\n",
		"hosts/rpi-box-02/host.toml": base + "tags = [\"lab\", \"ai\"]\n",
		"hosts/vps-01/host.toml":     base + "roles = [\"web\"]\n",
	})
	if err != nil {
		t.Fatal(err)
	}
	if got := strings.Join(f.Selectors(), " "); got != "rpi-box-01 rpi-box-02 vps-01 @ai @lab @web" {
		t.Errorf("selectors are %s", got)
	}
	for _, c := range []struct {
		name      string
		selectors []string
		want      string // names, or the error after "!"
	}{
		{"none means all", nil, "rpi-box-01 rpi-box-02 vps-01"},
		{"name", []string{"vps-01"}, "vps-01"},
		{"glob", []string{"rpi-*"}, "rpi-box-01 rpi-box-02"},
		{"class", []string{"*-0[12]"}, "rpi-box-01 rpi-box-02 vps-01"},
		{"tag", []string{"@lab"}, "rpi-box-01 rpi-box-02"},
		{"role", []string{"@web"}, "vps-01"},
		{"tag or role", []string{"@ai"}, "rpi-box-01 rpi-box-02"},
		{"several, in order of names, once", []string{"vps-01", "@lab", "rpi-box-01"}, "rpi-box-01 rpi-box-02 vps-01"},
		{"unknown name", []string{"vps-1"}, `!no host "vps-1" (did you mean "vps-01"?)`},
		{"unknown name, nothing near", []string{"zebra"}, `!no host "zebra"`},
		{"unknown tag", []string{"@nope"}, `!no host matches "@nope"`},
		{"empty tag", []string{"@"}, `!no host matches "@"`},
		{"empty", []string{""}, `!no host matches ""`},
		{"glob of nothing", []string{"x*"}, `!no host matches "x*"`},
		{"bad glob", []string{"["}, `!no host matches "["`},
		{"one of two is wrong", []string{"vps-01", "@nope"}, `!no host matches "@nope"`},
	} {
		t.Run(c.name, func(t *testing.T) {
			hosts, err := f.Select(c.selectors)
			var names []string
			for _, h := range hosts {
				names = append(names, h.Name)
			}
			got := strings.Join(names, " ")
			if err != nil {
				got = "!" + err.Error()
				var p *fleet.Problem
				if !errors.As(err, &p) || p.Fix == "" || len(hosts) > 0 {
					t.Errorf("%v: no hint, or hosts beside an error", err)
				}
			}
			if got != c.want {
				t.Errorf("got %s, want %s", got, c.want)
			}
		})
	}
}

func TestHost(t *testing.T) {
	f, err := load(t, nil)
	if err != nil {
		t.Fatal(err)
	}
	if h, err := f.Host("pi"); err != nil || h.Name != "pi" {
		t.Errorf("%+v, %v", h, err)
	}
	_, err = f.Host("pj")
	var p *fleet.Problem
	if !errors.As(err, &p) || p.Message != `no host "pj" (did you mean "pi"?)` || !strings.HasSuffix(p.Fix, "this fleet has: pi") {
		t.Errorf("error %v", err)
	}
}

func TestPublicKey(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIPti/ekoVsgnQb4HZSWCGReKiRNKJFfb6QU/rsqMRh4K"
	const file = "hosts/pi/" + fleet.KeyFile
	for _, c := range []struct{ name, content, want, wrong string }{
		{"plain", key, key, ""},
		{"comment and line break", key + " root@pi\n", key + " root@pi", ""},
		{"missing", "", "", file + ": missing: the ssh host key of pi is not pinned"},
		{"rsa", "ssh-rsa AAAA root@pi\n", "", file + ":1: is not a single ssh-ed25519 public key"},
		{"two keys", key + "\n" + key + "\n", "", file + ":1: is not a single ssh-ed25519 public key"},
		{"as in known_hosts", "pi " + key + "\n", "", file + ":1: is not a single ssh-ed25519 public key"},
		{"empty", "\n", "", file + ":1: is not a single ssh-ed25519 public key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			f, err := load(t, map[string]string{file: c.content})
			if err != nil {
				t.Fatal(err)
			}
			got, err := f.Hosts[0].PublicKey()
			if c.wrong == "" {
				if err != nil || got != c.want {
					t.Errorf("%q, %v", got, err)
				}
				return
			}
			var p *fleet.Problem
			if !errors.As(err, &p) || p.Error() != c.wrong || p.Hint() == "" || got != "" {
				t.Errorf("%q, error %v, want %s", got, err, c.wrong)
			}
		})
	}
	t.Run("folder", func(t *testing.T) {
		root := repository(t, nil)
		if err := os.Mkdir(filepath.Join(root, file), 0o755); err != nil {
			t.Fatal(err)
		}
		f, err := fleet.Load(root)
		if err != nil {
			t.Fatal(err)
		}
		if _, err := f.Hosts[0].PublicKey(); err == nil || err.Error() != file+": cannot be read: is not a regular file of at most 64 KiB" {
			t.Errorf("error %v", err)
		}
	})
}

func TestOperatorSource(t *testing.T) {
	if got := fleet.OperatorSource(2); got != "fleet.toml: operators[2]" {
		t.Error(got)
	}
}

func TestRegistry(t *testing.T) {
	f, err := load(t, map[string]string{"fleet.toml": settings + `
[registry]
insecure = ["a.example:5000", "[::1]:5000", "nas"]

[registry.mirrors]
"docker.io" = ["https://mirror.example/docker-hub", "http://a.example:5000", "http://localhost:5000", "http://127.0.0.1:5000/"]
"ghcr.io" = ["https://b.example"]
`})
	if err != nil {
		t.Fatal(err)
	}
	want := fleet.Registry{
		Insecure: []string{"a.example:5000", "[::1]:5000", "nas"},
		Mirrors: map[string][]string{
			"docker.io": {"https://mirror.example/docker-hub", "http://a.example:5000", "http://localhost:5000", "http://127.0.0.1:5000/"},
			"ghcr.io":   {"https://b.example"},
		},
	}
	if !reflect.DeepEqual(f.Registry, want) {
		t.Errorf("%+v", f.Registry)
	}
}

// TestRegistryForImages: a table, or the place alone.
func TestRegistryForImages(t *testing.T) {
	for text, want := range map[string]string{
		"": "", "registry = \"ssh\"\n": "ssh", "registry = \"ghcr.io/me/fleet\"\n": "ghcr.io/me/fleet", "registry = \"localhost:5000\"\n": "localhost:5000",
		"[registry]\nimages = \"docker.io/me\"\ninsecure = [\"nas\"]\n": "docker.io/me",
	} {
		f, err := load(t, map[string]string{"fleet.toml": settings + text})
		if err != nil || f.Registry.Images != want || len(f.Operators) == 0 {
			t.Errorf("%q: %+v, %v", text, f.Registry, err)
		}
	}
}

func TestSelectStacks(t *testing.T) {
	f, err := load(t, map[string]string{"stacks/web/compose.yaml": "x", "stacks/wiki/compose.yaml": "x"})
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct{ selectors, want string }{
		{"", "chat web wiki"},
		{"web", "web"},
		{"w* chat web", "chat web wiki"},
		{"wbe", `no stack "wbe" (did you mean "web"?)`},
		{"chat x*", `no stack "x*"`},
		{"[", `no stack "["`},
	} {
		stacks, err := f.SelectStacks(strings.Fields(c.selectors))
		got := strings.Join(stacks, " ")
		if err != nil {
			var p *fleet.Problem
			if got = err.Error(); !errors.As(err, &p) || !strings.HasSuffix(p.Fix, "this fleet has: chat, web, wiki") {
				t.Errorf("%v, hint %q", err, p.Fix)
			}
		}
		if got != c.want {
			t.Errorf("%q: %s, want %s", c.selectors, got, c.want)
		}
	}
}

// TestLoadFS: any file system will do, and a key can be read from it.
func TestLoadFS(t *testing.T) {
	const key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJg4gF5L7Zr5fT0l1V5v5Yh0F3pQf0mJt2Jm1yQ0qkqN"
	files := fstest.MapFS{}
	for name, content := range map[string]string{
		"fleet.toml": "operators = [\"age1example\"]\n", "stacks/chat/compose.yaml": "x", "stacks/empty/file": "x", "modules/boards/rpi4.nix": "{ }",
		"hosts/pi/host.toml":                "address = \"pi\"\nsystem = \"aarch64-linux\"\nboard = \"rpi4\"\nstacks = [\"chat\"]\n",
		"hosts/pi/ssh_host_ed25519_key.pub": key + "\n",
	} {
		files[name] = &fstest.MapFile{Data: []byte(content)}
	}
	f, err := fleet.LoadFS(files, "")
	if err != nil || len(f.Hosts) != 1 || !reflect.DeepEqual(f.Stacks, []string{"chat"}) {
		t.Fatalf("%+v, %v", f, err)
	}
	if got, err := f.Hosts[0].PublicKey(); got != key || err != nil {
		t.Errorf("key %q, %v", got, err)
	}
	files["hosts/pi/host.toml"].Data = []byte("address = \"pi\"\nsystem = \"aarch64-linux\"\nboard = \"rpi9\"\nstacks = [\"char\"]\n")
	f, err = fleet.LoadFS(files, "")
	if f == nil || err == nil || !strings.Contains(err.Error(), `did you mean "chat"?`) || !strings.Contains(err.Error(), `no board "rpi9"`) {
		t.Errorf("%+v, %v", f, err)
	}
}

package arrows_test

import (
	"encoding/json"
	"errors"
	"io"
	"os/exec"
	"slices"
	"strings"
	"testing"
)

const module = "pistack"

// pkg is what "go list" says of a package of ours.
type pkg struct {
	ImportPath string
	Imports    []string // direct
	Deps       []string // all
}

func packages(t *testing.T) map[string]pkg {
	t.Helper()
	cmd := exec.Command("go", "list", "-json=ImportPath,Imports,Deps", module+"/...")
	var errs strings.Builder
	cmd.Stderr = &errs
	out, err := cmd.Output()
	if err != nil {
		t.Fatalf("go list: %v\n%s", err, errs.String())
	}
	all := map[string]pkg{}
	for d := json.NewDecoder(strings.NewReader(string(out))); ; {
		var p pkg
		if err := d.Decode(&p); errors.Is(err, io.EOF) {
			return all
		} else if err != nil {
			t.Fatal(err)
		}
		all[strings.TrimPrefix(p.ImportPath, module+"/")] = p
	}
}

// below tells whether a package is that of a path or stands below it.
func below(p, path string) bool { return p == path || strings.HasPrefix(p, path+"/") }

// ours lists the packages of this module among some, without its name.
func ours(imports []string) []string {
	var names []string
	for _, i := range imports {
		if name, ok := strings.CutPrefix(i, module+"/"); ok {
			names = append(names, name)
		}
	}
	return names
}

// TestOurs: what each package may import of this module.
func TestOurs(t *testing.T) {
	all := packages(t)
	for _, rule := range []struct {
		from  string
		allow []string
		why   string
	}{
		{"compose", []string{"compose/reference"}, "it is the part that others may want to use alone, and it takes all it needs to know as data"},
		{"compose/rules", []string{"compose", "compose/images", "compose/plain"}, "it judges loaded stacks, and takes what it needs to know of a host as data"},
		{"compose/changes", []string{"compose", "compose/plain"}, "it compares two values"},
		{"compose/plain", nil, "it looks at texts"},
		{"compose/reference", nil, "it reads a text"},
		{"compose/images", []string{"compose"}, "it reads lock files for whoever generates or checks; asking registries is internal/image's"},
		{"secrets", []string{"secrets/durable"}, "which secret and which readers are arguments: it knows neither Compose nor fleets"},
		{"secrets/memory", nil, "it asks the system one question"},
		{"secrets/manifest", nil, "anything may read a manifest, the device first of all"},
		{"secrets/install", []string{"secrets", "secrets/manifest", "secrets/memory"}, "it runs as root on the device and has to stay small enough to be read"},
		{"nixgen", []string{"compose", "compose/images"}, "it prints what it is given; nothing is read or run there"},
		{"secrets/durable", nil, "it syncs files for everybody"},
		{"internal/run", nil, "it starts processes for everybody"},
		{"internal/remote", []string{"internal/run"}, "it runs scripts on machines, and knows nothing of fleets"},
		{"internal/target", []string{"internal/remote"}, "it asks one machine; which one and why is decided above"},
		{"internal/fleettest", []string{"internal/fleettest/model", "internal/remote"}, "it plays machines for tests, and knows not which"},
		{"internal/fleettest/model", nil, "it is what a stand-in and a test have in common"},
		{"internal/git", []string{"internal/run"}, "it asks Git, and knows nothing of fleets"},
		{"internal/fleet", nil, "it reads settings; recipients and stacks are checked by those who use them"},
		{"internal/plugin", []string{"secrets"}, "it starts age plugins, and knows nothing of fleets"},
		{"internal/audit", []string{"internal/fleet", "internal/git", "secrets"}, "it brings Git's history and the headers of secrets together; it opens nothing and asks nobody"},
		{"internal/usage", []string{"compose/reference"}, "it looks through files for names; pisec, which is on every device, must not load Compose for that"},
		{"internal/editor", []string{"internal/run", "secrets/memory"}, "it edits a text in memory, and knows no secrets"},
		{"internal/envfile", []string{"compose/reference"}, "it reads a text"},
		{"internal/random", []string{"secrets"}, "it makes values, and knows not what for"},
		{"internal/staging", nil, "it gives a folder to whoever writes files"},
		{"internal/scaffold", []string{"internal/staging", "secrets/durable"}, "it makes and writes files, and knows no rules of fleets"},
		{"internal/memo", nil, "it remembers, and knows not what"},
		{"internal/term", nil, "it asks people, for everybody"},
		{"internal/view/findings", []string{"compose", "compose/rules"}, "it prints what it is given"},
		{"internal/cli", []string{"internal/fleet", "internal/term"}, "it is wiring that both commands share: what only one of them needs belongs in cmd"},
		{"internal/generate", []string{"compose", "compose/images", "compose/rules", "secrets/durable", "internal/fleet", "internal/git", "internal/memo", "internal/staging", "internal/usage", "nixgen", "secrets"}, "it brings the parts of a host together, and reaches no network and no terminal"},
		{"internal/image", []string{"compose", "compose/images"}, "it asks registries about images, and knows nothing of fleets"},
		{"internal/contexts", []string{"compose/images"}, "it hashes files; what Git tracks is an argument"},
		{"internal/build", []string{"compose", "compose/images", "internal/contexts", "internal/image", "internal/run"}, "it builds, pushes and copies what it is told, and knows nothing of fleets"},
		{"internal/dockerlab", nil, "it starts other people's programs, for tests"},
		{"internal/compare", []string{"compose", "compose/changes", "compose/images", "compose/plain", "secrets", "internal/fleet", "internal/generate", "internal/git"}, "it computes what two versions of a fleet differ in, and shows nothing"},
		{"internal/view", []string{"compose/changes", "internal/compare", "internal/deploy", "internal/doctor", "internal/reboot", "internal/rollback", "internal/status", "internal/target"}, "it shows what others computed"},
		{"internal/status", []string{"internal/deploy", "internal/fleet", "internal/git", "internal/target"}, "it compares what others say, and changes nothing"},
		{"internal/rollback", []string{"internal/deploy", "internal/nix", "internal/remote", "internal/target"}, "it is a deploy of what a machine has already; the repository is not asked"},
		{"internal/reboot", []string{"internal/target"}, "it decides the order of things, and knows no fleet"},
		{"internal/doctor", []string{"internal/fleet", "internal/git", "internal/remote", "internal/run", "internal/target"}, "it looks, and repairs nothing"},
		{"internal/nix", []string{"internal/run"}, "it runs the user's Nix, and knows nothing of fleets"},
		{"internal/deploy", []string{"internal/fleet", "internal/nix", "internal/remote", "internal/target"}, "it decides the order of things; what they are is below it"},
		{"internal/holes", nil, "it looks at one file"},
		{"internal/disk", []string{"internal/holes"}, "it writes whatever image it is given to a disk, and judges disks alone"},
		{"internal/sdimage", []string{"internal/holes", "internal/run", "secrets/durable"}, "it puts a key into an image, and knows neither fleets nor secrets"},
		{"internal/sshkey", nil, "it asks an address one question"},
		{"internal/readers", []string{"internal/audit", "internal/fleet", "internal/plugin", "internal/term", "secrets"}, "it brings a fleet's keys and the readers of secrets together, for both commands"},
		{"cmd/pisec", []string{"internal/audit", "internal/cli", "internal/editor", "internal/envfile", "internal/fleet", "internal/git", "internal/plugin", "internal/random", "internal/readers", "internal/run", "internal/sshkey", "internal/term", "internal/usage", "secrets", "secrets/install", "secrets/manifest"}, "it is on every device, and secrets need no Compose"},
	} {
		p, ok := all[rule.from]
		if !ok {
			t.Errorf("%s does not exist: this test has to follow", rule.from)
		}
		for _, i := range ours(p.Imports) {
			if !slices.Contains(rule.allow, i) {
				t.Errorf("%s imports %s, and may only import %q of ours: %s", rule.from, i, rule.allow, rule.why)
			}
		}
	}
}

// TestForbidden: what a package must not even depend on by way of others.
func TestForbidden(t *testing.T) {
	all := packages(t)
	const (
		composeGo = "github.com/compose-spec/compose-go"
		urfave    = "github.com/urfave/cli"
		registry  = "github.com/google/go-containerregistry"
	)
	for _, rule := range []struct{ from, to, why string }{
		{"cmd/pisec", composeGo + "/v2/loader", "it is on every device, and secrets need no Compose; its parser of env files is all it takes"},
		{"cmd/pisec", composeGo + "/v2/types", "it is on every device, and secrets need no Compose"},
		{"cmd/pisec", module + "/nixgen", "it is on every device, and generates nothing"},
		{"secrets", "os/exec", "no program is started where plaintext is"},
		{"secrets", "net/http", "secrets never reach a network"},
		{"secrets", urfave, "a library has no command line"},
		{"secrets", composeGo, "which secret is an argument: it knows no Compose"},
		{"secrets/install", urfave, "the installer has no command line"},
		{"secrets/install", composeGo, "Compose reads what the installer writes, not the reverse"},
		{"secrets/install", "os/exec", "no program is started where plaintext is"},
		{"secrets/install", "net/http", "secrets never reach a network"},
		{"secrets/manifest", "github.com", "anything may read a manifest"},
		{"compose", urfave, "a library has no command line"},
		{"compose/images", registry, "reading a lock file reaches no registry"},
		{"internal/generate", registry, "check and generate never touch the network"},
		{"cmd/pisec", registry, "it is on every device, and pulls no image"},
		{"internal/contexts", registry, "hashing what goes in reaches no registry"},
		{"cmd/pistack", module + "/internal/dockerlab", "it is for tests"},
		{"cmd/pisec", module + "/internal/dockerlab", "it is for tests"},
		{"cmd/pisec", module + "/internal/sdimage", "it is on every device, and makes no images"},
		{"internal/sdimage", urfave, "a library has no command line"},
		{"internal/disk", "os/exec", "what is written to a disk goes through no other program"},
		{"internal/fleet", "os/exec", "reading settings runs nothing"},
		{"internal/fleet", "net/http", "reading settings reaches no network"},
	} {
		p, ok := all[rule.from]
		if !ok {
			t.Errorf("%s does not exist: this test has to follow", rule.from)
		}
		for _, d := range p.Deps {
			if below(d, rule.to) {
				t.Errorf("%s depends on %s: %s", rule.from, d, rule.why)
			}
		}
	}
}

// TestPure: what a package must not import itself, so that its result depends on
// its arguments only. (compose-go imports most of these, and is held by tests.)
func TestPure(t *testing.T) {
	all := packages(t)
	for _, rule := range []struct{ from, why string }{
		{"compose", "it reads through Source.Repository alone"},
		{"compose/rules", "it reads through Target.Repository alone"},
		{"compose/changes", "it compares what it is handed"},
		{"compose/plain", "it looks at what it is handed"},
		{"nixgen", "output depends on nothing but its input"},
		{"secrets/manifest", "it reads what it is handed"},
	} {
		for _, i := range []string{"os", "os/exec", "os/user", "net", "time", "math/rand", "math/rand/v2", "crypto/rand"} {
			if slices.Contains(all[rule.from].Imports, i) {
				t.Errorf("%s imports %s: %s", rule.from, i, rule.why)
			}
		}
	}
}

// TestDown: nothing imports a command, and the libraries import no internal
// package, so that others can build on them.
func TestDown(t *testing.T) {
	for name, p := range packages(t) {
		for _, i := range ours(p.Imports) {
			if below(i, "cmd") {
				t.Errorf("%s imports %s: imports run from cmd down", name, i)
			}
			if below(i, "internal") && !below(name, "internal") && !below(name, "cmd") {
				t.Errorf("%s imports %s: a library does not depend on what the commands share", name, i)
			}
		}
	}
}

// TestPackageComments: every package says what it is for.
func TestPackageComments(t *testing.T) {
	out, err := exec.Command("go", "list", "-f", "{{if and .GoFiles (not .Doc)}}{{.ImportPath}}{{end}}", module+"/...").Output()
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range strings.Fields(string(out)) {
		t.Errorf("%s has no package comment", name)
	}
}

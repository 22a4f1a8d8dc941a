package cmd_test

import (
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pistack/internal/dockerlab"
)

// TestWorkflows runs what pistack init --ci writes as a forge would: every
// command of every job, in fresh clones, with a real engine and registry.
func TestWorkflows(t *testing.T) {
	dockerlab.Need(t, "jq", "curl", "bash")
	engine := dockerlab.NewEngine(t)
	engine.HasBuildx()
	for ci := range workflows() {
		t.Run(ci, func(t *testing.T) {
			registry := dockerlab.NewRegistry(t, t.TempDir(), "")
			r := newRunner(t, initedFleet(t, engine, registry, ci), ci)
			r.unchanged(registry)
			r.pullRequest()
			r.notBuilt(registry)
			r.broken()
		})
	}
}

// initedFleet is a fleet that pistack init wrote, with a stack that is built,
// pushed and locked.
func initedFleet(t *testing.T, engine *dockerlab.Engine, registry *dockerlab.Registry, ci string) *builder {
	t.Helper()
	b := newBuilder(t, engine, registry.Host+"/me")
	shop, settings := b.fleet, b.read("fleet.toml")
	b.fleet = filepath.Join(t.TempDir(), "fleet")
	public, err := keyPair(filepath.Join(t.TempDir(), "operator"))
	if err != nil {
		t.Fatal(err)
	}
	init := exec.Command(filepath.Join(binaries, "pistack"), "init", b.fleet, "--ci", ci, "--operator", public, "--ssh-key", public)
	init.Env = b.env
	if out, err := init.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Rename(filepath.Join(shop, "stacks", "shop"), b.path("stacks/shop")); err != nil {
		t.Fatal(err)
	}
	b.write("fleet.toml", strings.TrimSpace(b.read("fleet.toml"))+"\n"+settings[strings.Index(settings, "registry"):])
	b.write("hosts/pi-01/host.toml", strings.Replace(b.read("hosts/pi-01/host.toml"), `["hello"]`, `["hello", "shop"]`, 1))
	b.git("add", "--all")
	b.run(0, "build", "--push")
	b.run(0, "generate")
	b.git("branch", "-M", "main")
	b.commit()
	return b
}

// unchanged: on the main branch everything passes, and nothing is pushed.
func (r runner) unchanged(registry *dockerlab.Registry) {
	r.t.Helper()
	r.want("check", "main", 0)
	registry.Asked()
	r.want("images", "main", 0, "2 images: 2 unchanged")
	if registry.Asked("PUT", "PATCH") > 0 {
		r.t.Error("something was pushed")
	}
}

// pullRequest: a change is one comment, which the next run brings up to date.
func (r runner) pullRequest() {
	r.t.Helper()
	r.git("checkout", "-q", "-b", "change")
	compose := r.read("stacks/shop/compose.yaml")
	r.write("stacks/shop/compose.yaml", strings.Replace(compose, "  web:\n", "  web:\n    environment: {LEVEL: debug}\n", 1))
	r.run(0, "generate")
	r.commit()
	r.want("diff", "change", 0)
	text, created, updated := r.forge.comment(r.t)
	if created != 1 || updated != 0 {
		r.t.Errorf("%d comments were made and %d updated", created, updated)
	}
	want(r.t, text, "<!-- pistack-diff -->\n", "LEVEL", "!VERBOSE")
	r.write("stacks/shop/compose.yaml", strings.Replace(compose, "  web:\n", "  web:\n    environment: {VERBOSE: \"1\"}\n", 1))
	r.run(0, "generate")
	r.commit()
	r.want("diff", "change", 0)
	text, created, updated = r.forge.comment(r.t)
	if created != 1 || updated != 1 {
		r.t.Errorf("%d comments were made and %d updated", created, updated)
	}
	want(r.t, text, "VERBOSE", "!LEVEL")
	r.want("check", "change", 0)
	asked, err := os.ReadFile(r.log)
	if err != nil {
		r.t.Fatal(err)
	}
	want(r.t, string(asked), "nix run .#pistack -- diff --base", "!"+forgeToken)
}

// notBuilt: files of an image changed, and nobody has built it. CI says so, builds
// and pushes it, and prints the lock file that belongs to it.
func (r runner) notBuilt(registry *dockerlab.Registry) {
	r.t.Helper()
	r.write("stacks/shop/web/text", "web 2\n")
	r.commit()
	r.want("check", "change", 3, "stale-image")
	_, printed := r.job("images", "change")
	want(r.t, printed, "shop/web linux/arm64 | ", "2 images: 1 pushed, 1 unchanged", "commit these lines", "+reference = \""+registry.Host+"/me/shop-web:")
	begin := strings.Index(printed, "diff --git ")
	end := strings.LastIndex(printed, "commit these lines")
	end = strings.LastIndex(printed[:end], "\n") + 1
	patch := exec.Command("git", "-C", r.fleet, "apply")
	patch.Stdin = strings.NewReader(printed[begin:end])
	if out, err := patch.CombinedOutput(); err != nil {
		r.t.Fatalf("what was printed is no patch: %v\n%s\n%s", err, out, printed[begin:end])
	}
	r.run(0, "generate")
	r.commit()
	r.want("check", "change", 0)
	r.want("images", "change", 0, "2 images: 2 unchanged")

	r.git("rm", "-q", shopLock)
	r.commit()
	_, printed = r.job("images", "change")
	want(r.t, printed, "2 images: 2 found", "new file mode", "commit these lines")
	r.git("revert", "--no-edit", "HEAD")
}

// broken: what is wrong fails the job that is for it.
func (r runner) broken() {
	r.t.Helper()
	r.write("hosts/pi-01/generated/default.nix", "{ }\n")
	r.commit()
	r.want("check", "change", 3, "hosts/pi-01/generated/default.nix")
	r.write("stacks/shop/compose.yaml", "services: 7\n")
	r.commit()
	r.want("check", "change", 3, "services must be a mapping")
	if status, _ := r.job("images", "change"); status == 0 {
		r.t.Error("images of a broken stack were built")
	}
	r.want("upstream", "change", 1, "services must be a mapping")
}

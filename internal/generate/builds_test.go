package generate_test

import (
	"slices"
	"strings"
	"testing"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/fleet"
	"pistack/internal/generate"
)

// codes lists the codes of findings that are errors or about locks.
func codes(findings []compose.Finding) string {
	var list []string
	for _, f := range findings {
		if f.Severity == compose.Error || f.Code == images.CodeUnused {
			list = append(list, string(f.Code))
		}
	}
	return strings.Join(slices.Compact(list), " ")
}

// TestBuilds: a built service is an error until it is locked for the host, and
// then the host runs what is locked. Which registry fleet.toml names counts.
func TestBuilds(t *testing.T) {
	r := newRepository(t)
	r.write("stacks/chat/compose.yaml", "services:\n  web:\n    build: app\n    restart: always\n")
	settings := "operators = [\"" + age + "\"]\n"
	lock := func(recipe images.Recipe, platform string) {
		e := images.Entry{Reference: recipe.Image + ":tag", Digest: digest, Platforms: []string{platform}, Date: "2026-11-20T10:00:00Z", Build: recipe.Key()}
		r.write(lockFile, string(images.Print(images.Lock{e})))
	}
	recipe := images.Recipe{Image: "ghcr.io/me/chat-web", Context: "stacks/chat/app", Dockerfile: "stacks/chat/app/Dockerfile"}
	other := recipe
	other.Target = "x"
	for _, c := range []struct {
		name, registry string
		lock           func()
		codes, image   string
	}{
		{"no registry", "", func() {}, "unbuildable", ""},
		{"not locked", "registry = \"ghcr.io/me\"\n", func() {}, "unbuilt-image", ""},
		{"locked", "registry = \"ghcr.io/me\"\n", func() { lock(recipe, "linux/arm64") }, "", "ghcr.io/me/chat-web:tag@" + digest},
		{"in a table", "[registry]\nimages = \"ghcr.io/me\"\n", func() { lock(recipe, "linux/arm64") }, "", "ghcr.io/me/chat-web:tag@" + digest},
		{"locked in another registry", "registry = \"ghcr.io/you\"\n", func() { lock(recipe, "linux/arm64") }, "unbuilt-image", ""},
		{"locked for another platform", "registry = \"ghcr.io/me\"\n", func() { lock(recipe, "linux/amd64") }, "unbuilt-image", ""},
		{"another recipe", "registry = \"ghcr.io/me\"\n", func() { lock(other, "linux/arm64") }, "unbuilt-image", ""},
	} {
		r.write("fleet.toml", settings+c.registry)
		c.lock()
		r.git("add", "--all")
		_, result := r.load()
		if got := codes(result.Findings); got != c.codes {
			t.Errorf("%s: %s, want %s: %v", c.name, got, c.codes, result.Findings)
		}
		override := string(result.Files["chat.override.yaml"])
		if c.image != "" && (!strings.Contains(override, "image: "+c.image+"\n") || !strings.Contains(override, "build: !reset null\n")) {
			t.Errorf("%s: override\n%s", c.name, override)
		}
	}
}

// TestBuildsOfHosts: each host's build is its own, the lock file keeps what any
// host needs, and what none needs is unused.
func TestBuildsOfHosts(t *testing.T) {
	r := newRepository(t)
	r.write("fleet.toml", "operators = [\""+age+"\"]\nregistry = \"ssh\"\n")
	r.write("stacks/chat/compose.yaml", "services:\n  web:\n    build: {context: app, args: {TAG: \"${TAG}\"}}\n    restart: always\n")
	r.write("hosts/pi/host.toml", strings.ReplaceAll(hostToml, "TZ = \"UTC\"", "TAG = \"1\""))
	r.write("hosts/pj/host.toml", strings.ReplaceAll(strings.ReplaceAll(hostToml, "TZ = \"UTC\"", "TAG = \"2\""), "aarch64", "x86_64"))
	r.git("add", "--all")
	w, _ := r.open()
	all, err := w.Builds(t.Context(), "chat", func(fleet.Host) bool { return true })
	if err != nil || len(all.Builds) != 2 || len(all.Keys) != 2 || len(all.Findings) > 0 {
		t.Fatalf("%+v, %v", all, err)
	}
	one, err := w.Builds(t.Context(), "chat", func(h fleet.Host) bool { return h.Name == "pj" })
	if err != nil || len(one.Builds) != 1 || one.Builds[0].Platform != "linux/amd64" || one.Builds[0].Recipe.Args["TAG"] != "2" || len(one.Keys) != 2 {
		t.Fatalf("%+v, %v", one, err)
	}
	var lock images.Lock
	for i, b := range all.Builds {
		lock = append(lock, images.Entry{Reference: b.Recipe.Image + ":" + string(rune('a'+i)), IDs: []string{digest}, Platforms: []string{b.Platform}, Date: "2026-11-20T10:00:00Z", Build: b.Recipe.Key()})
	}
	lock = append(lock, images.Entry{Reference: "pistack.invalid/old:1", IDs: []string{digest}, Platforms: []string{"linux/arm64"}, Date: "2026-11-20T10:00:00Z", Build: "0123456789abcdef"})
	r.write(lockFile, string(images.Print(lock)))
	r.git("add", "--all")
	w, _ = r.open()
	var results []generate.Result
	for _, h := range w.Fleet.Hosts {
		result, err := w.Host(t.Context(), h)
		if err != nil || compose.HasErrors(result.Findings) {
			t.Fatal(err, result.Findings)
		}
		if got := result.LocalImages(); len(got) != 1 || got[0] != "pistack.invalid/chat-web:"+strings.TrimPrefix(digest, "sha256:") {
			t.Errorf("over ssh come %q", got)
		}
		results = append(results, result)
	}
	unused := w.UnusedLocks(results)
	if len(unused) != 1 || !strings.Contains(unused[0].Message, "pistack.invalid/old:1") {
		t.Errorf("unused: %v", unused)
	}
	if got, err := w.Images(t.Context(), "chat"); err != nil || len(got.Keys) != 2 || len(got.Uses) > 0 {
		t.Errorf("%+v, %v", got, err)
	}
}

package images_test

import (
	"maps"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/compose"
	"pistack/compose/images"
)

const (
	key     = "0123456789abcdef"
	builtAs = "ghcr.io/me/web-app:00112233445566778899aabbccddeeff"
	localAs = "pistack.invalid/web-app:00112233445566778899aabbccddeeff"
)

// builtLock has an image that is pulled, one that was pushed, and one that goes
// over ssh.
func builtLock() images.Lock {
	return images.Lock{
		{Reference: builtAs, Digest: one, Platforms: []string{"linux/amd64", "linux/arm64"}, Date: date, Build: key},
		lock()[0],
		{Reference: localAs, IDs: []string{one, two}, Platforms: []string{"linux/amd64", "linux/arm64"}, Date: date, Build: "fedcba9876543210"},
	}
}

func TestBuiltLock(t *testing.T) {
	l, findings := images.Parse("web", images.Print(builtLock()))
	if len(findings) > 0 {
		t.Fatal(findings)
	}
	for _, c := range []struct{ key, platform, want string }{
		{key, "linux/arm64", builtAs + "@" + one},
		{key, "linux/amd64", builtAs + "@" + one},
		{key, "linux/arm/v7", ""},
		{"other", "linux/arm64", ""},
		{"fedcba9876543210", "linux/amd64", "pistack.invalid/web-app:" + one[7:]},
		{"fedcba9876543210", "linux/arm64", "pistack.invalid/web-app:" + two[7:]},
	} {
		e, found := l.Built(c.key, c.platform)
		if got := e.Runs(c.platform); found != (c.want != "") || found && got != c.want {
			t.Errorf("%s for %s: %t, %s", c.key, c.platform, found, got)
		}
	}
	if pinned, ok := l.Pinned(builtAs); ok {
		t.Errorf("%s counts as an image that is pulled", pinned)
	}
	if got := text(images.Unused("web", l, []images.Use{{Reference: "nginx"}}, []string{key})); !strings.Contains(got, localAs) || strings.Contains(got, builtAs) {
		t.Errorf("unused: %s", got)
	}
}

func TestRepository(t *testing.T) {
	for reference, want := range map[string]string{
		"nginx": "nginx", "nginx:1": "nginx", "localhost:5000/a": "localhost:5000/a", "localhost:5000/a:1@" + one: "localhost:5000/a", "a/b@" + one: "a/b",
	} {
		if got := images.Repository(reference); got != want {
			t.Errorf("%s: %s, want %s", reference, got, want)
		}
	}
}

// TestBuilds: names, paths and what of a build section is taken.
func TestBuilds(t *testing.T) {
	const everything = `services:
  app:
    image: api:2
    platform: linux/arm/v7
    build:
      context: ./app
      dockerfile: Dockerfile.pi
      target: prod
      args: {B: "2", A: "1", NONE: }
      labels: {l: x}
      additional_contexts: {shared: ../shared, base: "docker-image://alpine@` + one + `"}
      network: none
      shm_size: 1m
      extra_hosts: ["a:1.2.3.4"]
      ulimits: {nofile: 10, core: {soft: 1, hard: 2}}
      secrets: [TOKEN, {source: FILE, target: f}]
      ssh: [default]
      cache_from: [c]
      no_cache: true
      pull: true
secrets:
  TOKEN: {environment: GH_TOKEN}
  FILE: {file: ./f}
`
	builds, findings := images.Builds(load(t, everything), "ghcr.io/me", "linux/arm64")
	if len(findings) > 0 || len(builds) != 1 {
		t.Fatal(text(findings))
	}
	got := builds[0]
	wantRecipe := images.Recipe{
		Image: "ghcr.io/me/api", Context: "stacks/web/app", Dockerfile: "stacks/web/app/Dockerfile.pi", Target: "prod",
		Args: map[string]string{"A": "1", "B": "2"}, Labels: map[string]string{"l": "x"},
		Folders: map[string]string{"shared": "stacks/shared"}, Pinned: map[string]string{"base": "docker-image://alpine@" + one},
		Network: "none", ExtraHosts: []string{"a=1.2.3.4"}, ShmSize: 1 << 20, Ulimits: []string{"core=1:2", "nofile=10:10"}, SecretIDs: []string{"TOKEN", "f"},
	}
	wantMeans := images.Means{CacheFrom: []string{"c"}, Secrets: []string{"id=TOKEN,env=GH_TOKEN", "id=f,src=stacks/web/f"}, SSH: []string{"default"}, NoCache: true, Pull: true}
	if !reflect.DeepEqual(got.Recipe, wantRecipe) {
		t.Errorf("recipe\n%+v\nwant\n%+v", got.Recipe, wantRecipe)
	}
	if !reflect.DeepEqual(got.Means, wantMeans) {
		t.Errorf("means %+v, want %+v", got.Means, wantMeans)
	}
	if got.Platform != "linux/arm/v7" || got.Service != "app" || got.Place.Line != 5 {
		t.Errorf("%+v", got)
	}
}

func TestImageNames(t *testing.T) {
	for _, c := range []struct{ image, registry, want string }{
		{"", "ghcr.io/me", "ghcr.io/me/web-app"},
		{"api:2", "ghcr.io/me", "ghcr.io/me/api"},
		{"team/api", "ghcr.io/me", "ghcr.io/me/team/api"},
		{"quay.io/x/api:2", "ghcr.io/me", "quay.io/x/api"},
		{"localhost:5000/api:2", "", "localhost:5000/api"},
		{"team/api:2", "", "team/api"},
		{"quay.io/x/api:2", "ssh", "pistack.invalid/web-app"},
		{"", "ssh", "pistack.invalid/web-app"},
		{"", "", "compose.yaml:3:5: error: service app: it is built, and there is no registry to push the image to [unbuildable]"},
		{"api", "", "compose.yaml:3:5: error: service app: it is built, and there is no registry to push the image to [unbuildable]"},
		{"Quay.io/X/api", "ssh", "pistack.invalid/web-app"},
		{"quay.io/X/api", "", "compose.yaml:3:5: error: service app: quay.io/X/api cannot be the name of an image [unbuildable]"},
	} {
		file := "services:\n  app:\n    build: .\n"
		if c.image != "" {
			file += "    image: " + c.image + "\n"
		}
		builds, findings := images.Builds(load(t, file), c.registry, "linux/arm64")
		got := text(findings)
		if len(builds) == 1 {
			got += builds[0].Recipe.Image
		}
		if got != c.want {
			t.Errorf("%q below %q: %s\nwant %s", c.image, c.registry, got, c.want)
		}
	}
}

func TestUnbuildable(t *testing.T) {
	for _, c := range []struct{ build, want string }{
		{"https://example.org/x.git", "context https://example.org/x.git is not a folder of this repository"},
		{"git@example.org:x", "context git@example.org:x is not a folder of this repository"},
		{"/abs", "context /abs leads out of the repository"},
		{"~/x", "context ~/x leads out of the repository"},
		{"../../..", "context ../../.. leads out of the repository"},
		{"{context: ., dockerfile: /etc/D}", "dockerfile /etc/D is not a file of the repository"},
		{"{context: ., dockerfile: ../../../D}", "dockerfile ../../../D is not a file of the repository"},
		{"{context: ., privileged: true}", "a build with privileges of the building machine is not made"},
		{"{context: ., isolation: hyperv}", "isolation hyperv is not known"},
		{"{context: ., additional_contexts: {b: 'service:db'}}", "additional_contexts service:db is not a folder"},
		{"{context: ., additional_contexts: {b: 'docker-image://alpine:3'}}", "additional_contexts docker-image://alpine:3 is not a folder"},
		{"{context: ., platforms: [linux/amd64]}", "its image exists for linux/amd64 only, not for linux/arm64"},
		{"{context: ., ssh: ['k=/home/me/id']}", "ssh k names a key of one machine"},
		{"{context: ., secrets: [S]}\nsecrets: {S: {external: true}}", "build secret S comes from neither the environment nor a file"},
	} {
		s := load(t, "services:\n  db: {build: db}\n  app:\n    build: "+c.build+"\n")
		builds, findings := images.Builds(s, "ghcr.io/me", "linux/arm64")
		if got := text(findings); len(builds) != 1 || builds[0].Service != "db" || !strings.HasPrefix(got, "compose.yaml:4:") || !strings.Contains(got, "error: service app: "+c.want) {
			t.Errorf("%s: %d builds, %s", c.build, len(builds), got)
		}
	}
}

// TestKey: what changes an image changes its recipe's key, and nothing else does.
func TestKey(t *testing.T) {
	keyOf := func(build string) string {
		builds, findings := images.Builds(load(t, "services:\n  app:\n    build: "+build+"\n"), "ghcr.io/me", "linux/arm64")
		if len(builds) != 1 {
			t.Fatal(text(findings))
		}
		return builds[0].Recipe.Key()
	}
	base := keyOf("{context: app}")
	for _, same := range []string{"app", "./app/", "{context: app, cache_from: [x]}", "{context: app, no_cache: true, pull: true}", "{context: app, tags: [x]}", "{context: app, args: {A: }}"} {
		if keyOf(same) != base {
			t.Errorf("%s has another key", same)
		}
	}
	seen := map[string]string{base: "app"}
	for _, other := range []string{"lib", "{context: app, target: x}", "{context: app, args: {A: b}}", "{context: app, labels: {A: b}}", "{context: app, dockerfile: D}", "{context: app, dockerfile_inline: FROM x}", "{context: app, network: none}"} {
		k := keyOf(other)
		if seen[k] != "" {
			t.Errorf("%s has the key of %s", other, seen[k])
		}
		seen[k] = other
	}
}

func TestCheckBuilds(t *testing.T) {
	s := load(t, "services:\n  app:\n    build: .\n")
	for _, c := range []struct{ registry, fix string }{{"ghcr.io/me", "pistack build web --push"}, {"ssh", "pistack build web"}} {
		builds, _ := images.Builds(s, c.registry, "linux/arm64")
		findings := images.CheckBuilds("web", builds, nil)
		if len(findings) != 1 || findings[0].Fix != c.fix || text(findings) != "compose.yaml:3:5: error: service app is built, and stacks/web/images.lock has no image of it for linux/arm64 [unbuilt-image]" {
			t.Errorf("%+v", findings)
		}
		l := images.Lock{{Reference: builtAs, Digest: one, Platforms: []string{"linux/arm64"}, Date: date, Build: builds[0].Recipe.Key()}}
		if findings := images.CheckBuilds("web", builds, l); len(findings) > 0 {
			t.Errorf("locked: %s", text(findings))
		}
		if got := images.Override(builds, l); got["app"] != builtAs+"@"+one {
			t.Errorf("override %v", got)
		}
	}
}

// FuzzBuilds: whatever a build section says, what is taken of it stays inside the
// repository, has a name that can be locked, and comes to the same key again.
func FuzzBuilds(f *testing.F) {
	for _, seed := range []string{".", "{context: ../x, dockerfile: ../D}", "{context: ., args: [A, B=c], secrets: [s]}", "{additional_contexts: {a: ., b: 'docker-image://x'}}",
		"{context: 'a/../../..', ssh: [default], ulimits: {n: 1}, shm_size: 1g}", "'-x'", "{dockerfile_inline: FROM x, platforms: [linux/arm64]}"} {
		f.Add(seed, "api:1", "ghcr.io/me")
	}
	f.Fuzz(func(t *testing.T, build, image, registry string) {
		s, _ := compose.Load(t.Context(), compose.Source{
			Repository: fstest.MapFS{"stacks/web/compose.yaml": &fstest.MapFile{Data: []byte("services:\n  app:\n    image: " + image + "\n    build: " + build + "\nsecrets: {s: {file: s}}\n")}},
			Stack:      "web", Host: "pi", Tracked: nothing{}, Ignored: func(string) (bool, error) { return false, nil },
		})
		if s == nil {
			return
		}
		builds, findings := images.Builds(s, registry, "linux/arm64")
		again, _ := images.Builds(s, registry, "linux/arm64")
		for i, b := range builds {
			for _, path := range append([]string{b.Recipe.Context, b.Recipe.Dockerfile}, slices.Collect(maps.Values(b.Recipe.Folders))...) {
				if strings.HasPrefix(path, "/") || path == ".." || strings.HasPrefix(path, "../") {
					t.Errorf("%q leads out of the repository", path)
				}
			}
			if !images.Valid(b.Recipe.Image+":tag") || b.Recipe.Key() != again[i].Recipe.Key() || len(b.Recipe.Key()) != 16 {
				t.Errorf("%+v, and again %+v", b.Recipe, again[i].Recipe)
			}
		}
		for _, found := range findings {
			if found.Line < 1 || found.Fix == "" || found.Severity != compose.Error {
				t.Errorf("%+v", found)
			}
		}
	})
}

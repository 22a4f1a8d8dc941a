package build

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/contexts"
	"pistack/internal/image"
	"pistack/internal/run"
)

const (
	hashA = "aaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaaa"
	hashB = "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
	one   = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	two   = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	amd64 = "linux/amd64"
	arm64 = "linux/arm64"
)

func web() images.Recipe {
	return images.Recipe{Image: "ghcr.io/me/shop-web", Context: "stacks/shop/web", Dockerfile: "stacks/shop/web/Dockerfile"}
}

func lockOf(hash string, platforms ...string) images.Lock {
	return images.Lock{{Reference: "ghcr.io/me/shop-web:" + Tag(hash, platforms), Digest: one, Platforms: platforms, Date: "2026-11-20T10:00:00Z", Build: web().Key(), Line: 3}}
}

func builds(platforms ...string) []images.Build {
	var all []images.Build
	for _, p := range platforms {
		all = append(all, images.Build{Service: "web", Platform: p, Recipe: web()})
	}
	return all
}

func TestPlan(t *testing.T) {
	hashes := map[string]string{web().Key(): hashA}
	for _, c := range []struct {
		name      string
		wanted    []string
		lock      images.Lock
		platforms []string
		locked    bool
	}{
		{"new", []string{arm64, amd64, arm64}, nil, []string{amd64, arm64}, false},
		{"locked", []string{amd64, arm64}, lockOf(hashA, amd64, arm64), []string{amd64, arm64}, true},
		{"locked for more", []string{arm64}, lockOf(hashA, amd64, arm64), []string{amd64, arm64}, true},
		{"locked for less", []string{amd64, arm64}, lockOf(hashA, arm64), []string{amd64, arm64}, false},
		{"locked for others, unchanged", []string{arm64}, lockOf(hashA, amd64), []string{amd64, arm64}, false},
		{"locked for others, of other files", []string{arm64}, lockOf(hashB, amd64), []string{arm64}, false},
		{"of other files", []string{amd64, arm64}, lockOf(hashB, amd64, arm64), []string{amd64, arm64}, false},
	} {
		tasks := Plan([]Stack{{Name: "shop", Builds: builds(c.wanted...), Lock: c.lock}}, hashes)
		if len(tasks) != 1 || !slices.Equal(tasks[0].Platforms, c.platforms) || tasks[0].IsLocked() != c.locked || tasks[0].Reference != "ghcr.io/me/shop-web:"+Tag(hashA, c.platforms) {
			t.Errorf("%s: %+v", c.name, tasks)
		}
	}
}

// TestPlanShared: stacks with the same recipe share an image, which is locked
// once all of them have it.
func TestPlanShared(t *testing.T) {
	hashes := map[string]string{web().Key(): hashA}
	stacks := []Stack{{Name: "b", Builds: builds(arm64), Lock: lockOf(hashA, arm64)}, {Name: "a", Builds: builds(arm64)}}
	tasks := Plan(stacks, hashes)
	if len(tasks) != 1 || tasks[0].Title() != "a/web, b/web" || tasks[0].IsLocked() {
		t.Errorf("%+v", tasks)
	}
	stacks[1].Lock = stacks[0].Lock
	if tasks := Plan(stacks, hashes); !tasks[0].IsLocked() {
		t.Errorf("%+v", tasks)
	}
	other := slices.Clone(stacks[0].Lock)
	other[0].Digest = two
	stacks[1].Lock = other
	if tasks := Plan(stacks, hashes); tasks[0].IsLocked() {
		t.Error("two digests of one tag count as locked")
	}
}

func TestTag(t *testing.T) {
	seen := map[string]bool{}
	for _, hash := range []string{hashA, hashB} {
		for _, platforms := range [][]string{{amd64}, {arm64}, {amd64, arm64}} {
			tag := Tag(hash, platforms)
			if len(tag) != 32 || seen[tag] || tag != Tag(hash, platforms) {
				t.Errorf("%s %v: %s", hash, platforms, tag)
			}
			seen[tag] = true
		}
	}
}

func TestLocks(t *testing.T) {
	now := time.Date(2026, 12, 1, 0, 0, 0, 0, time.UTC)
	pulled := images.Entry{Reference: "nginx", Digest: two, Platforms: []string{arm64}, Date: "2026-11-20T10:00:00Z"}
	gone := images.Entry{Reference: "ghcr.io/me/old:x", Digest: two, Platforms: []string{arm64}, Date: "2026-11-20T10:00:00Z", Build: "0000000000000000"}
	stack := Stack{Name: "shop", Builds: builds(arm64), Keys: []string{web().Key()}, Lock: append(lockOf(hashB, arm64), pulled, gone)}
	task := Plan([]Stack{stack}, map[string]string{web().Key(): hashA})[0]
	for _, c := range []struct {
		name   string
		result Result
		lock   images.Lock
		want   string
	}{
		{"pushed", Result{Task: task, Status: Pushed, Digest: two}, stack.Lock, "updated ghcr.io/me/shop-web 2026-12-01T00:00:00Z, unchanged nginx, removed ghcr.io/me/old"},
		{"the first", Result{Task: task, Status: Pushed, Digest: two}, images.Lock{pulled}, "added ghcr.io/me/shop-web 2026-12-01T00:00:00Z, unchanged nginx"},
		{"unchanged", Result{Task: task, Status: Unchanged, Digest: one}, append(lockOf(hashA, arm64), pulled), "unchanged ghcr.io/me/shop-web 2026-11-20T10:00:00Z, unchanged nginx"},
		{"not pushed", Result{Task: task, Status: Built}, stack.Lock, "unchanged ghcr.io/me/shop-web 2026-11-20T10:00:00Z, unchanged nginx, removed ghcr.io/me/old"},
		{"of another stack", Result{Task: Task{Uses: []Use{{"other", "web"}}}, Status: Pushed, Digest: two}, images.Lock{pulled}, "unchanged nginx"},
	} {
		stack.Lock = c.lock
		files := Locks([]Stack{stack}, []Result{c.result}, now)
		var got []string
		for _, i := range files[0].Images {
			line := string(i.Status) + " " + images.Repository(i.Entry.Reference)
			if i.Entry.Build == web().Key() {
				line += " " + i.Entry.Date
			}
			got = append(got, line)
		}
		if text := strings.Join(got, ", "); text != c.want {
			t.Errorf("%s: %s\nwant %s", c.name, text, c.want)
		}
		if _, findings := images.Parse("shop", images.Print(files[0].Lock())); len(findings) > 0 {
			t.Errorf("%s: what is written cannot be read: %v", c.name, findings)
		}
	}
}

// TestCommand holds the command line to what buildx knows, and secrets to being
// named only.
func TestCommand(t *testing.T) {
	r := images.Recipe{
		Image: "ghcr.io/me/x", Context: "stacks/shop/web", Dockerfile: "stacks/shop/web/D", Target: "prod", Args: map[string]string{"B": "2", "A": "-x"},
		Labels: map[string]string{"l": "v w"}, Folders: map[string]string{"more": "lib"}, Pinned: map[string]string{"base": "docker-image://a@" + one},
		Network: "host", ExtraHosts: []string{"h=1.2.3.4", "i=::1"}, ShmSize: 1024, Ulimits: []string{"nofile=1:2"},
	}
	task := Task{Recipe: r, Reference: "ghcr.io/me/x:tag", Means: images.Means{Secrets: []string{"id=T,env=TOKEN"}, SSH: []string{"default"}, CacheFrom: []string{"c"}, Pull: true, NoCache: true}}
	s := Settings{Root: "/fleet", Builder: "mine", Cache: InRegistry}
	c := s.command(task, arm64)
	want := "BUILDX_NO_DEFAULT_ATTESTATIONS=1 docker buildx build --load --progress plain --platform linux/arm64 --tag ghcr.io/me/x:tag-linux-arm64 --file ./stacks/shop/web/D --builder mine --target prod" +
		" --build-arg A=-x --build-arg B=2 --label 'l=v w' --build-context more=./lib --build-context base=docker-image://a@" + one +
		" --network host --allow network.host --add-host h:1.2.3.4 --add-host i:::1 --shm-size 1024 --ulimit nofile=1:2 --cache-from=c --secret=id=T,env=TOKEN --ssh=default --no-cache --pull" +
		" --cache-from type=registry,ref=ghcr.io/me/x:cache-linux-arm64 --cache-to type=registry,mode=max,ref=ghcr.io/me/x:cache-linux-arm64 ./stacks/shop/web"
	if got := c.String(); got != want || c.Dir != "/fleet" || c.Stdin != nil {
		t.Errorf("got  %s\nwant %s", got, want)
	}
	task.Recipe = images.Recipe{Image: "x", Context: ".", Inline: "FROM scratch\n"}
	task.Means = images.Means{}
	c = Settings{Cache: GitHub}.command(task, amd64)
	if got, want := strings.Join(c.Argv[10:], " "), "--file - --cache-from type=gha,scope=x-linux-amd64 --cache-to type=gha,mode=max,scope=x-linux-amd64 ./."; got != want || c.Stdin == nil {
		t.Errorf("got  %s\nwant %s", got, want)
	}
}

// TestDockerfileOf: what failed is named, with the line where the builder said it.
func TestDockerfileOf(t *testing.T) {
	inline := images.Recipe{Image: "x", Context: ".", Inline: "FROM scratch\n"}
	for _, c := range []struct {
		name   string
		recipe images.Recipe
		last   []string
		want   string
	}{
		{"a line", web(), []string{"#4 ERROR: not found", "Dockerfile:2", "--------------------", "   2 | >>> COPY nothing /", "ERROR: failed to build"}, "stacks/shop/web/Dockerfile:2"},
		{"no line", web(), []string{"ERROR: failed to build"}, "stacks/shop/web/Dockerfile"},
		{"a line of another file", web(), []string{"main.go:7", "Dockerfile:x", "ADockerfile:3"}, "stacks/shop/web/Dockerfile"},
		{"in the Compose file", inline, []string{"Dockerfile:2"}, "stacks/shop/compose.yaml:4:5"},
	} {
		task := Task{Recipe: c.recipe, Place: compose.Position{File: "stacks/shop/compose.yaml", Line: 4, Column: 5}}
		if got := dockerfileOf(task, &run.Error{Last: c.last}); got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
	if got := dockerfileOf(Task{Recipe: web()}, errors.New("other")); got != "stacks/shop/web/Dockerfile" {
		t.Error(got)
	}
}

// registry answers as told.
type registry struct {
	has    map[string]string // reference to digest
	lacks  bool              // the platforms
	failed error
	asked  []string
}

func (r *registry) Find(_ context.Context, reference string) (bool, image.Image, error) {
	r.asked = append(r.asked, reference)
	digest, found := r.has[reference]
	there := image.Image{Digest: digest, Platforms: []string{amd64, arm64}}
	if r.lacks {
		there.Platforms = there.Platforms[:1]
	}
	return found, there, r.failed
}
func (r *registry) Check(context.Context, string) error               { return r.failed }
func (r *registry) Push(context.Context, string, v1.ImageIndex) error { return r.failed }

func TestLook(t *testing.T) {
	newTask := Plan([]Stack{{Name: "shop", Builds: builds(arm64)}}, map[string]string{web().Key(): hashA})[0]
	locked := Plan([]Stack{{Name: "shop", Builds: builds(arm64), Lock: lockOf(hashA, arm64)}}, map[string]string{web().Key(): hashA})[0]
	digest := newTask.Recipe.Image + "@" + one
	broken := errors.New("no network")
	for _, c := range []struct {
		name     string
		task     Task
		registry registry
		push     bool
		force    bool
		want     string
	}{
		{"new", newTask, registry{}, true, false, "needed  1 asked"},
		{"pushed by others", newTask, registry{has: map[string]string{newTask.Reference: two}}, true, false, "found " + two + " 1 asked"},
		{"pushed by others, for another platform", newTask, registry{has: map[string]string{newTask.Reference: two}, lacks: true}, true, false, "needed  1 asked"},
		{"pushed by others, without --push", newTask, registry{has: map[string]string{newTask.Reference: two}}, false, false, "found " + two + " 1 asked"},
		{"locked, without --push", locked, registry{failed: broken}, false, false, "unchanged " + one + " 0 asked"},
		{"locked", locked, registry{has: map[string]string{digest: one}}, true, false, "unchanged " + one + " 1 asked"},
		{"locked, tag moved", locked, registry{has: map[string]string{digest: one, locked.Reference: two}}, true, false, "unchanged " + one + " 1 asked"},
		{"locked, and gone from the registry", locked, registry{}, true, false, "needed  2 asked"},
		{"locked, and only another is there", locked, registry{has: map[string]string{locked.Reference: two}}, true, false, "found " + two + " 2 asked"},
		{"forced", locked, registry{has: map[string]string{digest: one}}, true, true, "needed  0 asked"},
		{"no network, without --push", newTask, registry{failed: broken}, false, false, "needed  1 asked; noted"},
		{"no network", newTask, registry{failed: broken}, true, false, "no network"},
	} {
		noted := ""
		results, err := Look(t.Context(), &c.registry, []Task{c.task}, Settings{Force: c.force}, c.push, func(error) { noted = "; noted" })
		got := fmt.Sprint(err)
		if err == nil {
			got = fmt.Sprintf("%s %s %d asked%s", results[0].Status, results[0].Digest, len(c.registry.asked), noted)
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", c.name, got, c.want)
		}
	}
}

// TestStale: what check says of a lock file, by the files that are there.
func TestStale(t *testing.T) {
	hasher := NewHasher(contexts.Repository{Root: t.TempDir(), Tracked: func(string) bool { return true }})
	hasher.known[web().Key()] = hashed{hash: hashA}
	for _, c := range []struct {
		lock images.Lock
		want string
	}{
		{nil, ""}, // CheckBuilds says it
		{lockOf(hashA, arm64), ""},
		{lockOf(hashA, amd64, arm64), ""},
		{lockOf(hashB, arm64), "service web: its files are not those that the image of stacks/shop/images.lock:3 was built from; pistack build shop --push"},
	} {
		findings, err := hasher.Stale(t.Context(), "shop", builds(arm64), c.lock)
		got := ""
		for _, f := range findings {
			got += f.Message + "; " + f.Fix
		}
		if got != c.want || err != nil {
			t.Errorf("%s, %v, want %s", got, err, c.want)
		}
	}
}

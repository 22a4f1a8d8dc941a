package usage_test

import (
	"context"
	"maps"
	"os"
	"path"
	"reflect"
	"slices"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pistack/compose"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/usage"
)

func files(texts map[string]string) fstest.MapFS {
	fsys := fstest.MapFS{}
	for name, text := range texts {
		fsys[name] = &fstest.MapFile{Data: []byte(text)}
	}
	return fsys
}

func TestOf(t *testing.T) {
	const compose = "stacks/chat/compose.yaml"
	for _, c := range []struct {
		name    string
		files   map[string]string
		by      map[string][]string
		inEnv   []string
		missing map[string][]string
		unread  []string
	}{
		{"nothing", nil, nil, nil, nil, nil},
		{"a variable", map[string]string{compose: "services: {a: {environment: {X: \"${A}\", Y: $B}}}"},
			map[string][]string{"A": {compose}, "B": {compose}}, []string{"A", "B"}, nil, nil},
		{"a variable with a default", map[string]string{compose: "services: {a: {image: \"x:${TAG:-1}${A:-$B}\"}}"},
			map[string][]string{"A": {compose}}, []string{"A"}, nil, nil},
		{"a default that applies", map[string]string{compose: "a: ${OTHER:-${A}}"}, map[string][]string{"A": {compose}}, []string{"A"}, nil, nil},
		{"variables that have a value", map[string]string{compose: "a: $FROM_ENV $FROM_HOST $COMPOSE_PROJECT_NAME $$A", "stacks/chat/.env": "FROM_ENV=1\n"}, nil, nil, nil, nil},
		{"short and long secrets", map[string]string{compose: "services: {a: {secrets: [A, {source: B, target: b}]}}\nsecrets: {A: {environment: A}, B: {file: b.txt}, C: {external: true}}"},
			map[string][]string{"A": {compose}, "B": {compose}}, nil, nil, nil},
		{"a list behind an alias", map[string]string{compose: "x-s: &s [A, NEW]\nservices: {a: {secrets: *s}}"},
			map[string][]string{"A": {compose}}, nil, map[string][]string{"NEW": {compose}}, nil},
		{"missing", map[string]string{compose: "services: {a: {secrets: [NEW], environment: {X: $NEWER}}}"}, nil, nil,
			map[string][]string{"NEW": {compose}, "NEWER": {compose}}, nil},
		{"secrets of a build", map[string]string{compose: "services: {a: {build: {context: ., secrets: [NEW]}}}"}, nil, nil, nil, nil},
		{"the host's override", map[string]string{compose: "a: 1", "stacks/chat/compose.pi.yaml": "a: $A", "stacks/chat/compose.other.yaml": "a: $B"},
			map[string][]string{"A": {"stacks/chat/compose.pi.yaml"}}, []string{"A"}, nil, nil},
		{"included and extended files", map[string]string{
			compose:                       "include: [one.yaml, {path: [two.yaml]}]\nservices: {a: {extends: {file: ../base/three.yaml, service: x}}}",
			"stacks/chat/one.yaml":        "a: $A",
			"stacks/chat/two.yaml":        "include: one.yaml\nb: $B",
			"stacks/base/three.yaml":      "services: {x: {secrets: [C]}}",
			"stacks/unused/compose.yaml":  "a: $NEW",
			"stacks/chat/not-named.yaml":  "a: $NEW",
			"stacks/chat/compose.pi2.yml": "a: $NEW",
		}, map[string][]string{"A": {"stacks/chat/one.yaml"}, "B": {"stacks/chat/two.yaml"}, "C": {"stacks/base/three.yaml"}}, []string{"A", "B"}, nil, nil},
		{"variables of an include", map[string]string{
			compose:                  "include: [../base/one.yaml, {path: two.yaml, env_file: two.env}]\nb: $FROM_BASE",
			"stacks/base/one.yaml":   "a: $FROM_BASE $A",
			"stacks/base/.env":       "FROM_BASE=1\nA=not this\n",
			"stacks/chat/two.yaml":   "a: $FROM_FILE",
			"stacks/chat/two.env":    "FROM_FILE=1\n",
			"stacks/chat/unused.env": "B=1\n",
		}, map[string][]string{"A": {"stacks/base/one.yaml"}}, []string{"A"}, map[string][]string{"FROM_BASE": {compose}}, nil},
		{"an environment without values", map[string]string{compose: "services: {a: {environment: [A, X=1, FROM_HOST]}, b: {environment: {B: , NEW: }}}"},
			map[string][]string{"A": {compose}, "B": {compose}}, []string{"A", "B"}, map[string][]string{"NEW": {compose}}, nil},
		{"a second document", map[string]string{compose: "a: 1\n---\nb: $A\n"}, map[string][]string{"A": {compose}}, []string{"A"}, nil, nil},
		{"NixOS files", map[string]string{
			"hosts/pi/default.nix":           "{ x = config.pistack.secrets.A.path; }",
			"hosts/pi/generated/default.nix": "B",
			"hosts/other/default.nix":        "B",
			"modules/pistack/options.nix":    "B",
			"modules/roles/ai.nix":           "secrets.C.path # not BB",
		}, map[string][]string{"A": {"hosts/pi/default.nix"}, "C": {"modules/roles/ai.nix"}}, nil, nil, nil},
		{"no YAML", map[string]string{compose: "a: [", "stacks/chat/.env": "a b c\n"}, nil, nil, nil, []string{"stacks/chat/.env", compose}},
	} {
		t.Run(c.name, func(t *testing.T) {
			u := usage.Of(files(c.files), usage.Host{Name: "pi", Stacks: []string{"chat"}, Env: map[string]string{"FROM_HOST": "x"}, Have: []string{"A", "B", "C"}})
			same := func(what string, got, want any) {
				if reflect.ValueOf(got).Len()+reflect.ValueOf(want).Len() > 0 && !reflect.DeepEqual(got, want) {
					t.Errorf("%s: %v, want %v", what, got, want)
				}
			}
			same("by", u.By, c.by)
			same("missing", u.Missing, c.missing)
			same("unread", u.Unread, c.unread)
			same("in a value", slices.Sorted(maps.Keys(u.InEnv)), c.inEnv)
		})
	}
}

// TestRegistries: host.toml uses a secret, too, and wants one that is not there.
func TestRegistries(t *testing.T) {
	u := usage.Of(files(nil), usage.Host{Name: "pi", Have: []string{"A", "B"}, Registries: map[string]string{"a.example": "A", "b.example": "C", "docker.io": "A"}})
	if want := map[string][]string{"A": {"hosts/pi/host.toml"}}; !reflect.DeepEqual(u.By, want) {
		t.Errorf("by %v", u.By)
	}
	if want := map[string][]string{"C": {"hosts/pi/host.toml"}}; !reflect.DeepEqual(u.Missing, want) {
		t.Errorf("missing %v", u.Missing)
	}
}

// TestAgreesWithLoad: for stacks that include and extend, in every way, the
// secrets are exactly those that package compose finds.
func TestAgreesWithLoad(t *testing.T) {
	for name, texts := range map[string]map[string]string{
		"include":  {"compose.yaml": "include: [../base/b.yaml]\nservices: {a: {image: a}}", "../base/b.yaml": "services: {b: {image: b, environment: {X: $A}, secrets: [B]}}\nsecrets: {B: {environment: B}}"},
		"long":     {"compose.yaml": "include: [{path: [b.yaml, c.yaml], env_file: b.env}]\nservices: {a: {image: a}}", "b.yaml": "services: {b: {image: \"b:$TAG\"}}", "c.yaml": "services: {b: {environment: [X=$A]}}", "b.env": "TAG=1\n"},
		"nested":   {"compose.yaml": "include: [../base/b.yaml]\nservices: {a: {image: a}}", "../base/b.yaml": "include: [sub/c.yaml]", "../base/sub/c.yaml": "services: {c: {image: \"c:$TAG\", environment: [A]}}", "../base/sub/.env": "TAG=1\n"},
		"extends":  {"compose.yaml": "services: {a: {image: a, extends: {file: ../base/b.yaml, service: b}}}", "../base/b.yaml": "services: {b: {environment: {X: $A}, extends: {file: c.yaml, service: c}}}", "../base/c.yaml": "services: {c: {environment: {Y: $B}}}"},
		"override": {"compose.yaml": "services: {a: {image: a}}", "compose.pi.yaml": "include: [b.yaml]", "b.yaml": "services: {b: {image: b, environment: {X: $A}}}"},
		"document": {"compose.yaml": "services: {a: {image: a}}\n---\ninclude: [b.yaml]", "b.yaml": "services: {b: {image: b}}\n---\nservices: {b: {environment: {X: $A}}}"},
	} {
		t.Run(name, func(t *testing.T) {
			fsys := fstest.MapFS{}
			for file, text := range texts {
				fsys[path.Join("stacks/chat", file)] = &fstest.MapFile{Data: []byte(text)}
			}
			stack, findings := compose.Load(t.Context(), compose.Source{
				Repository: fsys, Stack: "chat", Host: "pi", Secrets: map[string]string{"A": "v", "B": "v", "UNUSED": "v"},
				Tracked: all{fsys}, Ignored: func(string) (bool, error) { return false, nil },
			})
			if stack == nil {
				t.Fatal(findings)
			}
			want := slices.Clone(stack.EnvSecrets)
			for _, s := range stack.Secrets {
				want = append(want, s.Name)
			}
			slices.Sort(want)
			u := usage.Of(fsys, usage.Host{Name: "pi", Stacks: []string{"chat"}, Have: []string{"A", "B", "UNUSED"}})
			if got := slices.Sorted(maps.Keys(u.By)); !slices.Equal(got, want) || len(want) == 0 || len(u.Missing)+len(u.Unread) > 0 {
				t.Errorf("%v, want %v; missing %v, unread %v", got, want, u.Missing, u.Unread)
			}
		})
	}
}

// all is a compose.PathSet of every file.
type all struct{ fsys fstest.MapFS }

func (a all) Has(path string) bool  { return a.fsys[path] != nil }
func (a all) Under(string) []string { return nil }

// TestAliasBomb: the work on a file is bounded.
func TestAliasBomb(t *testing.T) {
	var b strings.Builder
	b.WriteString("l0000: &l0000 [x, x, x, x, x, x, x, x, x, x]\n")
	for i := 1; i < 3000; i++ {
		b.WriteString(strings.NewReplacer("N", itoa(i), "P", itoa(i-1)).Replace("lN: &lN [*lP, *lP, *lP]\n"))
	}
	done := make(chan usage.Uses, 1)
	go func() {
		done <- usage.Of(files(map[string]string{"stacks/chat/compose.yaml": b.String()}), usage.Host{Name: "pi", Stacks: []string{"chat"}})
	}()
	select {
	case u := <-done:
		if len(u.Unread) != 1 {
			t.Errorf("unread: %v", u.Unread)
		}
	case <-time.After(time.Minute):
		t.Fatal("no end")
	}
}

func itoa(i int) string {
	return string(rune('0'+i/1000%10)) + string(rune('0'+i/100%10)) + string(rune('0'+i/10%10)) + string(rune('0'+i%10))
}

// TestAgreesWithCompose: for the example fleet, the stacks use exactly the
// secrets that package compose finds by loading them.
func TestAgreesWithCompose(t *testing.T) {
	f, err := fleet.Load("../..")
	if err != nil {
		t.Fatal(err)
	}
	ctx := context.Background()
	tree, err := git.Read(ctx, f.Root)
	if err != nil {
		t.Fatal(err)
	}
	defer tree.Close()
	repository := os.DirFS(f.Root)
	total := 0
	for _, h := range f.Hosts {
		have := []string{"GRAFANA_ADMIN_PASSWORD", "OPENAI_KEY", "LITELLM_MASTER_KEY", "MQTT_PASSWORD", "TAILSCALE_AUTH_KEY", "NOT_USED"}
		first := usage.Of(repository, usage.Host{Name: h.Name, Stacks: h.Stacks, Env: h.Env, Have: have})
		have = append(have, slices.Collect(maps.Keys(first.Missing))...)
		versions := map[string]string{}
		for _, name := range have {
			versions[name] = "v"
		}
		var want []string
		for _, name := range h.Stacks {
			stack, findings := compose.Load(ctx, compose.Source{
				Repository: repository, Stack: name, Host: h.Name, Env: h.Env, Secrets: versions,
				Tracked: tree.Tracked, Ignored: tree.Ignored,
			})
			if stack == nil || compose.HasErrors(findings) {
				t.Fatalf("%s of %s: %v", name, h.Name, findings)
			}
			want = append(want, stack.EnvSecrets...)
			for _, s := range stack.Secrets {
				want = append(want, s.Name)
			}
		}
		slices.Sort(want)
		want = slices.Compact(want)
		u := usage.Of(repository, usage.Host{Name: h.Name, Stacks: h.Stacks, Env: h.Env, Have: have})
		var got []string
		for name, by := range u.By {
			if len(usage.Stacks(by)) > 0 {
				got = append(got, name)
			}
		}
		slices.Sort(got)
		if !slices.Equal(got, want) || len(u.Missing) > 0 || len(u.Unread) > 0 {
			t.Errorf("%s: %v, want %v; missing %v, unread %v", h.Name, got, want, u.Missing, u.Unread)
		}
		total += len(got)
	}
	if total == 0 {
		t.Error("no stack of the example fleet uses a secret: this test proves nothing")
	}
}

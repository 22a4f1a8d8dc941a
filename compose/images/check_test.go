package images_test

import (
	"slices"
	"strings"
	"testing"
	"testing/fstest"

	"pistack/compose"
	"pistack/compose/images"
)

type nothing struct{}

func (nothing) Has(string) bool       { return true }
func (nothing) Under(string) []string { return nil }

// load is a stack "web" of one compose.yaml.
func load(t *testing.T, text string) *compose.Stack {
	t.Helper()
	s, findings := compose.Load(t.Context(), compose.Source{
		Repository: fstest.MapFS{"stacks/web/compose.yaml": &fstest.MapFile{Data: []byte(text)}},
		Stack:      "web", Host: "pi", Env: map[string]string{"TAG": "v1"}, Tracked: nothing{},
		Ignored: func(string) (bool, error) { return false, nil },
	})
	if s == nil {
		t.Fatal(findings)
	}
	return s
}

func text(findings []compose.Finding) string {
	var lines []string
	for _, f := range findings {
		if f.Fix == "" {
			lines = append(lines, "no fix:")
		}
		lines = append(lines, strings.TrimPrefix(f.String(), "stacks/web/"))
	}
	return strings.Join(lines, "\n")
}

func TestCheck(t *testing.T) {
	const arm64, amd64 = "linux/arm64", "linux/amd64"
	entry := func(reference string, platforms ...string) images.Lock {
		return images.Lock{{Reference: reference, Digest: one, Platforms: platforms, Date: date, Line: 3}}
	}
	web := func(lines ...string) string {
		return "services:\n  web:\n    " + strings.Join(lines, "\n    ") + "\n"
	}
	const at = "compose.yaml:3:5: error: image nginx of service web "
	for _, c := range []struct {
		name, text string
		lock       images.Lock
		host, want string
	}{
		{"locked", web("image: nginx"), entry("nginx", amd64, "linux/arm64/v8"), arm64, ""},
		{"locked, after interpolation", web("image: nginx:${TAG}"), entry("nginx:v1", arm64), arm64, ""},
		{"no lock", web("image: nginx"), nil, arm64,
			"compose.yaml:3:5: warning: image nginx of service web is not in stacks/web/images.lock: the device would run whatever its tag stands for on that day [unlocked-image]"},
		{"another tag", web("image: nginx:${TAG}"), entry("nginx", arm64), arm64,
			"compose.yaml:3:5: warning: image nginx:v1 of service web is not in stacks/web/images.lock: the device would run whatever its tag stands for on that day [unlocked-image]"},
		{"pinned by the author", web("image: nginx@" + one), entry("nginx@"+one, arm64), arm64, ""},
		{"pinned by the author, no lock", web("image: nginx@" + one), nil, arm64,
			"compose.yaml:3:5: warning: image nginx@" + one + " of service web is not in stacks/web/images.lock: nobody has looked up its platforms [unlocked-image]"},
		{"contradiction", web("image: nginx@" + two), entry("nginx@"+two, arm64), arm64,
			"compose.yaml:3:5: error: image nginx@" + two + " of service web names another digest than stacks/web/images.lock:3, which has " + one + " [lock-conflict]"},
		{"wrong platform", web("image: nginx"), entry("nginx", amd64, "linux/386"), arm64,
			at + "exists for linux/amd64, linux/386 only, not for linux/arm64 [wrong-platform]"},
		{"wrong platform, other way round", web("image: nginx"), entry("nginx", arm64), amd64,
			at + "exists for linux/arm64 only, not for linux/amd64 [wrong-platform]"},
		{"arm64 is no prefix of arm64be", web("image: nginx"), entry("nginx", "linux/arm64be"), arm64,
			at + "exists for linux/arm64be only, not for linux/arm64 [wrong-platform]"},
		{"32 bits only", web("image: nginx"), entry("nginx", "linux/arm/v7"), arm64,
			at + "exists for linux/arm/v7 only, and the host is linux/arm64 [wrong-platform]"},
		{"32 bits on purpose", web("image: nginx", "platform: linux/arm/v7"), entry("nginx", "linux/arm/v7"), arm64, ""},
		{"platform that the host is not", web("image: nginx", "platform: linux/amd64"), entry("nginx", amd64, arm64), arm64,
			at + "is to be that for linux/amd64, and the host is linux/arm64 [wrong-platform]"},
		{"platform that the image lacks", web("image: nginx", "platform: linux/arm/v7"), entry("nginx", arm64), arm64,
			at + "exists for linux/arm64 only, not for linux/arm/v7 [wrong-platform]"},
		{"bare architecture", web("image: nginx", "platform: aarch64"), entry("nginx", "linux/arm64/v8"), arm64, ""},
		{"variant asked for", web("image: nginx", "platform: linux/arm64/v8"), entry("nginx", arm64), arm64, ""},
		{"not enabled", web("image: nginx", "profiles: [debug]"), nil, arm64, ""},
		{"not pulled", web("image: nginx", "pull_policy: never"), nil, arm64, ""},
		{"two services", web("image: nginx") + "  a:\n    image: other\n", entry("nginx", arm64), arm64,
			"compose.yaml:5:5: warning: image other of service a is not in stacks/web/images.lock: the device would run whatever its tag stands for on that day [unlocked-image]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if got := text(images.Check(load(t, c.text), c.lock, c.host)); got != c.want {
				t.Errorf("got  %s\nwant %s", got, c.want)
			}
		})
	}
}

func TestPlatformOf(t *testing.T) {
	for system, want := range map[string]string{"aarch64-linux": "linux/arm64", "x86_64-linux": "linux/amd64"} {
		if got := images.PlatformOf(system); got != want {
			t.Errorf("%s: %s", system, got)
		}
	}
}

func TestUses(t *testing.T) {
	s := load(t, `services:
  b: {image: nginx}
  a: {image: nginx}
  c: {image: "x:${TAG}", profiles: [debug]}
  d: {image: here, pull_policy: never}
`)
	uses := images.Uses(s)
	want := []images.Use{
		{"nginx", []compose.Position{{File: "stacks/web/compose.yaml", Line: 2, Column: 7}, {File: "stacks/web/compose.yaml", Line: 3, Column: 7}}},
		{"x:v1", []compose.Position{{File: "stacks/web/compose.yaml", Line: 4, Column: 7}}},
	}
	same := func(a, b images.Use) bool { return a.Reference == b.Reference && slices.Equal(a.Places, b.Places) }
	if !slices.EqualFunc(uses, want, same) {
		t.Errorf("%+v", uses)
	}
	if joined := images.Join(uses, nil, uses); !slices.EqualFunc(joined, want, same) {
		t.Errorf("joined with itself: %+v", joined)
	}
}

func TestRun(t *testing.T) {
	s := load(t, `services:
  a: {image: "nginx"}
  b: {image: "nginx"}
  c: {image: "x:${TAG}"}
  d: {image: here, pull_policy: never}
  e: {image: built, build: {dockerfile_inline: "FROM scratch"}}
  f: {image: debugger, profiles: [debug]}
  g: {image: "x@`+two+`"}
  made: {build: {dockerfile_inline: "FROM scratch"}}
`)
	lock := images.Lock{{Reference: "nginx", Digest: one}, {Reference: "built", Digest: one}}
	want := []string{"built", "nginx@" + one, "pistack.invalid/made:1", "x:v1", "x@" + two}
	if got := images.Run(s, lock, map[string]string{"made": "pistack.invalid/made:1"}); !slices.Equal(got, want) {
		t.Errorf("got %q, want %q", got, want)
	}
}

func TestUnused(t *testing.T) {
	uses := []images.Use{{Reference: "nginx"}}
	if got, want := text(images.Unused("web", lock(), uses, nil)), "images.lock:3:1: warning: no service uses image ghcr.io/a/b:v1 any more [unused-lock]"; got != want {
		t.Errorf("got %s", got)
	}
}

package generate_test

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/fleet"
	"pistack/internal/generate"
)

const lockFile = "stacks/chat/images.lock"

// writeLock locks images of the stack chat, all with the same digest.
func (r repository) writeLock(platform string, references ...string) {
	r.t.Helper()
	var lock images.Lock
	for _, reference := range references {
		lock = append(lock, images.Entry{Reference: reference, Digest: digest, Platforms: []string{platform}, Date: "2026-11-20T10:00:00Z"})
	}
	r.write(lockFile, string(images.Print(lock)))
}

const digest = "sha256:1111111111111111111111111111111111111111111111111111111111111111"

// about lists the findings about images.
func about(findings []compose.Finding) string {
	var lines []string
	for _, f := range findings {
		if slices.Contains([]compose.Code{images.CodeInvalid, images.CodeUnlocked, images.CodePlatform, images.CodeUnused}, f.Code) {
			lines = append(lines, fmt.Sprintf("%s:%d %s %s", f.File, f.Line, f.Severity, f.Code))
		}
	}
	return strings.Join(lines, "; ")
}

func TestLocks(t *testing.T) {
	r := newRepository(t)
	for _, c := range []struct {
		name    string
		lock    func()
		pinned  bool // the override has a digest
		finding string
	}{
		{"none", func() {}, false, "stacks/chat/compose.yaml:3 warning unlocked-image"},
		{"locked", func() { r.writeLock("linux/arm64/v8", "x") }, true, ""},
		{"another image", func() { r.writeLock("linux/arm64", "y") }, false, "stacks/chat/compose.yaml:3 warning unlocked-image; stacks/chat/images.lock:3 warning unused-lock"},
		{"wrong platform", func() { r.writeLock("linux/amd64", "x") }, false, "stacks/chat/compose.yaml:3 error wrong-platform"},
		{"broken", func() { r.write(lockFile, "[[image]]\n") }, false, "stacks/chat/images.lock:1 error invalid-lock"},
	} {
		t.Run(c.name, func(t *testing.T) {
			c.lock()
			w, result := r.load()
			all := append(slices.Clone(result.Findings), w.UnusedLocks([]generate.Result{result})...)
			if got := about(compose.SortFindings(all)); !strings.HasPrefix(got, c.finding) || c.finding == "" && got != "" {
				t.Errorf("findings %s", got)
			}
			if got := strings.Contains(string(result.Files["chat.override.yaml"]), "image: x@"+digest+"\n"); got != c.pinned {
				t.Errorf("override:\n%s", result.Files["chat.override.yaml"])
			}
		})
	}
}

// TestLockNotTracked: another clone would generate something else.
func TestLockNotTracked(t *testing.T) {
	r := newRepository(t)
	r.apply()
	r.git("add", "--all")
	r.writeLock("linux/arm64", "x")
	r.apply()
	w, result := r.load()
	if got, want := w.NotTracked(result), []string{lockFile}; !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
}

// TestImages: each host has images of its own, services without an enabled
// profile count, and a stack of no host has its .env.
func TestImages(t *testing.T) {
	r := newRepository(t)
	r.write("stacks/chat/compose.yaml", "services:\n  web:\n    image: web:${TAG}\n  debug:\n    image: debug\n    profiles: [d]\n")
	r.write("stacks/chat/compose.pj.yaml", "services:\n  web:\n    image: web:special\n")
	r.write("stacks/alone/compose.yaml", "services:\n  a:\n    image: a:${TAG}\n")
	r.write("stacks/alone/.env", "TAG=3\n")
	r.write("stacks/broken/compose.yaml", "services:\n  a:\n    image: a:${NOPE}\n")
	for host, tag := range map[string]string{"pi": "1", "pj": "2", "pk": "1", "pl": "4"} {
		r.write("hosts/"+host+"/host.toml", strings.ReplaceAll(hostToml, "TZ = \"UTC\"", "TAG = \""+tag+"\""))
	}
	r.git("add", "--all")
	w, _ := r.open()
	for _, c := range []struct{ stack, uses, findings string }{
		{"chat", "debug stacks/chat/compose.yaml:5; web:1 stacks/chat/compose.yaml:3; web:4 stacks/chat/compose.yaml:3; web:special stacks/chat/compose.pj.yaml:3", ""},
		{"alone", "a:3 stacks/alone/compose.yaml:3", ""},
		{"broken", "", "stacks/broken/compose.yaml:3:12: error: variable NOPE is not defined [undefined-variable]"},
	} {
		got, err := w.Images(t.Context(), c.stack)
		if err != nil {
			t.Fatal(err)
		}
		var uses, findings []string
		for _, u := range got.Uses {
			text := u.Reference
			for _, p := range u.Places {
				text += fmt.Sprintf(" %s:%d", p.File, p.Line)
			}
			uses = append(uses, text)
		}
		for _, f := range got.Findings {
			findings = append(findings, f.String())
		}
		if u, f := strings.Join(uses, "; "), strings.Join(findings, "; "); u != c.uses || f != c.findings {
			t.Errorf("%s: %s\n%s", c.stack, u, f)
		}
	}
}

// TestUnusedLocks: an entry that one host alone uses is in use, and nothing is
// said before all hosts were looked at.
func TestUnusedLocks(t *testing.T) {
	r := newRepository(t)
	r.write("stacks/chat/compose.yaml", "services:\n  web:\n    image: web:${TAG}\n")
	r.write("hosts/pi/host.toml", strings.ReplaceAll(hostToml, "TZ = \"UTC\"", "TAG = \"1\""))
	r.write("hosts/pj/host.toml", strings.ReplaceAll(hostToml, "TZ = \"UTC\"", "TAG = \"2\""))
	r.writeLock("linux/arm64", "web:1", "web:2", "web:3")
	r.git("add", "--all")
	w, _ := r.open()
	load := func(h fleet.Host) generate.Result {
		result, err := w.Host(t.Context(), h)
		if err != nil || compose.HasErrors(result.Findings) {
			t.Fatal(err, result.Findings)
		}
		return result
	}
	pi, pj := load(w.Fleet.Hosts[0]), load(w.Fleet.Hosts[1])
	if got := about(w.UnusedLocks([]generate.Result{pi, pj})); got != "stacks/chat/images.lock:15 warning unused-lock" {
		t.Errorf("both hosts: %s", got)
	}
	if got := about(w.UnusedLocks([]generate.Result{pi})); got != "" {
		t.Errorf("one of two hosts: %s", got)
	}
}

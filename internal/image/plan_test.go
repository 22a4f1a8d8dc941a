package image_test

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/image"
)

const (
	old = "2026-01-01T00:00:00Z"
	now = "2026-11-20T10:00:00Z"
)

func digest(c string) string { return "sha256:" + strings.Repeat(c, 64) }

// stack uses images; what it has locked is written "reference=digit".
func stack(name, uses, locked string) image.Stack {
	s := image.Stack{Name: name}
	for i, u := range strings.Fields(uses) {
		s.Uses = append(s.Uses, images.Use{Reference: u, Places: []compose.Position{{File: "stacks/" + name + "/compose.yaml", Line: i + 1, Column: 5}}})
	}
	for _, l := range strings.Fields(locked) {
		reference, c, _ := strings.Cut(l, "=")
		s.Lock = append(s.Lock, images.Entry{Reference: reference, Digest: digest(c), Platforms: []string{"linux/arm64"}, Date: old, Line: 3})
	}
	return s
}

// finish carries out a plan with a registry where every image has the digest 9
// but those named "bad".
func finish(t *testing.T, p image.Plan) ([]image.LockFile, []*image.Failure) {
	t.Helper()
	var results []image.Result
	for _, q := range p.Requests {
		r := image.Result{Image: image.Image{Digest: digest("9"), Platforms: []string{"linux/arm64"}}}
		if strings.HasPrefix(q.Reference, "bad") {
			r = image.Result{Err: errors.New("docker.io: no")}
		}
		results = append(results, r)
	}
	at, err := time.Parse(time.RFC3339, now)
	if err != nil {
		t.Fatal(err)
	}
	return p.Finish(results, at.In(time.FixedZone("x", 3600)))
}

func TestPlan(t *testing.T) {
	for _, c := range []struct {
		name   string
		mode   image.Mode
		stacks []image.Stack
		asks   string
		want   string // what becomes of each image, with the first digit of its digest and its date
	}{
		{"first time", image.Keep, []image.Stack{stack("s", "a b", "")}, "a b", "s: added a 9 now, added b 9 now"},
		{"nothing new", image.Keep, []image.Stack{stack("s", "a b", "a=1 b=2")}, "", "s: unchanged a 1 old, unchanged b 2 old"},
		{"one new, one gone", image.Keep, []image.Stack{stack("s", "a b", "b=2 c=3")}, "a", "s: added a 9 now, unchanged b 2 old, removed c 3 old"},
		{"update", image.Update, []image.Stack{stack("s", "a b", "a=1 b=9")}, "a b", "s: updated a 9 now, unchanged b 9 old"},
		{"compare", image.Compare, []image.Stack{stack("s", "a b", "a=1")}, "a(1) b", "s: updated a 9 now, added b 9 now"},
		{"two stacks, one digest each", image.Compare, []image.Stack{stack("s", "a", "a=1"), stack("t", "a", "a=9")}, "a(1 9)", "s: updated a 9 now; t: unchanged a 9 old"},
		{"new in one of two", image.Keep, []image.Stack{stack("s", "a", "a=1"), stack("t", "a", "")}, "a", "s: unchanged a 1 old; t: added a 9 now"},
		{"no images any more", image.Keep, []image.Stack{stack("s", "", "a=1")}, "", "s: removed a 1 old"},
	} {
		t.Run(c.name, func(t *testing.T) {
			p := image.NewPlan(c.stacks, c.mode)
			var asks []string
			for _, q := range p.Requests {
				text := q.Reference
				var known []string
				for _, k := range q.Known {
					known = append(known, k.Digest[len("sha256:"):][:1])
				}
				if len(known) > 0 {
					text += "(" + strings.Join(known, " ") + ")"
				}
				asks = append(asks, text)
			}
			if got := strings.Join(asks, " "); got != c.asks {
				t.Errorf("asks for %s, want %s", got, c.asks)
			}
			files, failures := finish(t, p)
			if got := describe(files); got != c.want || len(failures) > 0 {
				t.Errorf("got  %s\nwant %s\n%v", got, c.want, failures)
			}
			again, _ := finish(t, image.NewPlan(relock(c.stacks, files), c.mode))
			for _, f := range again {
				if f.Changed() {
					t.Errorf("a second run changes %s", describe(again))
				}
			}
		})
	}
}

// relock is the stacks after their lock files were written.
func relock(stacks []image.Stack, files []image.LockFile) []image.Stack {
	var after []image.Stack
	for i, s := range stacks {
		s.Lock = files[i].Lock()
		after = append(after, s)
	}
	return after
}

func describe(files []image.LockFile) string {
	var all []string
	for _, f := range files {
		var lines []string
		for _, i := range f.Images {
			date := map[string]string{old: "old", now: "now"}[i.Entry.Date]
			lines = append(lines, fmt.Sprintf("%s %s %s %s", i.Status, i.Entry.Reference, i.Entry.Digest[7:8], date))
		}
		all = append(all, f.Stack+": "+strings.Join(lines, ", "))
	}
	return strings.Join(all, "; ")
}

// TestFailures: every place of every image that was not found is listed, and
// there is nothing to write.
func TestFailures(t *testing.T) {
	s, u := stack("s", "a bad1 bad2", "a=1"), stack("u", "bad1", "")
	s.Uses[1].Places = append(s.Uses[1].Places, compose.Position{File: "stacks/s/compose.pi.yaml", Line: 7, Column: 9})
	files, failures := finish(t, image.NewPlan([]image.Stack{s, u}, image.Keep))
	var got []string
	for _, f := range failures {
		got = append(got, f.Error())
	}
	want := `stacks/s/compose.yaml:2:5: image bad1: docker.io: no
stacks/s/compose.pi.yaml:7:9: image bad1: docker.io: no
stacks/s/compose.yaml:3:5: image bad2: docker.io: no
stacks/u/compose.yaml:1:5: image bad1: docker.io: no`
	if strings.Join(got, "\n") != want || files != nil {
		t.Errorf("%v\n%s", files, strings.Join(got, "\n"))
	}
}

func TestWrite(t *testing.T) {
	root := t.TempDir()
	path := func(stack string) string { return filepath.Join(root, "stacks", stack, "images.lock") }
	for _, s := range []string{"new", "same", "gone"} {
		if err := os.MkdirAll(filepath.Dir(path(s)), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	for _, s := range []string{"same", "gone"} {
		if err := os.WriteFile(path(s), []byte("as it was"), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	stacks := []image.Stack{stack("new", "a", ""), stack("same", "a", "a=1"), stack("gone", "", "a=1")}
	files, _ := finish(t, image.NewPlan(stacks, image.Keep))
	if err := image.Write(root, files); err != nil {
		t.Fatal(err)
	}
	data, err := os.ReadFile(path("new"))
	if err != nil || string(data) != string(images.Print(files[0].Lock())) {
		t.Errorf("%s, %v", data, err)
	}
	if data, err := os.ReadFile(path("same")); err != nil || string(data) != "as it was" {
		t.Errorf("a file without changes was written: %s, %v", data, err)
	}
	if _, err := os.Stat(path("gone")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("an empty lock is still there: %v", err)
	}

	// One that cannot be written: all stay as they were, and nothing is left over.
	if err := os.Remove(path("new")); err != nil {
		t.Fatal(err)
	}
	files, _ = finish(t, image.NewPlan([]image.Stack{stack("new", "a", ""), stack("missing", "a", "")}, image.Keep))
	if err := image.Write(root, files); err == nil || !strings.HasPrefix(err.Error(), "stacks/missing/images.lock: ") {
		t.Errorf("error %v", err)
	}
	left, err := os.ReadDir(filepath.Dir(path("new")))
	if err != nil || len(left) > 0 {
		t.Errorf("left over: %v, %v", left, err)
	}
}

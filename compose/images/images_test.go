package images_test

import (
	"reflect"
	"strings"
	"testing"
	"testing/fstest"
	"time"

	"pistack/compose/images"
)

const (
	one   = "sha256:1111111111111111111111111111111111111111111111111111111111111111"
	two   = "sha256:2222222222222222222222222222222222222222222222222222222222222222"
	date  = "2026-11-20T10:00:00Z"
	whole = "# Written by `pistack lock`. Do not edit.\n" + `
[[image]]
reference = "ghcr.io/a/b:v1"
digest = "` + one + `"
platforms = ["linux/amd64", "linux/arm64/v8"]
date = "2026-11-20T10:00:00Z"

[[image]]
reference = "nginx"
digest = "` + two + `"
platforms = ["linux/arm64"]
date = "2026-11-20T10:00:00Z"
`
)

func lock() images.Lock {
	return images.Lock{
		{Reference: "nginx", Digest: two, Platforms: []string{"linux/arm64"}, Date: date, Line: 9},
		{Reference: "ghcr.io/a/b:v1", Digest: one, Platforms: []string{"linux/amd64", "linux/arm64/v8"}, Date: date, Line: 3},
	}
}

func TestPrintParse(t *testing.T) {
	if got := string(images.Print(lock())); got != whole {
		t.Errorf("printed:\n%s", got)
	}
	got, findings := images.Parse("web", []byte(whole))
	want := images.Lock{lock()[1], lock()[0]}
	if len(findings) > 0 || !reflect.DeepEqual(got, want) {
		t.Errorf("got %+v\n%v", got, findings)
	}
	for _, empty := range []string{"", "# Written by `pistack lock`. Do not edit.\n"} {
		if got, findings := images.Parse("web", []byte(empty)); len(got)+len(findings) > 0 {
			t.Errorf("%q: %v, %v", empty, got, findings)
		}
	}
}

// TestParseErrors holds every error to its text and its exact place.
func TestParseErrors(t *testing.T) {
	change := func(old, with string) string {
		if !strings.Contains(whole, old) {
			t.Fatalf("the file has no %q", old)
		}
		return strings.Replace(whole, old, with, 1)
	}
	for _, c := range []struct{ name, text, want string }{
		{"unknown key", change("date =", "dat = 1\ndate ="), `7:1: error: unknown key "image.dat"`},
		{"unknown key at the top", "x = 1\n" + whole, `1:1: error: unknown key "x"`},
		{"unknown table", whole + "[other]\ny = 1\n", `14:1: error: unknown key "other"` + "\n" + `15:1: error: unknown key "other.y"`},
		{"no reference", change("reference = \"nginx\"\n", ""), `9:1: error: "" is not the name of an image`},
		{"reference with a space", change(`"nginx"`, `"ngi nx"`), `10:1: error: "ngi nx" is not the name of an image`},
		{"reference with a dollar", change(`"nginx"`, `"nginx:$TAG"`), `10:1: error: "nginx:$TAG" is not the name of an image`},
		{"reference with a line break", change(`"nginx"`, `"nginx\nx"`), `10:1: error: "nginx\nx" is not the name of an image`},
		{"twice", change(`"nginx"`, `"ghcr.io/a/b:v1"`), `10:1: error: ghcr.io/a/b:v1 is already on line 3`},
		{"short digest", change(two, "sha256:22"), `11:1: error: "sha256:22" is not a digest: sha256: and 64 hex digits`},
		{"digest in upper case", change(two, strings.Repeat("A", 64)), `11:1: error: "` + strings.Repeat("A", 64) + `" is not a digest: sha256: and 64 hex digits`},
		{"no digest", change("digest = \""+two+"\"\n", ""), `9:1: error: "" is not a digest: sha256: and 64 hex digits`},
		{"no platforms", change(`["linux/arm64"]`, `[]`), `12:1: error: no platforms`},
		{"platform", change(`["linux/arm64"]`, `["arm64"]`), `12:1: error: "arm64" is not a platform, like linux/arm64`},
		{"platform twice", change(`["linux/arm64"]`, `["linux/arm64", "linux/arm64"]`), `12:1: error: linux/arm64 stands there twice`},
		{"local date", change(date, "2026-11-20T10:00:00+01:00"), `7:1: error: "2026-11-20T10:00:00+01:00" is not a date in UTC, like 2026-01-31T23:59:59Z`},
		{"wrong type", change(`"nginx"`, `7`), `10:1: error: reference: incompatible types: TOML value has type int64; destination has type string`},
		{"conflict of a merge", change("[[image]]", "<<<<<<< HEAD\n[[image]]"), `3:2: error: expected '.' or '=', but got '<' instead`},
		{"key twice", change("date =", "digest = \"x\"\ndate ="), `7:47: error: Key 'image.digest' has already been defined.`},
		{"ids and a digest", change("date =", "build = \"0123456789abcdef\"\nids = [\""+one+"\"]\ndate ="), `8:1: error: ids are for a built image without a digest, one for each platform`},
		{"id", change("digest = \""+two+"\"\n", "build = \"0123456789abcdef\"\nids = [\"x\"]\n"), `12:1: error: "x" is not an id: sha256: and 64 hex digits`},
		{"ids without build", change("digest = \""+two+"\"\n", "ids = [\""+one+"\"]\n"), `11:1: error: ids are for a built image without a digest, one for each platform`},
		{"build", change("date =", "build = \"x\"\ndate ="), `7:1: error: "x" is not 16 hex digits`},
		{"large", strings.Repeat("#\n", 1<<19+1), `1:1: error: is larger than 1 MiB`},
		{"long line", whole + "#" + strings.Repeat("x", 16<<10) + "\n", `14:1: error: the line is longer than 16 KiB`},
		{"deep", "x = " + strings.Repeat("[\n", 1<<19-10), `65:1: error: is nested more than 64 levels deep`},
		{"not UTF-8", "reference = \"\xff\"\n", `1:13: error: invalid UTF-8 byte: 0xff`},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, findings := images.Parse("web", []byte(c.text))
			var text []string
			for _, f := range findings {
				if f.Code != images.CodeInvalid || !strings.Contains(f.Fix, "pistack lock web") {
					t.Errorf("%+v", f)
				}
				text = append(text, strings.TrimSuffix(strings.TrimPrefix(f.String(), "stacks/web/images.lock:"), " [invalid-lock]"))
			}
			if joined := strings.Join(text, "\n"); joined != c.want || got != nil {
				t.Errorf("got  %s\nwant %s", joined, c.want)
			}
		})
	}
}

func TestRead(t *testing.T) {
	file := func(name string, f *fstest.MapFile) fstest.MapFS { return fstest.MapFS{name: f} }
	for _, c := range []struct {
		name       string
		repository fstest.MapFS
		entries    int
		want       string
	}{
		{"none", fstest.MapFS{}, 0, ""},
		{"two", file("stacks/web/images.lock", &fstest.MapFile{Data: []byte(whole)}), 2, ""},
		{"a folder", file("stacks/web/images.lock/x", &fstest.MapFile{}), 0, "stacks/web/images.lock: error: is not a regular file [invalid-lock]"},
		{"large", file("stacks/web/images.lock", &fstest.MapFile{Data: make([]byte, 1<<20+1)}), 0, "stacks/web/images.lock: error: is larger than 1 MiB [invalid-lock]"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got, findings := images.Read(c.repository, "web")
			text := ""
			if len(findings) > 0 {
				text = findings[0].String()
			}
			if len(got) != c.entries || text != c.want {
				t.Errorf("%v, %v", got, findings)
			}
		})
	}
}

func TestPinned(t *testing.T) {
	l := append(lock(), images.Entry{Reference: "pinned@" + one, Digest: one})
	for reference, want := range map[string]string{
		"nginx":          "nginx@" + two,
		"ghcr.io/a/b:v1": "ghcr.io/a/b:v1@" + one,
		"pinned@" + one:  "",
		"other":          "",
	} {
		if got, ok := l.Pinned(reference); got != want || ok != (want != "") {
			t.Errorf("%s: %q, %t", reference, got, ok)
		}
	}
}

// FuzzParse: any bytes give a lock or errors with a place, quickly; a lock that
// was read prints to a text that reads as the same lock.
func FuzzParse(f *testing.F) {
	for _, seed := range []string{whole, string(images.Print(builtLock())), "", "[[image]]\n", "image = []\n", "image = [{reference = \"x\"}]", "[image]\n", strings.Repeat("[", 1000), "x = \"\"\"\n[[image]]\n\"\"\"\n" + whole} {
		f.Add([]byte(seed))
	}
	f.Fuzz(func(t *testing.T, data []byte) {
		start := time.Now()
		got, findings := images.Parse("web", data)
		if time.Since(start) > 10*time.Second {
			t.Error("took more than 10 s")
		}
		for _, found := range findings {
			if found.Line < 1 || found.Column < 1 || found.Message == "" {
				t.Errorf("no place: %+v", found)
			}
		}
		if len(findings) > 0 {
			return
		}
		printed := images.Print(got)
		again, findings := images.Parse("web", printed)
		if len(findings) > 0 {
			t.Fatalf("%v in what was printed:\n%s", findings, printed)
		}
		for i := range got {
			got[i].Line, again[i].Line = 0, 0
		}
		if !reflect.DeepEqual(got, again) || string(images.Print(again)) != string(printed) {
			t.Errorf("got %+v, and again %+v", got, again)
		}
	})
}

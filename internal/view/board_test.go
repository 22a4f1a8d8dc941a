package view

import (
	"encoding/binary"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"
	"unicode"

	"pistack/internal/deploy"
)

var noon = time.Date(2026, 11, 24, 12, 0, 0, 0, time.UTC)

func begun(host string, seconds int, phase deploy.Phase) deploy.Event {
	return deploy.Event{Time: noon.Add(time.Duration(seconds) * time.Second), Host: host, Kind: deploy.Begun, Phase: phase}
}

func lineOf(host string, seconds int, text string) deploy.Event {
	return deploy.Event{Time: noon.Add(time.Duration(seconds) * time.Second), Host: host, Kind: deploy.Line, Text: text}
}

func ended(host string, outcome deploy.Outcome) deploy.Event {
	return deploy.Event{Time: noon, Host: host, Kind: deploy.Finished, Result: &deploy.Result{Host: host, Outcome: outcome}}
}

func drawn(rows []row) string {
	var lines []string
	for _, r := range rows {
		lines = append(lines, strings.TrimRight(r.text+r.faint, " "))
	}
	return strings.Join(lines, "\n")
}

func TestLayout(t *testing.T) {
	five := []string{"a", "box", "c", "d", "e"}
	work := []deploy.Event{begun("a", 0, deploy.Copy), begun("box", 1, deploy.Activate), begun("c", 2, deploy.Gate), lineOf("a", 60, "copying path 1"), lineOf("box", 3, "x")}
	for _, c := range []struct {
		name          string
		hosts         []string
		events        []deploy.Event
		width, height int
		want          string
	}{
		{"nothing yet", nil, nil, 80, 24, ""},
		{"all waiting", five[:2], nil, 80, 24, "a    waiting\nbox  waiting"},
		{"at work and waiting", five[:4], work, 80, 24, "a    copy        1m05s  > copying path 1\nbox  activate    1m04s  > x\nc    gate        1m03s\nd    waiting"},
		{"an unannounced host", nil, work[:1], 80, 24, "a  copy        1m05s"},
		{"no room for lines", five[:1], work[:1], 24, 1, "a  copy        1m05s"},
		{"cut", five, work, 20, 5, "a    copy        1m…\nbox  activate    1m…\nc    gate        1m…\nd    waiting\ne    waiting"},
		{"the line is cut", five[:1], append(work[:1:1], work[3]), 30, 5, "a  copy        1m05s  > copyi…"},
		{"one column", five[:2], work[:1], 1, 2, "…\n…"},
		{"too many", five, work, 80, 3, "a    copy        1m05s  > copying path 1\nbox  activate    1m04s  > x\n1 more at work, 2 waiting, 0 of 5 done"},
		{"too many for the waiting", five, work, 80, 4, "a    copy        1m05s  > copying path 1\nbox  activate    1m04s  > x\nc    gate        1m03s\n2 waiting, 0 of 5 done"},
		{"one row", five, work, 80, 1, "3 more at work, 2 waiting, 0 of 5 done"},
		{"no row", five, work, 80, 0, ""},
		{"no column", five, work, 0, 24, ""},
		{"some done", five[:3], append(slices.Clone(work), ended("a", deploy.Deployed), ended("box", deploy.Refused)), 80, 24, "c    gate        1m03s"},
		{"all together", five[:2], append(slices.Clone(work[:2]), begun("", 5, deploy.Build), lineOf("", 6, "building")), 80, 24, "all hosts  build       1m00s  > building\na          waiting\nbox        waiting"},
		{"all together, one row", five[:2], []deploy.Event{begun("", 5, deploy.Build)}, 80, 1, "2 waiting, 0 of 2 done"},
		{"no longer together", five[:2], []deploy.Event{begun("", 5, deploy.Build), begun("a", 6, deploy.Copy)}, 80, 24, "a    copy          59s\nbox  waiting"},
		{"events after the end", five[:1], []deploy.Event{ended("a", deploy.Deployed), begun("a", 6, deploy.Copy)}, 80, 24, ""},
		{"wide characters", five[:1], append(work[:1:1], lineOf("a", 1, "日本語日本語")), 31, 5, "a  copy        1m05s  > 日本語…"},
		{"a hostile line", five[:1], append(work[:1:1], lineOf("a", 1, "10%\r\x1b[2J\x1b[31m20%\u202e\x07\r\n")), 80, 5, "a  copy        1m05s  > 20%\\u202e\\a"},
	} {
		t.Run(c.name, func(t *testing.T) {
			b := newBoard(c.hosts)
			for _, e := range c.events {
				b.note(e)
			}
			if got := drawn(b.layout(noon.Add(65*time.Second), c.width, c.height)); got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// FuzzLayout: whatever happens in whatever order, on a terminal of whatever
// size, what is drawn fits and is printable.
func FuzzLayout(f *testing.F) {
	f.Add([]byte{0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11}, "a\x1b[2J", int16(80), int16(24))
	f.Add([]byte("begin, line, finish and begin again"), "日本\u202e\r\n", int16(11), int16(3))
	f.Add([]byte{}, "", int16(0), int16(0))
	f.Fuzz(func(t *testing.T, script []byte, text string, width, height int16) {
		b := newBoard([]string{"a", text, "c"})
		for now := noon; len(script) > 0; script = script[1:] {
			now = now.Add(time.Duration(script[0]) * time.Second)
			for _, r := range b.note(randomEvent(script[0], now, text)) {
				harmlessRow(t, r)
			}
			rows := b.layout(now, int(width), int(height))
			if len(rows) > max(0, int(height)) {
				t.Errorf("%d rows of %d", len(rows), height)
			}
			for _, r := range rows {
				harmlessRow(t, r)
				if r.across() > int(width) {
					t.Errorf("%q is %d wide, of %d", r.text+r.faint, r.across(), width)
				}
			}
		}
	})
}

// randomEvent is what a byte of a script makes happen.
func randomEvent(b byte, now time.Time, text string) deploy.Event {
	hosts := []string{"", "a", "b", text, text + "2", "c"}
	kinds := []deploy.Kind{deploy.Begun, deploy.Begun, deploy.Line, deploy.Warning, deploy.Finished, deploy.Kind(text)}
	phases := []deploy.Phase{deploy.Preflight, deploy.Build, deploy.Gate, deploy.Phase(text)}
	n := int(binary.BigEndian.Uint16([]byte{b, b * 31}))
	e := deploy.Event{Time: now, Host: hosts[n%6], Kind: kinds[n/6%6], Phase: phases[n/36%4], Text: text}
	if n%5 > 0 {
		e.Result = &deploy.Result{Host: e.Host, Outcome: []deploy.Outcome{deploy.Deployed, deploy.Unknown, deploy.Outcome(text)}[n%3], Err: fmt.Errorf("%s", text), Last: []string{text}}
	}
	return e
}

func harmlessRow(t *testing.T, r row) {
	t.Helper()
	for _, c := range r.text + r.faint {
		if !unicode.IsPrint(c) {
			t.Errorf("%q in %q", c, r.text+r.faint)
		}
	}
}

func TestFit(t *testing.T) {
	for _, c := range []struct {
		text  string
		width int
		want  string
	}{
		{"abc", 3, "abc"}, {"abcd", 3, "ab…"}, {"abc", 1, "…"}, {"a", 1, "a"}, {"abc", 0, ""}, {"abc", -1, ""}, {"", 5, ""},
		{"日本", 4, "日本"}, {"日本", 3, "日…"}, {"日本", 2, "…"}, {"日", 1, "…"}, {"a日", 2, "a…"}, {"e\u0301", 2, "e\u0301"},
	} {
		if got := fit(c.text, c.width); got != c.want {
			t.Errorf("%q in %d: %q, want %q", c.text, c.width, got, c.want)
		}
	}
}

func TestSizeAndElapsed(t *testing.T) {
	for bytes, want := range map[int64]string{0: "0 B", 999: "999 B", 1000: "1.0 kB", 9949: "9.9 kB", 9950: "10 kB", 999_499: "999 kB", 999_500: "1.0 MB", 340_000_000: "340 MB", 2_100_000_000: "2.1 GB", 1 << 62: "4.6 EB"} {
		if got := size(bytes); got != want {
			t.Errorf("%d: %q, want %q", bytes, got, want)
		}
	}
	for d, want := range map[time.Duration]string{-time.Hour: "0s", 900 * time.Millisecond: "0s", 59 * time.Second: "59s", 65 * time.Second: "1m05s", time.Hour + 2*time.Minute + 59*time.Second: "1h02m"} {
		if got := elapsed(d); got != want {
			t.Errorf("%s: %q, want %q", d, got, want)
		}
	}
}

// TestBounded: a text is cut between two characters.
func TestBounded(t *testing.T) {
	for n, want := range []string{"…", "a…", "a…", "a…", "a日…", "a日b"} {
		if got := bounded("a日b", n); got != want {
			t.Errorf("%d: %q, want %q", n, got, want)
		}
	}
}

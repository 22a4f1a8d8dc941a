package term

import (
	"strings"
	"testing"
	"time"
)

// TestDraw: what stands where progress is shown, second after second.
func TestDraw(t *testing.T) {
	for _, c := range []struct {
		name string
		live bool
		want string
	}{
		{"terminal", true, "\r\x1b[K1 of 9: a\r\x1b[K2 of 9: b\r\x1b[K3 of 9: a…\r\x1b[K4 of 9\r\x1b[K"},
		{"no terminal", false, "1 of 9: a\n4 of 9\n"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var out strings.Builder
			begun := time.Unix(1000, 0)
			l := &line{out: &out, live: c.live, begun: begun, width: func() int { return 11 }}
			for seconds, text := range []string{"0 of 9", "1 of 9: a", "2 of 9: b", "2 of 9: b", "3 of 9: a long name", "", "4 of 9"} {
				if text != "" {
					l.draw(begun.Add(time.Duration(seconds)*time.Second), text)
				}
			}
			l.clear()
			if got := out.String(); got != c.want {
				t.Errorf("got %q", got)
			}
		})
	}
	t.Run("a quick job", func(t *testing.T) {
		var out strings.Builder
		l := &line{out: &out, live: true, begun: time.Unix(1000, 0), width: func() int { return 80 }}
		l.draw(time.Unix(1000, 999_999_999), "1 of 9")
		l.clear()
		if out.Len() > 0 {
			t.Errorf("got %q", out.String())
		}
	})
}

// TestProgress: stopping it ends it.
func TestProgress(t *testing.T) {
	p := &Progress{stop: make(chan struct{}), stopped: make(chan struct{})}
	var out strings.Builder
	go p.run(&line{out: &out, begun: time.Now()})
	p.Show("%d of %d", 1, 2)
	p.Stop()
	p.Show("too late")
	if strings.Contains(out.String(), "too late") {
		t.Errorf("%q", out.String())
	}
}

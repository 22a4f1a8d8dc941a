package view

import (
	"fmt"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pistack/internal/deploy"
)

// terminal is as much of one as the live progress needs: it keeps lines, moves
// up, clears, and wraps at its width unless told not to.
type terminal struct {
	t      *testing.T
	mu     sync.Mutex // it is asked while something may be drawn
	lines  []string
	row    int
	width  int
	height int
	wider  int // than it is, it says
	nowrap bool
	writes int
}

func (s *terminal) Write(text []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.writes++
	for rest := string(text); rest != ""; {
		rest = s.step(rest)
	}
	return len(text), nil
}

// step takes one sequence or one piece of text away.
func (s *terminal) step(rest string) string {
	var up, code int
	switch {
	case strings.HasPrefix(rest, noWrap), strings.HasPrefix(rest, wrap):
		s.nowrap = strings.HasPrefix(rest, noWrap)
		return rest[len(wrap):]
	case strings.HasPrefix(rest, "\x1b[K"):
		s.lines[s.row] = ""
		return rest[len("\x1b[K"):]
	case strings.HasPrefix(rest, "\x1b["):
		end := strings.IndexAny(rest, "Am")
		if _, err := fmt.Sscanf(rest, "\x1b[%dA", &up); err == nil {
			s.row = max(0, s.row-up, len(s.lines)-s.height) // not out of what can be seen
		} else if _, err := fmt.Sscanf(rest, "\x1b[%dm", &code); err != nil {
			s.t.Fatalf("an unknown sequence: %q", rest)
		}
		return rest[end+1:]
	case rest[0] == '\r': // lines are written as a whole
		return rest[1:]
	case rest[0] == '\n':
		s.down()
		return rest[1:]
	}
	end := strings.IndexAny(rest, "\x1b\r\n")
	s.put(rest[:end])
	return rest[end:]
}

func (s *terminal) down() {
	if s.row++; s.row == len(s.lines) {
		s.lines = append(s.lines, "")
	}
}

// put writes behind what is on the line already: whoever forgot to clear it sees
// that.
func (s *terminal) put(text string) {
	for _, r := range text {
		if across(s.lines[s.row])+columns(r) > s.width {
			if s.nowrap {
				continue
			}
			s.down()
		}
		s.lines[s.row] += string(r)
	}
}

// resize gives it another size: it wraps again what has become too wide.
func (s *terminal) resize(width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var lines []string
	for _, line := range s.lines[:s.row] {
		rest := []rune(line)
		for len(rest) > width {
			lines, rest = append(lines, string(rest[:width])), rest[width:]
		}
		lines = append(lines, string(rest))
	}
	s.lines, s.row, s.width, s.height = append(lines, ""), len(lines), width, height
}

func (s *terminal) size() (width, height int) {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.width + s.wider, s.height
}

func (s *terminal) text() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.TrimRight(strings.Join(s.lines, "\n"), "\n")
}

func (s *terminal) drawings() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.writes
}

// showing is a run that is shown on a terminal, with a clock of its own.
type showing struct {
	t *testing.T
	*terminal
	Progress
}

func show(t *testing.T, width, height int) showing {
	s := &terminal{t: t, width: width, height: height, lines: []string{"$ deploy", ""}, row: 1}
	return showing{t, s, NewProgress(LiveProgress, s, ProgressOptions{
		Hosts: []string{"a", "b"}, Colour: true,
		Width:  func() int { w, _ := s.size(); return w },
		Height: func() int { _, h := s.size(); return h },
	})}
}

func (s showing) event(host string, kind deploy.Kind, phase deploy.Phase, text string, r *deploy.Result) {
	s.Event(deploy.Event{Time: time.Now(), Host: host, Kind: kind, Phase: phase, Text: text, Result: r})
}

// stands compares all that the terminal shows, and what was scrolled away.
func (s showing) stands(want string) {
	s.t.Helper()
	time.Sleep(redraw)
	synctest.Wait()
	if got := s.text(); got != "$ deploy\n"+want {
		s.t.Errorf("got\n%s\nwant\n%s", got, want)
	}
}

// TestLive: what stands on the terminal, as a run goes on.
func TestLive(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := show(t, 40, 24)
		s.stands("a  waiting\nb  waiting")
		s.event("a", deploy.Begun, deploy.Copy, "", nil)
		s.event("a", deploy.Line, deploy.Copy, "a line that is too long for it", nil)
		s.stands("a  copy           0s  > a line that is…\nb  waiting")
		s.event("b", deploy.Warning, deploy.Preflight, "its clock is wrong", nil)
		s.stands("b: warning: its clock is wrong\na  copy           0s  > a line that is…\nb  waiting")
		s.event("b", deploy.Begun, deploy.Gate, "", nil)
		s.event("b", deploy.Line, deploy.Gate, "no database", nil)
		s.event("b", deploy.Finished, deploy.Undo, "", &deploy.Result{Host: "b", Outcome: deploy.RolledBack, Err: fmt.Errorf("b: a unit failed, and that is a long line"), Begun: noon, Ended: noon.Add(61 * time.Second)})
		above := "b: warning: its clock is wrong\nb: rolled back in 1m01s\n  a unit failed, and that is a long line\n  > no database"
		s.stands(above + "\na  copy           0s  > a line that is…")
		before := s.drawings()
		for range 1000 {
			s.event("a", deploy.Line, deploy.Copy, "again", nil)
		}
		s.stands(above + "\na  copy           0s  > again")
		if s.drawings() != before+1 {
			t.Errorf("%d drawings for what happened at once", s.drawings()-before)
		}
		time.Sleep(10 * time.Second)
		s.stands(above + "\na  copy          10s  > again")
		if n := s.drawings() - before; n > 12 {
			t.Errorf("%d drawings in ten seconds in which only the time changed", n)
		}
		s.event("a", deploy.Finished, deploy.Record, "", &deploy.Result{Host: "a", Outcome: deploy.Deployed, Generation: 3})
		s.Close()
		if got, want := s.text(), "$ deploy\n"+above+"\na: deployed, generation 3"; got != want {
			t.Errorf("at the end\n%s\nwant\n%s", got, want)
		}
		if s.nowrap {
			t.Error("the terminal does not wrap any more")
		}
	})
}

// TestLiveResized: a terminal that becomes narrower wraps what stands there, and
// one that becomes lower scrolls it away, once.
func TestLiveResized(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := show(t, 40, 24)
		s.event("a", deploy.Begun, deploy.Copy, "", nil)
		s.event("a", deploy.Line, deploy.Copy, "a line that is too long for it", nil)
		s.stands("a  copy           0s  > a line that is…\nb  waiting")
		s.resize(15, 24)
		s.stands("a  copy      …\nb  waiting")
		s.resize(40, 24)
		s.stands("a  copy           0s  > a line that is…\nb  waiting")
		s.resize(40, 2)
		scrolled := "a  copy           0s  > a line that is…\n"
		s.stands(scrolled + "1 more at work, 1 waiting, 0 of 2 done")
		s.event("a", deploy.Warning, deploy.Copy, "hot", nil)
		s.stands(scrolled + "a: warning: hot\n1 more at work, 1 waiting, 0 of 2 done")
		s.resize(40, 1)
		s.stands(scrolled + "a: warning: hot\n1 more at work, 1 waiting, 0 of 2 done") // there is no room to draw
		s.event("a", deploy.Warning, deploy.Copy, "cold", nil)
		s.Close()
		if got, want := s.text(), "$ deploy\n"+scrolled+"a: warning: hot\n1 more at work, 1 waiting, 0 of 2 done\na: warning: cold"; got != want {
			t.Errorf("at the end\n%s\nwant\n%s", got, want)
		}
	})
}

// TestLiveCut: a line that turns out wider than the terminal is cut, so that as
// many rows are cleared as stand there.
func TestLiveCut(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := show(t, 30, 24)
		s.wider = 8
		s.event("a", deploy.Begun, deploy.Copy, "", nil)
		s.event("a", deploy.Line, deploy.Copy, "a line that is too long for it", nil)
		s.stands("a  copy           0s  > a line\nb  waiting")
		time.Sleep(10 * time.Second)
		s.stands("a  copy          10s  > a line\nb  waiting")
		s.Close()
		if got := s.text(); got != "$ deploy" {
			t.Errorf("left behind: %s", got)
		}
	})
}

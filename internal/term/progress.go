package term

import (
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"golang.org/x/term"
)

// Progress shows how far a job is that takes longer than a second: on a terminal
// as one line that is drawn again, elsewhere as a line now and then.
type Progress struct {
	mu      sync.Mutex
	text    string
	stop    chan struct{}
	stopped chan struct{}
}

const (
	progressDelay = time.Second // quicker jobs show nothing
	redraw        = 100 * time.Millisecond
	plainInterval = 5 * time.Second // between lines, where they cannot be drawn again
)

// StartProgress begins to show what Show is told. Stop it before anything else
// is written.
func StartProgress(out *os.File) *Progress {
	p := &Progress{stop: make(chan struct{}), stopped: make(chan struct{})}
	line := &line{out: out, live: IsTerminal(out), begun: time.Now(), width: func() int {
		width, _, err := term.GetSize(int(out.Fd()))
		if err != nil {
			return 80
		}
		return width
	}}
	go p.run(line)
	return p
}

// Show says how far the job is.
func (p *Progress) Show(format string, args ...any) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.text = fmt.Sprintf(format, args...)
}

// Stop takes the line away.
func (p *Progress) Stop() {
	close(p.stop)
	<-p.stopped
}

func (p *Progress) run(l *line) {
	defer close(p.stopped)
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			l.clear()
			return
		case now := <-ticker.C:
			p.mu.Lock()
			text := p.text
			p.mu.Unlock()
			l.draw(now, text)
		}
	}
}

// line is where progress is drawn.
type line struct {
	out   io.Writer
	live  bool
	width func() int // columns of the terminal
	begun time.Time
	shown string    // what stands there
	last  time.Time // when it was drawn
}

// draw shows a text, if it is time for that and the text is a new one.
func (l *line) draw(now time.Time, text string) {
	if text == l.shown || now.Sub(l.begun) < progressDelay || !l.live && !l.last.IsZero() && now.Sub(l.last) < plainInterval {
		return
	}
	l.shown, l.last = text, now
	if !l.live {
		fmt.Fprintln(l.out, text)
		return
	}
	if short := []rune(text); len(short) >= l.width() {
		text = string(short[:max(l.width()-2, 0)]) + "…"
	}
	fmt.Fprint(l.out, "\r\x1b[K"+text)
}

func (l *line) clear() {
	if l.live && l.shown != "" {
		fmt.Fprint(l.out, "\r\x1b[K")
	}
}

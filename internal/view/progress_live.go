package view

import (
	"fmt"
	"io"
	"slices"
	"strings"
	"sync"
	"time"

	"pistack/internal/deploy"
)

// redraw is the time between two drawings, whatever happens.
const redraw = 100 * time.Millisecond

// liveProgress keeps a board, and draws it now and then. What stays, stands
// above the board.
type liveProgress struct {
	mu     sync.Mutex
	board  *board
	above  []row // not yet written
	closed bool
	stop   chan struct{}
	done   chan struct{}
}

func newLive(out io.Writer, o ProgressOptions) *liveProgress {
	p := &liveProgress{board: newBoard(o.Hosts), stop: make(chan struct{}), done: make(chan struct{})}
	s := &screen{page: page{colour: o.Colour}, w: out, width: o.Width, height: o.Height}
	if s.width == nil {
		s.width = func() int { return 80 }
	}
	if s.height == nil {
		s.height = func() int { return 24 }
	}
	now := o.Now
	if now == nil {
		now = time.Now
	}
	go p.run(s, now)
	return p
}

func (p *liveProgress) Event(e deploy.Event) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.closed {
		p.above = append(p.above, p.board.note(e)...)
	}
}

func (p *liveProgress) Close() {
	p.mu.Lock()
	first := !p.closed
	p.closed = true
	p.mu.Unlock()
	if first {
		close(p.stop)
	}
	<-p.done
}

func (p *liveProgress) run(s *screen, now func() time.Time) {
	defer close(p.done)
	ticker := time.NewTicker(redraw)
	defer ticker.Stop()
	for {
		select {
		case <-p.stop:
			s.draw(p.take(func(*board) []row { return nil }))
			return
		case <-ticker.C:
			s.draw(p.take(func(b *board) []row { return b.layout(now(), s.width()-1, s.height()-1) }))
		}
	}
}

// take gives what is to be written above, and the board as laid out.
func (p *liveProgress) take(layout func(*board) []row) (above, rows []row) {
	p.mu.Lock()
	defer p.mu.Unlock()
	above, p.above = p.above, nil
	return above, layout(p.board)
}

// screen is the part of a terminal that is drawn again.
type screen struct {
	page
	w             io.Writer
	width, height func() int
	shown         []row // stand there, and the cursor is on the line below
	columns       int   // of the terminal when they were drawn
}

const (
	clearRow = "\x1b[K\n"
	// A line that is wider than the terminal thinks is cut by it, not wrapped.
	noWrap, wrap = "\x1b[?7l", "\x1b[?7h"
)

// draw takes away what stands there, writes lines that stay, and below them the
// rows, in one go. It writes nothing if nothing is new.
func (s *screen) draw(above, rows []row) {
	columns := s.width()
	if len(above) == 0 && columns == s.columns && slices.Equal(rows, s.shown) {
		return
	}
	s.out.Reset()
	s.back(columns)
	for _, r := range above {
		s.row(r)
	}
	if len(rows) > 0 {
		s.out.WriteString(noWrap)
		for _, r := range rows {
			s.row(r)
		}
		s.out.WriteString(wrap)
	}
	_, _ = io.WriteString(s.w, s.out.String()) // who reads no progress still gets a deploy
	s.shown, s.columns = rows, columns
}

// back clears the rows that stand there, and moves to where they began. A
// terminal that has become narrower has wrapped them. They are cleared one by
// one: whoever clears all of a screen makes some terminals keep it for scrolling.
func (s *screen) back(columns int) {
	up := 0
	for _, r := range s.shown {
		up += max(1, (r.across()+columns-1)/max(1, columns))
	}
	if up = min(up, s.height()-1); up > 0 {
		move := fmt.Sprintf("\x1b[%dA", up)
		s.out.WriteString("\r" + move + strings.Repeat(clearRow, up) + move)
	}
}

func (s *screen) row(r row) {
	s.line("%s", strings.TrimRight(s.paint(r.colour, r.text)+s.paint(faint, r.faint), " "))
}

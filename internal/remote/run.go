package remote

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"time"

	"pistack/internal/run"
)

const (
	defaultLimit  = 60 * time.Second
	defaultOutput = 1 << 20
	lastLines     = 20
	attempts      = 7 // within ten seconds or so
	// firstWait is how long a machine is left alone that was too busy, at first and at
	// the least; maxWait is the same after some attempts.
	firstWait, maxWait = 200 * time.Millisecond, 2 * time.Second
	// grace is short: ssh ends at once, but the process of the shared connection
	// holds its streams for as long as the script runs.
	grace = time.Second
)

// Run runs a script as root and returns its standard output. A script that fails
// is an *ExitError; everything else that goes wrong on the way is an *Error, or
// ctx's own error when that ended first.
//
// A machine that is too busy to take a connection (sshd's MaxStartups) is asked
// again a few times: nothing has been sent to it then.
func (cs *Connections) Run(ctx context.Context, call Call) ([]byte, error) {
	c, err := cs.connection(call.Host)
	if err != nil {
		return nil, err
	}
	if call.Limit == 0 {
		call.Limit = cmp.Or(cs.config.options.Limit, defaultLimit)
	}
	socket := ""
	if !call.Fresh {
		var done func()
		socket, done = cs.share(c)
		defer done()
	}
	limited, cancel := context.WithTimeout(ctx, call.Limit)
	defer cancel()
	out, err := cs.try(limited, c, socket, call)
	if ctx.Err() != nil {
		return out, ctx.Err()
	}
	if err != nil && limited.Err() != nil && !isExit(err) {
		err = &Error{Host: call.Host, Kind: TimedOut, Message: fmt.Sprintf("%s: no answer within %v: %s", call.Host, call.Limit, call.Step),
			Fix: "look at the machine: it is reachable no more, or too busy; then run the same command again", Err: err}
	}
	// The shared connection was not asked by a call with one of its own, and may
	// carry what must not end here: nixos-rebuild.
	if !call.Fresh && (Is(err, TimedOut) || Is(err, Lost)) {
		cs.drop(c, socket) // whatever comes next takes a new connection
	}
	return out, err
}

func isExit(err error) bool {
	var exit *ExitError
	return errors.As(err, &exit)
}

func (cs *Connections) try(ctx context.Context, c *connection, socket string, call Call) ([]byte, error) {
	user, err := cs.userOf(ctx, call.Host, c)
	if err != nil {
		return nil, err
	}
	leave, err := c.enter(ctx, socket)
	if err != nil {
		return nil, err
	}
	defer leave()
	wait := firstWait
	for attempt := 1; ; attempt++ {
		s := newSession(call, user)
		err := run.Both(ctx, s.command(cs.argv(call.Host, socket, command(user, len(s.script)))), &s.out, s.stderr)
		s.flush()
		err = s.explain(cs.config, err)
		if err == nil || attempt == attempts || !s.refused() {
			return s.out.kept(), err
		}
		// What a jump host said is heard only on a connection that is not shared.
		if s.proxied() && socket != "" {
			socket = ""
			continue
		}
		select {
		case <-ctx.Done():
			return nil, err
		case <-time.After(wait + rand.N(wait)): // calls that came together do not come back together
			wait = min(2*wait, maxWait)
		}
	}
}

// The words with which our shell on the machine tells what became of the script.
// ssh's own failures end with 255, as a script may, and before or after it began.
const (
	began = "pistack: step began"
	ended = "pistack: step ended with "
)

// command is what the login shell of the machine is given: a line without
// anything that a shell, be it fish or csh, could read differently, whatever the
// script. The script comes first on standard input, as exactly so many bytes; its
// own input is what follows. So neither has a limit, nor shows in the process list.
func command(user string, size int) string {
	inner := fmt.Sprintf(`sh -c 'echo "%s" >&2; script=$(head -c %d); (eval "$script"); code=$?; test $code = 0 || echo "%s$code" >&2; exit $code'`, began, size, ended)
	if user != "root" {
		return "sudo -n " + inner
	}
	return inner
}

// session is one attempt at a call.
type session struct {
	call    Call
	user    string
	script  string
	mu      sync.Mutex // guards the rest: both streams arrive at once
	out     output
	pending []byte
	last    []string
	began   bool
	code    int // the script's own, when it said it; else -1
}

func newSession(call Call, user string) *session {
	s := &session{call: call, user: user, code: -1}
	s.script = "set -- " + Words(call.Args) + "\n" + call.Script + "\n"
	s.out = output{session: s, left: call.Output}
	if call.Output == 0 {
		s.out.left = defaultOutput
	}
	return s
}

// Words writes words so that a shell reads them as they are.
func Words(words []string) string {
	quoted := make([]string, len(words))
	for i, w := range words {
		quoted[i] = "'" + strings.ReplaceAll(w, "'", `'\''`) + "'"
	}
	return strings.Join(quoted, " ")
}

func (s *session) command(argv []string) run.Command {
	stdin := io.Reader(strings.NewReader(s.script))
	if s.call.Stdin != nil {
		stdin = io.MultiReader(stdin, s.call.Stdin)
	}
	// Of a Ctrl-C the caller decides what it ends: not the step that commits.
	return run.Command{Argv: argv, Stdin: stdin, Grace: grace, OwnGroup: true}
}

// stderr takes a line of ssh or the script.
func (s *session) stderr(line string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if line == began {
		s.began = true
		return
	}
	if code, ok := strings.CutPrefix(line, ended); ok {
		if _, err := fmt.Sscanf(code, "%d", &s.code); err == nil {
			return
		}
	}
	s.emit(line)
}

// emit passes a line on and remembers it. s.mu is held.
func (s *session) emit(line string) {
	s.last = slices.Clone(append(s.last, line)[max(0, len(s.last)+1-lastLines):])
	if s.call.Line != nil {
		s.call.Line(line)
	}
}

// flush passes on a last line without an end.
func (s *session) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		s.emit(string(s.pending))
		s.pending = nil
	}
}

// output keeps the first bytes of standard output, and cuts it into lines.
type output struct {
	session *session
	text    bytes.Buffer
	left    int
	more    bool
}

// maxLine bounds a line that is passed on.
const maxLine = 64 << 10

func (o *output) Write(p []byte) (int, error) {
	s := o.session
	s.mu.Lock()
	defer s.mu.Unlock()
	keep := p[:min(len(p), o.left)]
	o.left -= len(keep)
	o.more = o.more || len(keep) < len(p)
	o.text.Write(keep)
	if s.call.Line == nil {
		if o.more {
			return 0, errTooMuch
		}
		return len(p), nil
	}
	for rest := p; len(rest) > 0; {
		text, after, end := bytes.Cut(rest, []byte("\n"))
		s.pending = append(s.pending, text[:min(len(text), maxLine-min(maxLine, len(s.pending)))]...)
		if end {
			s.emit(strings.TrimRight(string(s.pending), "\r"))
			s.pending = s.pending[:0]
		}
		rest = after
	}
	return len(p), nil
}

func (o *output) kept() []byte { return o.text.Bytes() }

var errTooMuch = errors.New("the answer is too long")

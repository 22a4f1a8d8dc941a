// Package run starts child processes: from an argv, never through a shell,
// with output read line by line and errors that say what was run and what it
// said last.
package run

import (
	"bytes"
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"slices"
	"strings"
	"sync"
	"syscall"
	"time"
)

// grace is how long a child may take to end after SIGINT before it is killed, if
// its Command does not say.
const grace = 10 * time.Second

// maxOutput bounds what Output keeps, in bytes; maxLine a line that Stream passes on.
const (
	maxOutput = 64 << 20
	maxLine   = 64 << 10
)

// lastLines is how many lines of a child's output an Error repeats.
const lastLines = 20

// Command is a child process to run.
type Command struct {
	Argv  []string      // program and arguments
	Dir   string        // working directory; empty for the caller's
	Env   []string      // "NAME=value", on top of the caller's environment
	Unset []string      // names of variables that the child does not get
	Stdin io.Reader     // nil for none
	Files []*os.File    // open files that the child has as descriptors 3, 4 and so on
	Grace time.Duration // how long it may take to end after SIGINT; 0: 10 s

	// OwnGroup keeps the terminal's Ctrl-C from the child and its children: when
	// they end is the caller's decision, by way of the context.
	OwnGroup bool
}

// String shows the command as one would type it.
func (c Command) String() string {
	words := make([]string, 0, len(c.Env)+len(c.Argv))
	for _, e := range c.Env {
		name, value, _ := strings.Cut(e, "=")
		words = append(words, name+"="+Quote(value))
	}
	for _, a := range c.Argv {
		words = append(words, Quote(a))
	}
	return strings.Join(words, " ")
}

// Quote makes a word safe for a shell, and leaves plain ones alone.
func Quote(word string) string {
	plain := func(r rune) bool {
		return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("-_./:=@+,%#", r)
	}
	if word != "" && word[0] != '#' && strings.IndexFunc(word, func(r rune) bool { return !plain(r) }) < 0 {
		return word
	}
	return "'" + strings.ReplaceAll(word, "'", `'\''`) + "'"
}

// Error is a child that could not be started or did not exit with 0.
type Error struct {
	Command Command
	Code    int      // exit status; -1 when it did not start or died of a signal
	Last    []string // its last lines of output
	Err     error
}

func (e *Error) Error() string {
	if e.Code >= 0 {
		return fmt.Sprintf("%s: exit status %d", e.Command.Argv[0], e.Code)
	}
	if errors.Is(e.Err, exec.ErrNotFound) {
		return fmt.Sprintf("%s: not found on PATH", e.Command.Argv[0])
	}
	return fmt.Sprintf("%s: %v", e.Command.Argv[0], e.Err)
}

// Hint says what to do about a program that is not there.
func (e *Error) Hint() string {
	if !errors.Is(e.Err, exec.ErrNotFound) {
		return ""
	}
	return fmt.Sprintf("install %s, or add the folder that has it to PATH", e.Command.Argv[0])
}

func (e *Error) Unwrap() error { return e.Err }

// Output runs a command and returns what it writes to standard output.
func Output(ctx context.Context, c Command) ([]byte, error) {
	var out, errs bytes.Buffer
	cmd := c.prepare(ctx)
	cmd.Stdout, cmd.Stderr = &limited{w: &out, left: maxOutput}, &limited{w: &errs, left: maxLine}
	if err := c.execute(ctx, cmd); err != nil {
		return nil, c.failure(err, tail(splitLines(errs.String())))
	}
	return out.Bytes(), nil
}

// Stream runs a command and passes each line that it writes, to either stream,
// to line. Calls do not overlap.
func Stream(ctx context.Context, c Command, line func(text string)) error {
	s := &splitter{line: line}
	cmd := c.prepare(ctx)
	cmd.Stdout, cmd.Stderr = s, s // one writer: exec then copies with one goroutine
	err := c.execute(ctx, cmd)
	s.flush()
	if err != nil {
		return c.failure(err, s.last)
	}
	return nil
}

// Pipe starts a command and returns its standard output, to be read while it
// runs, and a function that waits for its end. Close its standard input before.
func Pipe(ctx context.Context, c Command) (io.Reader, func() error, error) {
	var errs bytes.Buffer
	cmd := c.prepare(ctx)
	cmd.Stderr = &limited{w: &errs, left: maxLine}
	out, err := cmd.StdoutPipe()
	if err == nil {
		err = cmd.Start()
	}
	if err != nil {
		return nil, nil, c.failure(err, nil)
	}
	wait := func() error {
		if err := cmd.Wait(); err != nil {
			return c.failure(err, tail(splitLines(errs.String())))
		}
		return nil
	}
	return out, wait, nil
}

// Interactive runs a command at the user's terminal, such as an editor. When ctx
// ends it gets SIGTERM: editors do not heed SIGINT.
func Interactive(ctx context.Context, c Command) error {
	cmd := c.prepare(ctx)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = slices.DeleteFunc(cmd.Env, func(v string) bool { return v == "LC_ALL=C" }) // the user reads this one
	cmd.Cancel = func() error { return cmd.Process.Signal(syscall.SIGTERM) }
	if err := cmd.Run(); err != nil {
		return c.failure(err, nil)
	}
	return nil
}

func (c Command) prepare(ctx context.Context) *exec.Cmd {
	cmd := exec.CommandContext(ctx, c.Argv[0], c.Argv[1:]...)
	cmd.Dir, cmd.Stdin, cmd.ExtraFiles = c.Dir, c.Stdin, c.Files
	inherited := slices.DeleteFunc(os.Environ(), func(v string) bool {
		name, _, _ := strings.Cut(v, "=")
		return slices.Contains(c.Unset, name)
	})
	cmd.Env = append(append(inherited, "LC_ALL=C"), c.Env...)
	cmd.Cancel = func() error { return cmd.Process.Signal(os.Interrupt) }
	if c.OwnGroup {
		cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
		cmd.Cancel = func() error { return signalGroup(cmd, syscall.SIGINT) }
	}
	cmd.WaitDelay = cmp.Or(c.Grace, grace)
	return cmd
}

// signalGroup signals a child and those that it started.
func signalGroup(cmd *exec.Cmd, s syscall.Signal) error {
	err := syscall.Kill(-cmd.Process.Pid, s)
	if errors.Is(err, syscall.ESRCH) {
		return os.ErrProcessDone
	}
	return err
}

// execute runs a child to its end. Of one that was to end by its context and had
// a group of its own, nothing is left.
func (c Command) execute(ctx context.Context, cmd *exec.Cmd) error {
	err := cmd.Run()
	awaitInterrupt(ctx, err)
	if c.OwnGroup && ctx.Err() != nil && cmd.Process != nil {
		_ = signalGroup(cmd, syscall.SIGKILL) // most often all are gone
	}
	return err
}

// interruptDelay is how much earlier a child may hear of a Ctrl-C than this process.
const interruptDelay = time.Second

// awaitInterrupt lets ctx end before the end of a child that died of a Ctrl-C is
// looked at. The terminal signals both; a child with a group of its own gets it while
// it is being started.
func awaitInterrupt(ctx context.Context, err error) {
	var exit *exec.ExitError
	if !errors.As(err, &exit) {
		return
	}
	status, ok := exit.Sys().(syscall.WaitStatus)
	if !ok || !status.Signaled() || status.Signal() != syscall.SIGINT {
		return
	}
	select {
	case <-ctx.Done():
	case <-time.After(interruptDelay):
	}
}

func (c Command) failure(err error, last []string) error {
	code := -1
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		code = exit.ExitCode()
	}
	return &Error{Command: c, Code: code, Last: last, Err: err}
}

// splitLines cuts a text into lines, without empty ones at its end. Those of ssh
// end as a terminal wants it.
func splitLines(text string) []string {
	if text = strings.TrimRight(text, "\r\n"); text == "" {
		return nil
	}
	lines := strings.Split(text, "\n")
	for i := range lines {
		lines[i] = strings.TrimRight(lines[i], "\r")
	}
	return lines
}

func tail(lines []string) []string { return slices.Clone(lines[max(0, len(lines)-lastLines):]) }

// limited keeps the first bytes and drops the rest, so that a child that never
// stops writing cannot fill the memory.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	keep := p[:min(len(p), l.left)]
	l.left -= len(keep)
	if _, err := l.w.Write(keep); err != nil {
		return 0, err
	}
	return len(p), nil
}

// splitter cuts a stream into lines.
type splitter struct {
	mu      sync.Mutex
	line    func(string)
	pending []byte
	last    []string
}

func (s *splitter) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	for rest := p; len(rest) > 0; {
		text, after, ended := bytes.Cut(rest, []byte("\n"))
		s.pending = append(s.pending, text[:min(len(text), maxLine-min(maxLine, len(s.pending)))]...)
		if ended {
			s.emit()
		}
		rest = after
	}
	return len(p), nil
}

func (s *splitter) flush() {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) > 0 {
		s.emit()
	}
}

func (s *splitter) emit() {
	text := strings.TrimRight(string(s.pending), "\r")
	s.pending = s.pending[:0]
	s.last = tail(append(s.last, text))
	s.line(text)
}

package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/signal"
	"sync"
	"syscall"
)

// ErrNoReader is why a command ends whose output nobody reads any more: that of
// "pistack … | head". It is told so as of Ctrl-C, by its context: what it has begun
// is brought to a good end, where the signal that such a writer gets would kill it.
var ErrNoReader = errors.New("interrupted: nobody reads the output any more")

// stream is standard output or standard error. It keeps the first error: a command
// may go on without its output, and must not end as if it had been read.
type stream struct {
	file     *os.File
	end      context.CancelCauseFunc
	unheeded bool // whoever started this process has SIGPIPE ignored, as systemd does, and wants it to go on

	mu  sync.Mutex
	err error
}

func (s *stream) Write(p []byte) (int, error) {
	n, err := s.file.Write(p)
	if err == nil {
		return n, nil
	}
	gone := errors.Is(err, syscall.EPIPE)
	if gone && s.unheeded {
		return n, err
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.err == nil {
		s.err = err
	}
	if gone {
		s.end(ErrNoReader)
	}
	return n, err
}

// File is the file that a command's writer writes to: it may be a terminal.
func File(w io.Writer) (f *os.File, isFile bool) {
	if s, ours := w.(*stream); ours {
		return s.file, true
	}
	f, isFile = w.(*os.File)
	return f, isFile
}

// lost is the first error.
func (s *stream) lost() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.err
}

// withoutSIGPIPE has writing to a closed pipe fail, where the process would end.
// Children are not concerned: a signal that is caught, and not ignored, is for them
// what it always was.
func withoutSIGPIPE() (stop func()) {
	caught := make(chan os.Signal, 1)
	signal.Notify(caught, syscall.SIGPIPE)
	return func() { signal.Stop(caught) }
}

// heard turns the end of a command into one that says whether its output was.
func heard(ctx context.Context, out *stream, err error) error {
	lost := out.lost()
	switch {
	case errors.Is(context.Cause(ctx), ErrNoReader):
		return &StatusError{Status: ExitInterrupted}
	case lost == nil || ctx.Err() != nil:
		return err
	}
	var status *StatusError
	if err == nil || errors.Is(err, lost) || errors.As(err, &status) && status.Err == nil {
		return fmt.Errorf("standard output: %w", lost)
	}
	return errors.Join(err, fmt.Errorf("standard output: %w", lost))
}

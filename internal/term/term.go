// Package term asks people: for a value that is not shown, and for a yes. A
// question ends when its context does: Ctrl-C leaves the terminal as it was.
package term

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// IsTerminal tells whether a file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// ErrNoTerminal says that a question could not be asked.
var ErrNoTerminal = errors.New("there is no terminal to ask at")

// ErrSeveralLines says that more than a line was pasted where one was asked for.
var ErrSeveralLines = errors.New("more than one line was typed or pasted")

// ReadLine is ReadSecret for what can be pasted: it refuses several lines, of
// which it would take the first, and the user's shell the others.
func ReadLine(ctx context.Context, prompt string) ([]byte, error) {
	return readHidden(ctx, prompt, func(tty *os.File, line []byte) ([]byte, error) {
		if pending(tty) {
			clear(line)
			return nil, ErrSeveralLines
		}
		return line, nil
	})
}

// ReadSecret asks for a line at the terminal without showing what is typed.
func ReadSecret(ctx context.Context, prompt string) ([]byte, error) {
	return readHidden(ctx, prompt, func(_ *os.File, line []byte) ([]byte, error) { return line, nil })
}

// readHidden reads a line that is not shown, and gives it to accept.
func readHidden(ctx context.Context, prompt string, accept func(tty *os.File, line []byte) ([]byte, error)) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer tty.Close()
	before, err := term.GetState(int(tty.Fd()))
	if err != nil {
		return nil, ErrNoTerminal
	}
	fmt.Fprint(tty, prompt)
	defer fmt.Fprintln(tty)
	value, err := Wait(ctx, func() ([]byte, error) {
		line, err := term.ReadPassword(int(tty.Fd()))
		if err != nil {
			return nil, err
		}
		return accept(tty, line)
	})
	if ctx.Err() != nil {
		// The read is still waiting, with echo turned off.
		return nil, errors.Join(ctx.Err(), term.Restore(int(tty.Fd()), before))
	}
	return value, err
}

// Confirm asks a question at the terminal; only "y" and "yes" agree.
func Confirm(ctx context.Context, question string) (bool, error) {
	if !IsTerminal(os.Stdin) {
		return false, ErrNoTerminal
	}
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	line, err := Wait(ctx, func() (string, error) { return bufio.NewReader(os.Stdin).ReadString('\n') })
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr)
		return false, ctx.Err()
	}
	if err != nil {
		return false, nil // the end of input is no yes
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

// Ask asks a question at the terminal and returns the line that is typed, without
// spaces around it.
func Ask(ctx context.Context, question string) (string, error) {
	if !IsTerminal(os.Stdin) {
		return "", ErrNoTerminal
	}
	fmt.Fprint(os.Stderr, question)
	line, err := Wait(ctx, func() (string, error) { return bufio.NewReader(os.Stdin).ReadString('\n') })
	if ctx.Err() != nil {
		fmt.Fprintln(os.Stderr)
		return "", ctx.Err()
	}
	if err != nil {
		return "", nil // the end of input is no answer
	}
	return strings.TrimSpace(line), nil
}

// Wait runs a read that cannot be interrupted, and gives up on it when ctx ends:
// the process is about to end then, and the read with it.
func Wait[T any](ctx context.Context, read func() (T, error)) (T, error) {
	type result struct {
		value T
		err   error
	}
	done := make(chan result, 1)
	go func() {
		value, err := read()
		done <- result{value, err}
	}()
	select {
	case r := <-done:
		return r.value, r.err
	case <-ctx.Done():
		var none T
		return none, ctx.Err()
	}
}

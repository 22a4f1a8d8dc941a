package run

import (
	"bytes"
	"context"
	"errors"
	"io"
)

// Read runs a command and hands what it writes to standard output to read, as it
// comes and of any size. read goes to the end, or gives up with an error, which
// ends the child and is returned.
func Read(ctx context.Context, c Command, read func(io.Reader) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var errs bytes.Buffer
	cmd := c.prepare(ctx)
	cmd.Stderr = &limited{w: &errs, left: maxLine}
	out, err := cmd.StdoutPipe()
	if err != nil {
		return c.failure(err, nil)
	}
	if err := cmd.Start(); err != nil {
		return c.failure(err, nil)
	}
	failed := read(out)
	// Of an output that broke off, the child's own end says more.
	gaveUp := failed != nil && !errors.Is(failed, io.ErrUnexpectedEOF)
	if gaveUp {
		cancel()
	}
	err = cmd.Wait()
	if err == nil || gaveUp {
		return failed
	}
	return c.failure(err, tail(splitLines(errs.String())))
}

package run

import (
	"context"
	"io"
)

// Both runs a command, copies its standard output to out, and passes each line
// of its standard error to line. The two are called at the same time.
func Both(ctx context.Context, c Command, out io.Writer, line func(text string)) error {
	errs := &splitter{line: line}
	cmd := c.prepare(ctx)
	cmd.Stdout, cmd.Stderr = out, errs
	err := cmd.Run()
	errs.flush()
	if err != nil {
		return c.failure(err, errs.last)
	}
	return nil
}

package git

import (
	"bufio"
	"context"
	"os"

	"pistack/internal/run"
)

// child is a Git process that answers one request after another.
type child struct {
	requests *os.File
	answers  *bufio.Reader
	stop     func() error // waits for its end
}

func startChild(ctx context.Context, root string, args ...string) (*child, error) {
	theirs, requests, err := os.Pipe()
	if err != nil {
		return nil, err
	}
	answers, stop, err := run.Pipe(ctx, command(root, theirs, args...))
	theirs.Close()
	if err != nil {
		requests.Close()
		return nil, err
	}
	return &child{requests, bufio.NewReaderSize(answers, 64<<10), stop}, nil
}

// end closes its input and waits for it: closed is about the one, ended about
// the other.
func (c *child) end() (closed, ended error) { return c.requests.Close(), c.stop() }

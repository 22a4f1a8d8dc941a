package doctor

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"golang.org/x/sync/errgroup"

	"pistack/internal/fleet"
	"pistack/internal/run"
)

// askLimit bounds every program that is asked. What is not answered by then is
// asked no further.
const askLimit = 20 * time.Second

// Workstation is where a deploy starts.
type Workstation struct {
	Fleet    *fleet.Fleet
	Hosts    []fleet.Host  // that are to be deployed to
	System   string        // the file system; "/" except in tests
	Home     string        // of the user
	Identity string        // the user's key for ssh; "" for ssh's own choice
	Key      string        // the file with the operator's private key
	Limit    time.Duration // for every program that is asked; 20 s when 0
}

// Checks looks at everything, several things at once. Their order is always the
// same.
func (w Workstation) Checks(ctx context.Context) []Check {
	steps := []func(context.Context) []Check{w.nix, w.builds, w.rebuild, w.ssh, w.docker, w.git, w.operator}
	found := make([][]Check, len(steps))
	var group errgroup.Group
	for i, step := range steps {
		group.Go(func() error {
			found[i] = step(ctx)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return slices.Concat(found...)
}

// ask runs a program and gives what it said, without the last line break.
func (w Workstation) ask(ctx context.Context, argv ...string) (string, error) {
	limit := cmp.Or(w.Limit, askLimit)
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	out, err := run.Output(ctx, run.Command{Argv: argv, Dir: w.Fleet.Root, OwnGroup: true})
	if err != nil && ctx.Err() != nil {
		err = fmt.Errorf("did not answer within %s", limit)
	}
	return strings.TrimRight(string(out[:min(len(out), maxAnswer)]), "\n"), err
}

// maxAnswer bounds what is looked at of a program's output, in bytes.
const maxAnswer = 1 << 20

// firstLine is enough of an answer that was to be short.
func firstLine(text string) string {
	line, _, _ := strings.Cut(text, "\n")
	return line[:min(len(line), 200)]
}

// said is the last line of a program that failed, or how it failed.
func said(err error) string {
	var failed *run.Error
	if errors.As(err, &failed) {
		for _, line := range slices.Backward(failed.Last) {
			if line = strings.TrimSpace(line); line != "" {
				return line
			}
		}
	}
	return err.Error()
}

func absent(err error) bool { return errors.Is(err, exec.ErrNotFound) }

// in is a path of the system.
func (w Workstation) in(path string) string { return filepath.Join(w.System, path) }

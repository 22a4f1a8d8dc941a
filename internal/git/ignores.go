package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	pathpkg "path"
	"strings"
	"sync"

	"pistack/internal/run"
)

// ignores asks one "git check-ignore", which is started with the first question.
// It may be used by several goroutines.
type ignores struct {
	ctx  context.Context
	root string

	mu       sync.Mutex
	requests *os.File
	answers  *bufio.Reader
	stop     func() error
	known    map[string]bool
}

func newIgnores(ctx context.Context, root string) *ignores {
	return &ignores{ctx: ctx, root: root, known: map[string]bool{}}
}

// ask tells whether a .gitignore lists a path, as a file or as a folder: a
// pattern like "config/" means folders only.
func (g *ignores) ask(path string) (bool, error) {
	g.mu.Lock()
	defer g.mu.Unlock()
	if answer, known := g.known[path]; known {
		return answer, nil
	}
	if strings.ContainsRune(path, 0) {
		return false, fmt.Errorf("%q is not a path", path)
	}
	if g.requests == nil {
		if err := g.start(); err != nil {
			return false, err
		}
	}
	for _, form := range []string{path, path + "/"} {
		listed, err := g.exchange(form)
		if err != nil {
			return false, g.fail(err)
		}
		g.known[path] = g.known[path] || listed
	}
	return g.known[path], nil
}

// exchange writes a path and reads the four fields that Git answers: source,
// line and pattern, which are empty without a match, and the path.
func (g *ignores) exchange(path string) (bool, error) {
	if _, err := io.WriteString(g.requests, path+"\x00"); err != nil {
		return false, err
	}
	var fields [4]string
	for i := range fields {
		text, err := g.answers.ReadString(0)
		if err != nil {
			return false, err
		}
		fields[i] = strings.TrimSuffix(text, "\x00")
	}
	if fields[3] != path {
		return false, errors.New("git check-ignore answers another question")
	}
	return pathpkg.Base(fields[0]) == ".gitignore" && !strings.HasPrefix(fields[2], "!"), nil
}

// fail ends a process that did not answer, such as one that was asked for a path
// behind a symlink. Its own words say why; the next question starts a new one.
func (g *ignores) fail(err error) error {
	if ended := g.end(); ended != nil {
		return explain(g.root, ended)
	}
	return fmt.Errorf("git check-ignore: %w", err)
}

func (g *ignores) start() error {
	theirs, requests, err := os.Pipe()
	if err != nil {
		return err
	}
	answers, stop, err := run.Pipe(g.ctx, command(g.root, theirs, "check-ignore", "--no-index", "--verbose", "--non-matching", "-z", "--stdin"))
	theirs.Close()
	if err != nil {
		requests.Close()
		return err
	}
	g.requests, g.answers, g.stop = requests, bufio.NewReader(answers), stop
	return nil
}

// end closes the process's input and waits for it. Exit status 1 says only that
// no path was ignored.
func (g *ignores) end() error {
	err := g.requests.Close()
	g.requests = nil
	ended := g.stop()
	var failed *run.Error
	if errors.As(ended, &failed) && failed.Code == 1 {
		ended = nil
	}
	return errors.Join(err, ended)
}

func (g *ignores) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.requests == nil {
		return nil
	}
	return g.end()
}

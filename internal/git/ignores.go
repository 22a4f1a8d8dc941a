package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	pathpkg "path"
	"path/filepath"
	"strings"
	"sync"

	"pistack/internal/run"
)

// ignores asks one "git check-ignore", which is started with the first question.
// It may be used by several goroutines.
type ignores struct {
	ctx  context.Context
	root string

	mu    sync.Mutex
	git   *child
	known map[string]bool
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
	if g.git == nil {
		git, err := startChild(g.ctx, g.root, "check-ignore", "--no-index", "--verbose", "--non-matching", "-z", "--stdin")
		if err != nil {
			return false, err
		}
		g.git = git
	}
	forms := []string{path, path + "/"}
	if info, err := os.Lstat(filepath.Join(g.root, filepath.FromSlash(path))); err == nil && info.Mode()&fs.ModeSymlink != 0 {
		forms = forms[:1] // Git does not look behind it
	}
	answer := false
	for _, form := range forms {
		listed, err := g.exchange(form)
		if err != nil {
			return false, g.fail(err)
		}
		answer = answer || listed
	}
	g.known[path] = answer // only a whole answer is known
	return answer, nil
}

// exchange writes a path and reads the four fields that Git answers: source,
// line and pattern, which are empty without a match, and the path.
func (g *ignores) exchange(path string) (bool, error) {
	if _, err := io.WriteString(g.git.requests, path+"\x00"); err != nil {
		return false, err
	}
	var fields [4]string
	for i := range fields {
		text, err := g.git.answers.ReadString(0)
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
	ended := g.end()
	var failed *run.Error
	if errors.As(ended, &failed) && strings.Contains(strings.Join(failed.Last, " "), "beyond a symbolic link") {
		return errors.New("lies behind a symlink, where Git does not look")
	}
	if ended != nil {
		return explain(g.root, ended)
	}
	return fmt.Errorf("git check-ignore: %w", err)
}

// end takes exit status 1 for good: it says only that no path was ignored.
func (g *ignores) end() error {
	closed, ended := g.git.end()
	g.git = nil
	var failed *run.Error
	if errors.As(ended, &failed) && failed.Code == 1 {
		ended = nil
	}
	return errors.Join(closed, ended)
}

func (g *ignores) close() error {
	g.mu.Lock()
	defer g.mu.Unlock()
	if g.git == nil {
		return nil
	}
	return g.end()
}

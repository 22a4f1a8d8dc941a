package contexts

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"os"
	"path"
	"path/filepath"
	"strings"

	"github.com/moby/patternmatcher"
	"github.com/moby/patternmatcher/ignorefile"
)

// maxText bounds a Dockerfile and an ignore file, in bytes, and maxPatterns what
// an ignore file lists: every one is held against every path.
const (
	maxText     = 1 << 20
	maxPatterns = 2000
)

// ignores is what a .dockerignore says.
type ignores struct {
	file    string // that was read, or could be written
	matcher *patternmatcher.PatternMatcher
}

// ignores reads the ignore file of a Dockerfile, or else that of the folder.
func (r Repository) ignores(dir, own string) (ignores, error) {
	file := path.Join(dir, ".dockerignore")
	if own != "" {
		if _, err := os.Lstat(filepath.Join(r.Root, filepath.FromSlash(own))); err == nil {
			file = own
		}
	}
	text, err := r.text(file)
	if errors.Is(err, fs.ErrNotExist) {
		text, err = nil, nil
	}
	if err == nil && text != nil && !r.Tracked(file) {
		err = &Error{file, "it decides what the builder gets to see, and Git does not track it", "git add " + file}
	}
	if err != nil {
		return ignores{}, err
	}
	patterns, err := ignorefile.ReadAll(bytes.NewReader(text))
	if err == nil && len(patterns) > maxPatterns {
		err = errors.New("has more than 2000 patterns")
	}
	if err != nil {
		return ignores{}, &Error{file, err.Error(), ""}
	}
	matcher, err := patternmatcher.New(patterns)
	if err != nil {
		return ignores{}, &Error{file, err.Error(), "correct the pattern"}
	}
	return ignores{file, matcher}, nil
}

// reaches tells whether something below an ignored folder may be taken back.
func (i ignores) reaches(dir string) bool {
	for _, p := range i.matcher.Patterns() {
		if p.Exclusion() && (strings.ContainsAny(p.String(), `*?[\`) || strings.HasPrefix(filepath.ToSlash(p.String()), dir+"/")) {
			return true
		}
	}
	return false
}

// dockerfile hashes a Dockerfile.
func (r Repository) dockerfile(file string) (string, error) {
	text, err := r.text(file)
	if errors.Is(err, fs.ErrNotExist) {
		return "", &Error{file, "does not exist", "write it, or say dockerfile: in the Compose file"}
	}
	if err != nil {
		return "", err
	}
	if !r.Tracked(file) {
		return "", &Error{file, "Git does not track it", "git add " + file}
	}
	return hexOf(text), nil
}

// text reads a small file. That there is none is fs.ErrNotExist, anything else
// an *Error.
func (r Repository) text(file string) ([]byte, error) {
	f, err := openPlain(filepath.Join(r.Root, filepath.FromSlash(file)))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, fs.ErrNotExist
	}
	if err != nil {
		return nil, &Error{file, reason(err), "put a regular file in its place"}
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxText+1)) // not nil, of an empty file too
	switch {
	case err != nil:
		return nil, &Error{file, reason(err), ""}
	case len(text) > maxText:
		return nil, &Error{file, "is larger than 1 MiB", ""}
	}
	return text, nil
}

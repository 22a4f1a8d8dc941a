package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
	"time"

	"pistack/internal/run"
)

// Bounds of a history; a fleet's is far below.
const (
	maxCommits = 1 << 20
	maxField   = 64 << 10 // bytes of a path or an author
	maxAuthor  = 80       // characters that are kept
)

// Query says which part of the history Log reads.
type Query struct {
	All    bool     // every ref, not only what HEAD has
	Paths  []string // pathspecs, relative to the root
	Beside string   // a file that Paths cover, told with every commit; "" for none
}

// Commit is one commit.
type Commit struct {
	Hash    string
	Parents []string
	At      time.Time // when it was written, UTC
	Author  string    // name; printable
	Beside  string    // object name of Query.Beside in this commit, "" when it is not there
}

// Change is what a commit did to a file, compared with one of its parents: a
// merge has such a change for every parent that differs.
type Change struct {
	Path   string // relative to the root, with slashes
	Before string // object name of a regular file, "" for none
	After  string
}

// Malformed is output of Git that is not what this package knows.
type Malformed struct{ What string }

func (e *Malformed) Error() string { return "git: unexpected output: " + e.What }

// Log reads the history, parents before children, and calls each once for every
// commit, with what it changed of the query's paths. Nothing is left out: not
// the side of a merge that lost, not a merge that only dropped something.
func Log(ctx context.Context, root string, q Query, each func(Commit, []Change) error) error {
	tips := "HEAD"
	if q.All {
		tips = "--all"
	}
	args := []string{
		// What settings could change is said here, and no simplification is left to
		// the defaults: a key could read what a merge dropped, too.
		"--no-replace-objects", "-c", "log.showRoot=true", "-c", "log.diffMerges=separate", "-c", "diff.ignoreSubmodules=all", "log",
		"-z", "--raw", "--no-abbrev", "--no-renames", "--no-show-signature", "--no-mailmap", "--no-color", "--encoding=UTF-8", "--relative",
		"--full-history", "--sparse", "-m", "--topo-order", "--reverse", "--format=tformat:%H%x00%P%x00%at%x00%an", tips, "--",
	}
	err := run.Read(ctx, command(root, nil, append(args, q.Paths...)...), func(r io.Reader) error {
		return readLog(r, q.Beside, each)
	})
	return explain(root, err)
}

// readLog parses what Log asks for: records of NUL-terminated fields, four for a
// commit and two for each of its changes. Consecutive records of the same commit
// are a merge's, one for each parent.
func readLog(r io.Reader, beside string, each func(Commit, []Change) error) error {
	l := logReader{fields: fields{r: bufio.NewReaderSize(r, maxField)}, beside: beside, trees: map[string]string{}, each: each}
	for {
		field, err := l.fields.next()
		if errors.Is(err, io.EOF) {
			return l.flush()
		}
		if err != nil {
			return err
		}
		if meta, ok := strings.CutPrefix(strings.TrimPrefix(field, "\n"), ":"); ok {
			err = l.change(meta)
		} else {
			err = l.commit(field)
		}
		if err != nil {
			return err
		}
	}
}

// logReader gathers the records of one commit after the other.
type logReader struct {
	fields  fields
	beside  string
	trees   map[string]string // commit to the object name of beside in it
	each    func(Commit, []Change) error
	pending Commit
	changes []Change
}

func (l *logReader) commit(hash string) error {
	if !isObject(hash) {
		return &Malformed{What: fmt.Sprintf("%.80q in place of a commit", hash)}
	}
	rest, err := l.fields.more(3)
	if err != nil {
		return err
	}
	if hash == l.pending.Hash {
		return nil
	}
	if err := l.flush(); err != nil {
		return err
	}
	if len(l.trees) >= maxCommits {
		return &Malformed{What: fmt.Sprintf("more than %d commits", maxCommits)}
	}
	l.pending = Commit{Hash: hash, Parents: strings.Fields(rest[0]), Author: printable(rest[2])}
	if seconds, err := strconv.ParseInt(rest[1], 10, 64); err == nil {
		l.pending.At = time.Unix(seconds, 0).UTC()
	}
	return nil
}

// change parses "MODE MODE OBJECT OBJECT STATUS" and reads the path behind it.
func (l *logReader) change(meta string) error {
	path, err := l.fields.next()
	if err != nil {
		return broken(err)
	}
	parts := strings.Split(meta, " ")
	if l.pending.Hash == "" || len(parts) != 5 || !isObject(parts[2]) || !isObject(parts[3]) || path == "" {
		return &Malformed{What: fmt.Sprintf("%.120q in place of a change", meta)}
	}
	c := Change{Path: path, Before: regular(parts[0], parts[2]), After: regular(parts[1], parts[3])}
	l.changes = append(l.changes, c)
	return nil
}

// flush hands on the commit that is complete.
func (l *logReader) flush() error {
	if l.pending.Hash == "" {
		return nil
	}
	if len(l.pending.Parents) > 0 {
		l.pending.Beside = l.trees[l.pending.Parents[0]]
	}
	for _, c := range l.changes {
		if c.Path == l.beside {
			l.pending.Beside = c.After // the same, whichever parent it was compared with
		}
	}
	l.trees[l.pending.Hash] = l.pending.Beside
	err := l.each(l.pending, l.changes)
	l.pending, l.changes = Commit{}, nil
	return err
}

// regular is the object name of a regular file, and "" for links, submodules and
// what is not there.
func regular(mode, object string) string {
	if (mode == "100644" || mode == "100755") && strings.Trim(object, "0") != "" {
		return object
	}
	return ""
}

// isObject tells of a full object name, SHA-1 or SHA-256.
func isObject(text string) bool {
	return (len(text) == 40 || len(text) == 64) && strings.Trim(text, "0123456789abcdef") == ""
}

// printable keeps an author's name from playing with a terminal.
func printable(name string) string {
	var out []rune
	for _, r := range strings.ToValidUTF8(name, "?") {
		if len(out) == maxAuthor {
			break
		}
		if !strconv.IsPrint(r) {
			r = '?'
		}
		out = append(out, r)
	}
	return string(out)
}

// fields cuts a stream at NUL bytes.
type fields struct{ r *bufio.Reader }

// next returns a field; io.EOF stands for the end between two fields.
func (f fields) next() (string, error) {
	text, err := f.r.ReadSlice(0)
	switch {
	case err == nil:
		return string(text[:len(text)-1]), nil
	case errors.Is(err, bufio.ErrBufferFull):
		return "", &Malformed{What: fmt.Sprintf("a field of more than %d bytes", maxField)}
	case errors.Is(err, io.EOF) && len(text) > 0:
		return "", io.ErrUnexpectedEOF
	}
	return "", err
}

// more returns the n fields that have to follow.
func (f fields) more(n int) ([]string, error) {
	var out []string
	for range n {
		text, err := f.next()
		if err != nil {
			return nil, broken(err)
		}
		out = append(out, text)
	}
	return out, nil
}

// broken says of an end that more was to come.
func broken(err error) error {
	if errors.Is(err, io.EOF) {
		return io.ErrUnexpectedEOF
	}
	return err
}

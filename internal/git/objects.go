package git

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strconv"
	"strings"
	"sync"
)

// Bounds of what is read from a repository, in bytes.
const (
	maxObject = 64<<20 + 1 // a larger one cannot be opened
	maxCached = 1 << 20    // a larger one is read anew each time
	maxCache  = 64 << 20   // of all that is kept
)

var errTooLarge = errors.New("is larger than 64 MiB")

// objects reads blobs through one "git cat-file --batch", which is started
// when the first is wanted. It may be used by several goroutines.
type objects struct {
	ctx  context.Context
	root string

	mu     sync.Mutex
	git    *child
	failed error
	cache  map[string][]byte
	sizes  map[string]int64
	cached int
}

func newObjects(ctx context.Context, root string) *objects {
	return &objects{ctx: ctx, root: root, cache: map[string][]byte{}, sizes: map[string]int64{}}
}

// read gives a blob's content, which the caller must not change.
func (o *objects) read(blob string) ([]byte, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if data, known := o.cache[blob]; known {
		return data, nil
	}
	size, data, err := o.ask(blob)
	if err == nil && size > maxObject {
		err = errTooLarge
	}
	return data, err
}

// size gives a blob's length in bytes.
func (o *objects) size(blob string) (int64, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	if size, known := o.sizes[blob]; known {
		return size, nil
	}
	size, _, err := o.ask(blob)
	return size, err
}

// ask sends one request. After an error the stream is out of step, so all later
// requests fail, too.
func (o *objects) ask(blob string) (int64, []byte, error) {
	if o.failed == nil && o.git == nil {
		o.git, o.failed = startChild(o.ctx, o.root, "cat-file", "--batch")
	}
	if o.failed != nil {
		return 0, nil, o.failed
	}
	size, data, err := o.exchange(blob)
	if err != nil {
		o.failed = fmt.Errorf("git cat-file: %w", err)
		return 0, nil, o.failed
	}
	o.sizes[blob] = size
	if size <= maxCached && o.cached+len(data) <= maxCache {
		o.cache[blob] = data
		o.cached += len(data)
	}
	return size, data, nil
}

// exchange writes an object's name and reads "NAME blob SIZE", the content, and
// a line break. Of an object that is too large the content is dropped.
func (o *objects) exchange(blob string) (int64, []byte, error) {
	if _, err := io.WriteString(o.git.requests, blob+"\n"); err != nil {
		return 0, nil, err
	}
	line, err := o.git.answers.ReadString('\n')
	if err != nil {
		return 0, nil, err
	}
	fields := strings.Fields(line)
	if len(fields) != 3 || fields[0] != blob || fields[1] != "blob" {
		return 0, nil, fmt.Errorf("object %s: %s", blob, strings.TrimSpace(line))
	}
	size, err := strconv.ParseInt(fields[2], 10, 64)
	if err != nil || size < 0 {
		return 0, nil, fmt.Errorf("object %s has size %q", blob, fields[2])
	}
	if size > maxObject {
		_, err := io.CopyN(io.Discard, o.git.answers, size+1)
		return size, nil, err
	}
	data := make([]byte, size+1)
	if _, err := io.ReadFull(o.git.answers, data); err != nil {
		return 0, nil, err
	}
	return size, data[:size], nil
}

func (o *objects) close() error {
	o.mu.Lock()
	defer o.mu.Unlock()
	if o.git == nil {
		return nil
	}
	closed, ended := o.git.end()
	o.git, o.failed = nil, os.ErrClosed
	return errors.Join(closed, ended)
}

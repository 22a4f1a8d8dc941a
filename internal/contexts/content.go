package contexts

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"runtime"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sync/errgroup"
)

// batch is how many files a goroutine takes at a time.
const batch = 64

// hash reads all files, on all cores.
func (w *walk) hash(ctx context.Context) error {
	slices.SortFunc(w.entries, func(a, b entry) int { return strings.Compare(a.path, b.path) })
	group, ctx := errgroup.WithContext(ctx)
	group.SetLimit(runtime.GOMAXPROCS(0))
	for part := range slices.Chunk(w.entries, batch) {
		group.Go(func() error {
			buffer := make([]byte, 64<<10)
			for i := range part {
				if err := w.content(ctx, &part[i], buffer); err != nil {
					return err
				}
			}
			return nil
		})
	}
	return group.Wait()
}

func (w *walk) content(ctx context.Context, e *entry, buffer []byte) error {
	if e.mode&fs.ModeSymlink != 0 {
		target, err := os.Readlink(w.file(e.path))
		e.sum = sha256.Sum256([]byte(target))
		if err != nil {
			return w.fail(e.path, reason(err), "")
		}
		return nil
	}
	f, err := openPlain(w.file(e.path))
	if err != nil {
		return w.fail(e.path, reason(err), "")
	}
	defer f.Close()
	sum, read := sha256.New(), int64(0)
	for {
		if err := ctx.Err(); err != nil {
			return err
		}
		n, err := f.Read(buffer)
		sum.Write(buffer[:n])
		if read += int64(n); read > e.size {
			return w.fail(e.path, "changed while it was read", "try again")
		}
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return w.fail(e.path, reason(err), "")
		}
	}
	sum.Sum(e.sum[:0])
	return nil
}

// openPlain opens a regular file: no symlink, and nothing that could make an open
// or a read wait for ever.
func openPlain(file string) (*os.File, error) {
	f, err := os.OpenFile(file, os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, err
	}
	if info, err := f.Stat(); err != nil || !info.Mode().IsRegular() {
		f.Close()
		return nil, errors.New("is not a regular file")
	}
	return f, nil
}

// sum is that of all entries, which are sorted and have their own.
func (w *walk) sum() string {
	all := sha256.New()
	for _, e := range w.entries {
		fmt.Fprintf(all, "%s %q %x\n", kindOf(e.mode), e.path, e.sum)
	}
	return hex.EncodeToString(all.Sum(nil))
}

// kindOf is what counts of a mode.
func kindOf(mode fs.FileMode) string {
	switch {
	case mode&fs.ModeSymlink != 0:
		return "symlink"
	case mode&0o100 != 0:
		return "program"
	}
	return "file"
}

func hexOf(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

package sdimage

import (
	"bufio"
	"context"
	"errors"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"

	"github.com/klauspost/compress/zstd"

	"pistack/secrets/durable"
)

// zstdMagic begins a frame of zstd (RFC 8878, section 3.1.1).
const zstdMagic = "\x28\xb5\x2f\xfd"

// maxImage bounds an image, in bytes: a few compressed kilobytes can stand for
// more than any disk holds.
const maxImage = 256 << 30

// Unpack makes a draft of an image at out from a file that may be compressed by
// zstd. Zeros become holes. progress is told how much of the file was read. The
// draft has another name until Seal.Apply is done; Discard removes it.
func Unpack(ctx context.Context, source, out string, progress func(done, total int64)) (*Image, error) {
	from, err := openRegular(source, os.O_RDONLY)
	if err != nil {
		return nil, missing(source, err, false)
	}
	defer from.Close()
	info, err := from.Stat()
	if err != nil {
		return nil, err
	}
	draft, err := createDraft(out)
	if err != nil {
		return nil, err
	}
	img := &Image{Path: out + draftSuffix, final: out, file: draft}
	counted := &counter{ctx: ctx, r: from, done: func(n int64) { progress(n, info.Size()) }}
	if err := unpack(counted, draft); err != nil {
		return nil, errors.Join(unpackError(ctx, source, out, err), img.Discard())
	}
	if err := img.read(syscall.LOCK_EX); err != nil {
		return nil, errors.Join(rename(err, source), img.Discard())
	}
	return img, nil
}

// createDraft makes the file, in place of one that a killed run left.
func createDraft(out string) (*os.File, error) {
	if err := durable.MkdirAll(filepath.Dir(out)); err != nil {
		return nil, err
	}
	path := out + draftSuffix
	old, err := openRegular(path, os.O_RDONLY)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, err
	}
	if err == nil {
		defer old.Close()
		if err := syscall.Flock(int(old.Fd()), syscall.LOCK_EX|syscall.LOCK_NB); err != nil {
			return nil, &Error{File: path, Message: "another process is making it", Fix: "wait for it to end"}
		}
		if err := os.Remove(path); err != nil {
			return nil, err
		}
	}
	file, err := os.OpenFile(path, os.O_RDWR|os.O_CREATE|os.O_EXCL, 0o600)
	if err != nil {
		return nil, err
	}
	return file, syscall.Flock(int(file.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
}

// Discard removes a draft that was not sealed, and closes it. Of another image it
// does nothing but close it.
func (i *Image) Discard() error {
	err := i.Close()
	if i.final == "" || errors.Is(err, fs.ErrClosed) {
		return nil
	}
	return errors.Join(err, removeIfThere(i.Path))
}

func unpack(from io.Reader, to *os.File) error {
	in := bufio.NewReaderSize(from, 1<<20)
	magic, err := in.Peek(len(zstdMagic))
	if err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	if string(magic) != zstdMagic {
		return writeSparse(in, to)
	}
	d, err := zstd.NewReader(in)
	if err != nil {
		return err
	}
	defer d.Close()
	return writeSparse(d, to)
}

// writeSparse copies, and leaves out what is zero.
func writeSparse(from io.Reader, to *os.File) error {
	buffer := make([]byte, 256<<10)
	for at := int64(0); ; {
		n, err := fill(from, buffer)
		if at+int64(n) > maxImage {
			return errTooLarge
		}
		if n > 0 && !allZero(buffer[:n]) {
			if _, err := to.WriteAt(buffer[:n], at); err != nil {
				return err
			}
		}
		at += int64(n)
		if errors.Is(err, io.EOF) {
			return to.Truncate(at)
		}
		if err != nil {
			return err
		}
	}
}

// fill is io.ReadFull, but for its io.ErrUnexpectedEOF: that is what zstd says of
// a file that is truncated.
func fill(from io.Reader, buffer []byte) (int, error) {
	for n := 0; ; {
		more, err := from.Read(buffer[n:])
		if n += more; err != nil || n == len(buffer) {
			return n, err
		}
	}
}

var errTooLarge = errors.New("is larger than any SD card")

// unpackError tells what is wrong with the source from what is wrong here.
func unpackError(ctx context.Context, source, out string, err error) error {
	var here *fs.PathError
	switch {
	case ctx.Err() != nil:
		return ctx.Err()
	case errors.As(err, &here) && here.Path != source:
		return &Error{File: out, Message: "cannot be written", Err: here.Err, Fix: "make room, or name another place with --out"}
	}
	return &Error{File: source, Message: "is truncated or damaged", Err: err, Fix: "build the image anew, or copy it again"}
}

// rename makes an error about a draft one about the file that it was made from.
func rename(err error, source string) error {
	var e *Error
	if errors.As(err, &e) {
		e.File = source
	}
	return err
}

// counter tells how much was read, and ends with its context.
type counter struct {
	ctx  context.Context
	r    io.Reader
	n    int64
	done func(int64)
}

func (c *counter) Read(p []byte) (int, error) {
	if err := c.ctx.Err(); err != nil {
		return 0, err
	}
	n, err := c.r.Read(p)
	c.n += int64(n)
	c.done(c.n)
	return n, err
}

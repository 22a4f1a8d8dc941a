package memo

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"io"
	"io/fs"
)

// maxFile bounds what is read of a file, in bytes. Nothing that depends on a
// larger one is remembered.
const maxFile = 64<<20 + 1

// captured is what a path is at one moment: what lstat and stat say and, of a
// regular file, its content.
type captured struct {
	link     string // target, of a symlink
	linkInfo fs.FileInfo
	linkErr  error
	info     fs.FileInfo
	infoErr  error
	data     []byte
	dataErr  error
	tooLarge bool
}

func capture(fsys fs.FS, path string) captured {
	var c captured
	c.linkInfo, c.linkErr = fs.Lstat(fsys, path)
	if c.linkErr == nil && c.linkInfo.Mode()&fs.ModeSymlink != 0 {
		c.link, c.linkErr = fs.ReadLink(fsys, path)
	}
	c.info, c.infoErr = fs.Stat(fsys, path)
	if c.infoErr == nil && c.info.Mode().IsRegular() {
		c.read(fsys, path)
	}
	return c
}

// read takes the content, and what stat says of the file that it is from.
func (c *captured) read(fsys fs.FS, path string) {
	f, err := fsys.Open(path)
	if err != nil {
		c.dataErr = err
		return
	}
	defer f.Close()
	if c.info, c.infoErr = f.Stat(); c.infoErr != nil || !c.info.Mode().IsRegular() {
		c.tooLarge = true // changed under our hands: not to be remembered
		return
	}
	c.data, c.dataErr = io.ReadAll(io.LimitReader(f, maxFile))
	c.tooLarge = len(c.data) == maxFile
}

// answer is the same for two captures that a reader could not tell apart, their
// times excepted.
func (c captured) answer() (text string, ok bool) {
	switch {
	case c.linkErr != nil:
		text = "lstat " + errorAnswer(c.linkErr)
	default:
		text = fmt.Sprintf("%s %q", c.linkInfo.Mode(), c.link)
	}
	switch {
	case c.infoErr != nil:
		return text + " stat " + errorAnswer(c.infoErr), true
	case !c.info.Mode().IsRegular():
		return text + " is " + c.info.Mode().String(), true
	case c.dataErr != nil:
		return text + " read " + errorAnswer(c.dataErr), true
	}
	return fmt.Sprintf("%s %s %x", text, c.info.Mode(), sha256.Sum256(c.data)), !c.tooLarge
}

// open is an fs.File over the captured content.
func (c captured) open() (fs.File, error) {
	if c.dataErr != nil {
		return nil, c.dataErr
	}
	return &memoryFile{bytes.NewReader(c.data), c.info}, nil
}

type memoryFile struct {
	*bytes.Reader
	info fs.FileInfo
}

func (f *memoryFile) Stat() (fs.FileInfo, error) { return f.info, nil }
func (*memoryFile) Close() error                 { return nil }

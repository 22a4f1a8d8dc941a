package editor

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"

	"golang.org/x/term"

	"pistack/internal/run"
)

// Write puts a text into a file of the folder, in the place of whatever is there.
func (f *Folder) Write(name string, text []byte) error {
	path := filepath.Join(f.Path, name)
	if err := os.RemoveAll(path); err != nil {
		return err
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if err != nil {
		return err
	}
	_, err = file.Write(text)
	return errors.Join(err, file.Close())
}

// Read reads a file of the folder back. A text of more than most bytes is cut
// after most+1. What is no ordinary file any more is refused.
func (f *Folder) Read(name string, most int64) ([]byte, error) {
	file, err := os.OpenFile(filepath.Join(f.Path, name), os.O_RDONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return nil, gone(name)
	}
	defer file.Close()
	if info, err := file.Stat(); err != nil || !info.Mode().IsRegular() {
		return nil, gone(name)
	}
	return io.ReadAll(io.LimitReader(file, most+1))
}

func gone(name string) error {
	return &Refusal{Message: fmt.Sprintf("the editor left no file %s that could be read", name), Fix: "nothing was written; save under the same name"}
}

// Run edits: it starts the command at the user's terminal and waits. When ctx ends,
// so does the editor, and the terminal is put back as it was.
func Run(ctx context.Context, command run.Command) error {
	stdin := int(os.Stdin.Fd())
	before, noTerminal := term.GetState(stdin)
	err := run.Interactive(ctx, command)
	if err != nil && noTerminal == nil {
		_ = term.Restore(stdin, before)
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed *run.Error
	if errors.As(err, &failed) {
		return &Refusal{Message: fmt.Sprintf("the editor failed: %v", failed), Fix: "nothing was written"}
	}
	return err
}

// Settle decides about the line break at the end of an edited text: most editors
// put one there. A value that had none gets none: the last one of the text is
// left out, and so two are needed to give a value its first.
func Settle(before, edited []byte) (value []byte, leftOut bool) {
	if bytes.HasSuffix(before, []byte("\n")) || !bytes.HasSuffix(edited, []byte("\n")) {
		return edited, false
	}
	value = edited[:len(edited)-len("\n")]
	if !bytes.Equal(value, before) && bytes.Contains(before, []byte("\r\n")) {
		value = bytes.TrimSuffix(value, []byte("\r"))
	}
	return value, true
}

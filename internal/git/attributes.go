package git

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/google/renameio/v2"

	"pistack/internal/run"
)

// maxAttributes bounds a .gitattributes file, in bytes: Git itself ignores larger
// ones (gitattributes(5)).
const maxAttributes = 100 << 20

// Attributes is the .gitattributes of a folder.
type Attributes struct {
	Path string
	Text []byte // empty when there is no file
	mode fs.FileMode
}

// ReadAttributes reads the .gitattributes of a folder, if there is one. A symlink
// is refused: Git does not follow it either.
func ReadAttributes(folder string) (Attributes, error) {
	a := Attributes{Path: filepath.Join(folder, ".gitattributes"), mode: 0o644}
	info, err := os.Lstat(a.Path)
	if errors.Is(err, fs.ErrNotExist) {
		return a, nil
	}
	if err != nil {
		return a, err
	}
	switch {
	case info.Mode()&fs.ModeSymlink != 0:
		return a, fmt.Errorf("%s is a symlink, which Git does not follow: put a file there", a.Path)
	case !info.Mode().IsRegular():
		return a, fmt.Errorf("%s is not a regular file", a.Path)
	case info.Size() > maxAttributes:
		return a, fmt.Errorf("%s is larger than %d bytes: Git ignores it", a.Path, maxAttributes)
	}
	a.mode = info.Mode().Perm()
	a.Text, err = os.ReadFile(a.Path)
	return a, err
}

// Replace writes the file anew, atomically. Without a text there is none.
func (a Attributes) Replace(text []byte) error {
	if len(text) == 0 {
		return os.Remove(a.Path)
	}
	return renameio.WriteFile(a.Path, text, a.mode, renameio.WithTempDir(filepath.Dir(a.Path)), renameio.IgnoreUmask())
}

// WithLine appends a line, unless it stands there.
func WithLine(text []byte, line string) []byte {
	for l := range bytes.Lines(text) {
		if sameLine(l, line) {
			return text
		}
	}
	out := slices.Clone(text)
	if len(out) > 0 && !bytes.HasSuffix(out, []byte("\n")) {
		out = append(out, '\n')
	}
	return append(out, line+"\n"...)
}

// WithoutLine drops a line wherever it stands, and leaves the others as they are.
func WithoutLine(text []byte, line string) []byte {
	var out []byte
	for l := range bytes.Lines(text) {
		if !sameLine(l, line) {
			out = append(out, l...)
		}
	}
	return out
}

// sameLine compares as Git does, which takes any white space for one.
func sameLine(a []byte, b string) bool {
	return slices.Equal(strings.Fields(string(a)), strings.Fields(b))
}

// Attribute asks Git what an attribute is for a path relative to root.
func Attribute(ctx context.Context, root, name, path string) (string, error) {
	out, err := run.Output(ctx, command(root, nil, "check-attr", "-z", name, "--", path))
	if err != nil {
		return "", explain(root, err)
	}
	fields := strings.Split(string(out), "\x00") // path, attribute, value
	if len(fields) < 3 {
		return "", fmt.Errorf("git check-attr said %q", out)
	}
	return fields[2], nil
}

package sdimage

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"regexp"
	"strconv"
	"strings"

	"pistack/internal/run"
)

// filesystem is an ext4 file system in a file, as e2fsprogs sees it: by its
// number, so that no name of a user's file is taken for an option of theirs.
type filesystem struct {
	file   *os.File
	offset int64
}

// name is what descriptor 3 of a child is called.
func (f filesystem) name() string {
	if f.offset == 0 {
		return descriptor(0)
	}
	return fmt.Sprintf("%s?offset=%d", descriptor(0), f.offset)
}

// descriptor is the name that a child has for a file of run.Command.Files.
func descriptor(n int) string { return fmt.Sprintf("/proc/self/fd/%d", 3+n) }

// write has debugfs carry out commands, which may name files. Its exit status
// tells nothing, so the caller reads back; what it complains of is returned for
// an error message.
func (f filesystem) write(ctx context.Context, commands []string, files ...*os.File) (complaints []string, err error) {
	err = run.Stream(ctx, run.Command{
		Argv:  []string{program("debugfs"), "-w", "-f", "-", f.name()},
		Stdin: strings.NewReader(strings.Join(commands, "\n") + "\n"),
		Files: append([]*os.File{f.file}, files...),
	}, func(line string) {
		if !strings.HasPrefix(line, "debugfs") && strings.Contains(line, ": ") && !strings.HasPrefix(line, "Allocated inode") {
			complaints = append(complaints, line)
		}
	})
	return complaints, err
}

// maxContent bounds the files that are read out of an image, in bytes.
const maxContent = 1 << 20

// read is the content of a file; it is empty for one that is not there.
func (f filesystem) read(ctx context.Context, path string) ([]byte, error) {
	var content []byte
	err := run.Read(ctx, run.Command{Argv: []string{program("debugfs"), "-R", "cat " + path, f.name()}, Files: []*os.File{f.file}},
		func(r io.Reader) (err error) {
			content, err = io.ReadAll(io.LimitReader(r, maxContent+1))
			if len(content) > maxContent {
				err = fmt.Errorf("%s is larger than %d bytes", path, maxContent)
			}
			return err
		})
	return content, explain(err)
}

// status is what a file system knows of a file.
type status struct {
	kind     string // "regular", "directory" and so on; "" for what is not there
	mode     int64  // permissions
	uid, gid int64
	size     int64
}

var statForm = regexp.MustCompile(`(?s)^Inode:\s+\d+\s+Type:\s+(\w+)\s+Mode:\s+0?([0-7]+)\s.*?\nUser:\s+(\d+)\s+Group:\s+(\d+)\s+(?:Project:\s+\d+\s+)?Size:\s+(\d+)`)

func (f filesystem) stat(ctx context.Context, path string) (status, error) {
	out, err := run.Output(ctx, run.Command{Argv: []string{program("debugfs"), "-R", "stat " + path, f.name()}, Files: []*os.File{f.file}})
	if err != nil {
		return status{}, explain(err)
	}
	m := statForm.FindStringSubmatch(string(out))
	if m == nil {
		return status{}, nil
	}
	number := func(text string, base int) int64 {
		n, _ := strconv.ParseInt(text, base, 64) // digits, by the expression; one too large is no mode or size of ours
		return n
	}
	return status{kind: m[1], mode: number(m[2], 8), uid: number(m[3], 10), gid: number(m[4], 10), size: number(m[5], 10)}, nil
}

// check has e2fsck look at everything, and change nothing.
func (f filesystem) check(ctx context.Context) error {
	_, err := run.Output(ctx, run.Command{Argv: []string{program("e2fsck"), "-fn", f.name()}, Files: []*os.File{f.file}})
	return explain(err)
}

// program finds a program of e2fsprogs, which is in no PATH of an ordinary user on
// some systems.
func program(name string) string {
	if _, err := exec.LookPath(name); err != nil {
		for _, folder := range []string{"/usr/sbin/", "/sbin/"} {
			if _, err := os.Stat(folder + name); err == nil {
				return folder + name
			}
		}
	}
	return name
}

// needed is a program that is missing.
type needed struct{ error }

func (needed) Hint() string {
	return "install e2fsprogs (on NixOS: nix-shell -p e2fsprogs; elsewhere the package of that name)"
}

func explain(err error) error {
	if errors.Is(err, exec.ErrNotFound) {
		return needed{err}
	}
	return err
}

package git

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"

	"pistack/internal/run"
)

// Clone is what there is of a repository here.
type Clone struct {
	Head    string // commit; "" before the first
	Shallow bool   // older history was not fetched
}

// Describe asks Git what there is.
func Describe(ctx context.Context, root string) (Clone, error) {
	out, err := run.Output(ctx, command(root, nil, "rev-parse", "--is-shallow-repository"))
	if err != nil {
		return Clone{}, explain(root, err)
	}
	c := Clone{Shallow: strings.TrimSpace(string(out)) == "true"}
	out, err = run.Output(ctx, command(root, nil, "rev-parse", "--verify", "--quiet", "HEAD^{commit}"))
	var failed *run.Error
	if errors.As(err, &failed) && failed.Code == 1 {
		return c, nil // no commit yet
	}
	c.Head = strings.TrimSpace(string(out))
	return c, explain(root, err)
}

// ListCommit lists the regular files of a commit below some paths, with the object
// name of each.
func ListCommit(ctx context.Context, root, commit string, paths ...string) (map[string]string, error) {
	files := map[string]string{}
	args := append([]string{"--no-replace-objects", "ls-tree", "-r", "-z", commit, "--"}, paths...)
	err := run.Read(ctx, command(root, nil, args...), func(r io.Reader) error { return readTree(r, files) })
	return files, explain(root, err)
}

// readTree parses records of the form "MODE TYPE OBJECT\tPATH", NUL-terminated.
func readTree(r io.Reader, files map[string]string) error {
	f := fields{r: bufio.NewReaderSize(r, maxField)}
	for {
		record, err := f.next()
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		meta, path, found := strings.Cut(record, "\t")
		parts := strings.Split(meta, " ")
		if !found || path == "" || len(parts) != 3 || !isObject(parts[2]) {
			return &Malformed{What: fmt.Sprintf("%.120q in place of a file", record)}
		}
		if object := regular(parts[0], parts[2]); object != "" {
			files[path] = object
		}
	}
}

// Why the content of an object is not there.
var (
	ErrMissing  = errors.New("is not in this clone")
	ErrTooLarge = errors.New("is too large")
	ErrNotFile  = errors.New("is not a file")
)

// Blobs reads objects with one Git process and calls each for every one of them,
// in order: with its content, which each may keep, or with one of the errors
// above. Content of more than max bytes is passed over.
func Blobs(ctx context.Context, root string, objects []string, max int64, each func(i int, content []byte, problem error) error) error {
	if len(objects) == 0 {
		return nil
	}
	input := strings.NewReader(strings.Join(objects, "\n") + "\n")
	err := run.Read(ctx, command(root, input, "--no-replace-objects", "cat-file", "--batch", "--buffer"), func(r io.Reader) error {
		return readBatch(r, objects, max, each)
	})
	return explain(root, err)
}

func readBatch(r io.Reader, objects []string, max int64, each func(int, []byte, error) error) error {
	in := bufio.NewReaderSize(r, maxField)
	for i, object := range objects {
		content, problem, err := readObject(in, object, max)
		if err != nil {
			return err
		}
		if err := each(i, content, problem); err != nil {
			return err
		}
	}
	if _, err := in.ReadByte(); err == nil {
		return &Malformed{What: "more objects than were asked for"}
	}
	return nil
}

// readObject reads "OBJECT TYPE SIZE\nCONTENT\n" or "OBJECT missing\n".
func readObject(in *bufio.Reader, object string, max int64) (content []byte, problem, err error) {
	line, err := in.ReadSlice('\n')
	if err != nil {
		return nil, nil, broken(err)
	}
	parts := strings.Split(strings.TrimSuffix(string(line), "\n"), " ")
	if len(parts) == 2 && parts[0] == object && parts[1] == "missing" {
		return nil, ErrMissing, nil
	}
	size := int64(-1)
	if len(parts) == 3 && parts[0] == object {
		size, err = strconv.ParseInt(parts[2], 10, 64)
	}
	if err != nil || size < 0 {
		return nil, nil, &Malformed{What: fmt.Sprintf("%.120q in place of an object", line)}
	}
	if problem = unwanted(parts[1], size, max); problem != nil {
		_, err = io.CopyN(io.Discard, in, size)
	} else {
		content = make([]byte, size)
		_, err = io.ReadFull(in, content)
	}
	if err != nil {
		return nil, nil, broken(err)
	}
	if end, err := in.ReadByte(); err != nil || end != '\n' {
		return nil, nil, io.ErrUnexpectedEOF
	}
	return content, problem, nil
}

func unwanted(kind string, size, max int64) error {
	switch {
	case kind != "blob":
		return ErrNotFile
	case size > max:
		return ErrTooLarge
	}
	return nil
}

package sdimage

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"pistack/internal/holes"
)

// Seal is a key that is ready to be written into an image. Nothing was written
// yet; see Apply.
type Seal struct {
	image  *Image
	blocks []block
	step   func(name string) // called before every effect; tests crash there
}

// block is a part of the image that sealing changes.
type block struct {
	offset   int64 // in the image
	old, new []byte
}

// maxChanges bounds how much of an image sealing may change, in bytes: it is a few
// blocks of 4 KiB.
const maxChanges = 64 << 20

// sealed is a file that sealing writes.
type sealed struct {
	path    string
	content []byte
	mode    int64
}

// Prepare computes, in memory, what the image is with a key, and has the result
// checked. The image must not have a key yet.
func (i *Image) Prepare(ctx context.Context, key HostKey, marker Marker) (*Seal, error) {
	marker.Schema, marker.Key = 1, key.Fingerprint()
	text, err := json.MarshalIndent(marker, "", "  ")
	if err != nil {
		return nil, err
	}
	files := []sealed{
		{keyFile, key.private, 0o600},
		{keyFile + ".pub", key.Line(), 0o644},
		{markerFile, append(text, '\n'), 0o644},
	}
	copied, err := inMemory("pistack-image")
	if err != nil {
		return nil, err
	}
	defer copied.Close()
	known, err := copyMetadata(i.super, io.NewSectionReader(i.file, i.Root.Start, i.Root.Size), copied)
	if err != nil {
		return nil, &Error{File: i.Path, Message: "its file system " + RootLabel + " cannot be read", Err: err, Fix: "build the image anew, or copy it again"}
	}
	fs := filesystem{file: copied}
	if err := i.writeFiles(ctx, fs, files); err != nil {
		return nil, err
	}
	blocks, err := i.changes(copied, known)
	return &Seal{image: i, blocks: blocks, step: func(string) {}}, err
}

// writeFiles writes files into a file system, reads them back, and has everything
// checked.
func (i *Image) writeFiles(ctx context.Context, fs filesystem, files []sealed) error {
	if s, err := fs.stat(ctx, keyFile); err != nil {
		return explain(err)
	} else if s.kind != "" {
		return &Error{File: i.Path, Message: "has a host key already", Fix: "build the image anew, or see what it is: pistack image inspect FILE"}
	}
	commands, err := folderCommands(ctx, fs, "/etc", "/etc/ssh", "/boot")
	if err != nil {
		return i.refused(err, nil)
	}
	var sources []*os.File
	for _, f := range files {
		source, err := inMemory("pistack-file")
		if err != nil {
			return err
		}
		defer source.Close()
		if _, err := source.WriteAt(f.content, 0); err != nil {
			return err
		}
		sources = append(sources, source)
		commands = append(commands, fileCommands(f, descriptor(len(sources)))...)
	}
	complaints, err := fs.write(ctx, commands, sources...)
	if err != nil {
		return explain(err)
	}
	for _, f := range files {
		if err := readBack(ctx, fs, f); err != nil {
			return i.refused(err, complaints)
		}
	}
	if err := fs.check(ctx); err != nil {
		return i.refused(err, nil)
	}
	return nil
}

// refused explains what could not be written; the image is as it was.
func (i *Image) refused(err error, complaints []string) error {
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) && hinted.Hint() != "" || errors.Is(err, context.Canceled) {
		return err
	}
	if len(complaints) > 0 {
		err = fmt.Errorf("%w (debugfs: %s)", err, strings.Join(complaints[:min(3, len(complaints))], "; "))
	}
	return &Error{File: i.Path, Message: "cannot be sealed, and is unchanged", Err: err, Fix: "see what e2fsck -fn says of its partition, and build the image anew"}
}

// folderCommands make the folders that are not there.
func folderCommands(ctx context.Context, fs filesystem, folders ...string) ([]string, error) {
	var commands []string
	for _, folder := range folders {
		s, err := fs.stat(ctx, folder)
		switch {
		case err != nil:
			return nil, err
		case s.kind == "":
			commands = append(commands, "mkdir "+folder, "sif "+folder+" mode 040755", "sif "+folder+" uid 0", "sif "+folder+" gid 0")
		case s.kind != "directory":
			return nil, fmt.Errorf("%s is there, and is no folder", folder)
		}
	}
	return commands, nil
}

// fileCommands write a file of root's. debugfs writes into its current folder.
func fileCommands(f sealed, source string) []string {
	at := strings.LastIndex(f.path, "/")
	name := f.path[at+1:]
	return []string{
		"cd " + f.path[:at],
		"write " + source + " " + name,
		fmt.Sprintf("sif %s mode 0%o", name, 0o100000|f.mode),
		"sif " + name + " uid 0",
		"sif " + name + " gid 0",
	}
}

// readBack compares a file with what it should be. No error quotes it.
func readBack(ctx context.Context, fs filesystem, f sealed) error {
	s, err := fs.stat(ctx, f.path)
	if err != nil {
		return err
	}
	content, err := fs.read(ctx, f.path)
	if err != nil {
		return err
	}
	defer clear(content)
	if want := (status{kind: "regular", mode: f.mode, size: int64(len(f.content))}); s != want || !bytes.Equal(content, f.content) {
		return fmt.Errorf("%s was not written", f.path)
	}
	return nil
}

// changes finds the blocks of the copy that are not what they are in the image.
// known are those that were copied.
func (i *Image) changes(copied *os.File, known []bool) ([]block, error) {
	var found []block
	total := 0
	err := holes.EachData(copied, i.super.blocks*i.super.blockSize, func(start, end int64) error {
		now, before := make([]byte, end-start), make([]byte, end-start)
		if _, err := copied.ReadAt(now, start); err != nil {
			return err
		}
		if _, err := i.file.ReadAt(before, i.Root.Start+start); err != nil {
			return err
		}
		for _, b := range different(now, before, int(i.super.blockSize)) {
			b.offset += start
			if !known[b.offset/i.super.blockSize] && allZero(b.new) {
				continue // a small block beside one that was written, in the same page of memory
			}
			b.offset += i.Root.Start
			found = append(found, b)
			total += len(b.new)
		}
		if total > maxChanges {
			return errors.New("too much of it would change")
		}
		return nil
	})
	if err == nil && len(found) == 0 {
		err = errors.New("nothing would change")
	}
	if err != nil {
		return nil, i.refused(err, nil)
	}
	return found, nil
}

// different lists the blocks in which two texts of the same length differ.
func different(now, before []byte, size int) []block {
	var found []block
	for at := 0; at < len(now); at += size {
		end := min(at+size, len(now))
		if !bytes.Equal(now[at:end], before[at:end]) {
			found = append(found, block{int64(at), bytes.Clone(before[at:end]), bytes.Clone(now[at:end])})
		}
	}
	return found
}

func (i *Image) filesystem() filesystem { return filesystem{i.file, i.Root.Start} }

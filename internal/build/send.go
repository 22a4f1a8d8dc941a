package build

import (
	"archive/tar"
	"compress/gzip"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"

	"pistack/internal/run"
)

// Send copies a local image (see images.LocalName) to a host: docker save, ssh,
// docker load, compressed on the way. Layers that the host has of other images are
// left out, where its engine allows that. progress, which may be nil, gets the
// number of bytes that went through so far, and of all that will, uncompressed.
func Send(ctx context.Context, t Target, name string, progress func(done, total int64)) error {
	have, err := haveLocal(ctx, name)
	if err != nil {
		return err
	}
	if !have {
		return &Error{
			Message: fmt.Sprintf("%s is not on this machine, and no registry has it", name),
			Fix:     "deploy from where it was built, or build it here and commit images.lock: pistack build",
		}
	}
	dir, remove, err := temporary()
	if err != nil {
		return err
	}
	defer remove()
	a, err := save(ctx, dir, name)
	if err != nil {
		return err
	}
	if a.id != idOf(name) {
		return &Error{Message: fmt.Sprintf("%s is another image than its name says: %s", name, short(a.id)), Fix: "docker image rm it, and run: pistack build"}
	}
	present, err := layersOf(ctx, t)
	if err != nil {
		return err
	}
	skip, err := a.skippable(present)
	if err != nil {
		return err
	}
	if err := load(ctx, t, a, skip, progress); err != nil {
		return err
	}
	missing, err := Missing(ctx, t, []string{name})
	if err == nil && len(missing) > 0 {
		err = &Error{Message: fmt.Sprintf("%s: Docker loaded %s, and does not have it", t.Host, name), Fix: "see docker image ls on the host"}
	}
	return err
}

// skippable names the files of an archive with layers that a host has. A layer
// counts with all below it: that is what an engine goes by.
func (a archive) skippable(present []string) (map[string]bool, error) {
	config, err := a.image.ConfigFile()
	if err != nil {
		return nil, err
	}
	manifest, err := a.manifest()
	if err != nil {
		return nil, err
	}
	skip := map[string]bool{}
	if len(manifest.Layers) != len(config.RootFS.DiffIDs) {
		return skip, nil
	}
	chain := ""
	for i, id := range config.RootFS.DiffIDs {
		chain = strings.TrimPrefix(chain+" "+id.String(), " ")
		if !begins(present, chain) {
			break
		}
		skip[manifest.Layers[i]] = true
	}
	for _, layer := range manifest.Layers[len(skip):] {
		delete(skip, layer) // it is also one that the host lacks
	}
	return skip, nil
}

// begins tells whether a list of layers has this one as its lower part.
func begins(lists []string, chain string) bool {
	for _, l := range lists {
		if l == chain || strings.HasPrefix(l, chain+" ") {
			return true
		}
	}
	return false
}

// manifest is what docker save says of the one image that it saved.
type manifest struct{ Layers []string }

func (a archive) manifest() (manifest, error) {
	f, err := os.Open(a.file)
	if err != nil {
		return manifest{}, err
	}
	defer f.Close()
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if err != nil {
			return manifest{}, fmt.Errorf("what Docker saved is not as expected: %w", err)
		}
		if h.Name != "manifest.json" {
			continue
		}
		var all []manifest
		if err := json.NewDecoder(io.LimitReader(in, 4<<20)).Decode(&all); err != nil || len(all) != 1 {
			return manifest{}, errors.New("what Docker saved is not as expected: not one image")
		}
		return all[0], nil
	}
}

// load has the host load an archive without some of its files.
func load(ctx context.Context, t Target, a archive, skip map[string]bool, progress func(done, total int64)) error {
	reader, writer := io.Pipe()
	go func() { writer.CloseWithError(a.write(writer, skip, progress)) }()
	c := t.remote("DOCKER image load --quiet")
	c.Stdin = reader
	_, err := run.Output(ctx, c)
	reader.Close()
	return t.explain(ctx, "the image cannot be loaded", err)
}

// write copies the archive without the files to skip, compressed.
func (a archive) write(w io.Writer, skip map[string]bool, progress func(done, total int64)) error {
	total, err := a.sizeWithout(skip)
	if err != nil {
		return err
	}
	f, err := os.Open(a.file)
	if err != nil {
		return err
	}
	defer f.Close()
	packed, err := gzip.NewWriterLevel(w, gzip.BestSpeed)
	if err != nil {
		return err
	}
	out := tar.NewWriter(&counting{Writer: packed, total: total, tell: progress})
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return err
		}
		if skip[h.Name] {
			continue
		}
		if err := out.WriteHeader(h); err != nil {
			return err
		}
		if _, err := io.Copy(out, in); err != nil {
			return err
		}
	}
	return errors.Join(out.Close(), packed.Close())
}

// tarBlock is what a tar file consists of, in bytes: a header is one, and content
// fills the last of its own with zeros.
const tarBlock = 512

// sizeWithout is the archive's size without the files to skip. When it has links,
// which may lead to one of these, there is nothing to skip.
func (a archive) sizeWithout(skip map[string]bool) (int64, error) {
	f, err := os.Open(a.file)
	if err != nil {
		return 0, err
	}
	defer f.Close()
	size := a.size
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return size, nil
		}
		if err != nil {
			return 0, err
		}
		if h.Typeflag == tar.TypeSymlink || h.Typeflag == tar.TypeLink {
			clear(skip)
			return a.size, nil
		}
		if skip[h.Name] {
			size -= tarBlock + (h.Size+tarBlock-1)/tarBlock*tarBlock
		}
	}
}

// counting is a writer that tells how far it is.
type counting struct {
	io.Writer
	done, total int64
	tell        func(done, total int64)
}

func (c *counting) Write(p []byte) (int, error) {
	n, err := c.Writer.Write(p)
	if c.done += int64(n); c.tell != nil {
		c.tell(min(c.done, c.total), c.total)
	}
	return n, err
}

package build

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"pistack/internal/run"
)

// archive is an image of one platform as the engine saves it.
type archive struct {
	file  string
	image v1.Image
	id    string // digest of its configuration, "sha256:…": the same in every engine
	size  int64
}

// save has the engine write an image to a new file of dir.
func save(ctx context.Context, dir, reference string) (archive, error) {
	out, err := os.CreateTemp(dir, "image-*.tar")
	if err != nil {
		return archive{}, err
	}
	defer out.Close()
	in, wait, err := run.Pipe(ctx, run.Command{Argv: []string{"docker", "image", "save", reference}})
	if err != nil {
		return archive{}, err
	}
	size, err := io.Copy(out, in)
	if err = errors.Join(err, wait()); err != nil {
		if ctx.Err() != nil {
			return archive{}, ctx.Err()
		}
		return archive{}, &Error{Message: fmt.Sprintf("%s cannot be read from Docker: %v", reference, err), Err: err, Fix: "make sure of room for it in " + dir + ", or set TMPDIR"}
	}
	return openArchive(out.Name(), size)
}

func openArchive(file string, size int64) (archive, error) {
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		return archive{}, fmt.Errorf("what Docker saved is not as expected: %w", err)
	}
	id, err := image.ConfigName()
	if err != nil {
		return archive{}, fmt.Errorf("what Docker saved is not as expected: %w", err)
	}
	return archive{file, image, id.String(), size}, nil
}

// checkPlatform refuses an image that says of itself that it is for another.
func (a archive) checkPlatform(title, platform string) (*v1.Platform, error) {
	config, err := a.image.ConfigFile()
	if err != nil {
		return nil, err
	}
	system, architecture, _ := strings.Cut(platform, "/")
	architecture, _, _ = strings.Cut(architecture, "/")
	if config.OS != system || config.Architecture != architecture {
		return nil, &Error{
			Message: fmt.Sprintf("%s: what was built for %s is for %s/%s", title, platform, config.OS, config.Architecture),
			Fix:     "take --platform out of the last FROM of the Dockerfile",
		}
	}
	wanted, err := v1.ParsePlatform(platform)
	if err != nil {
		return nil, err
	}
	return wanted, nil
}

// indexOf joins images of several platforms. The same images give the same index.
func indexOf(archives []archive, platforms []*v1.Platform) v1.ImageIndex {
	index := mutate.IndexMediaType(empty.Index, types.DockerManifestList)
	for i, a := range archives {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: a.image, Descriptor: v1.Descriptor{Platform: platforms[i]}})
	}
	return index
}

// temporary is a folder for archives.
func temporary() (dir string, remove func(), err error) {
	dir, err = os.MkdirTemp("", "pistack-images-")
	return filepath.Clean(dir), func() { os.RemoveAll(dir) }, err
}

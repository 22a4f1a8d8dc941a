package image

import (
	"context"
	"errors"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
)

// Size tells how much a machine fetches for an image: the bytes of its layers as
// the registry has them, for a platform such as "linux/arm64". What the machine
// has already is not taken off. Only the image's own registry is asked.
func (r *Resolver) Size(ctx context.Context, text, platform string) (int64, error) {
	reference, err := r.parse(text)
	if err != nil {
		return 0, err
	}
	size, err := r.sizeAt(ctx, reference, platform)
	if err != nil {
		return 0, explain(reference.Context().RegistryStr(), err)
	}
	return size, nil
}

func (r *Resolver) sizeAt(ctx context.Context, reference name.Reference, platform string) (int64, error) {
	got, err := r.puller.Get(ctx, reference)
	if err != nil {
		return 0, err
	}
	if got.MediaType.IsIndex() {
		index, err := got.ImageIndex()
		if err != nil {
			return 0, err
		}
		manifest, err := index.IndexManifest()
		if err != nil {
			return 0, err
		}
		child, found := ofPlatform(manifest.Manifests, platform)
		if !found {
			return 0, errors.New("it has no image for " + platform)
		}
		if got, err = r.puller.Get(ctx, reference.Context().Digest(child.Digest.String())); err != nil {
			return 0, err
		}
	}
	image, err := got.Image()
	if err != nil {
		return 0, err
	}
	manifest, err := image.Manifest()
	if err != nil {
		return 0, err
	}
	total := manifest.Config.Size
	for _, layer := range manifest.Layers {
		total += max(layer.Size, 0)
	}
	return total, nil
}

// ofPlatform finds the entry for a platform; a variant such as arm64/v8 will do.
func ofPlatform(entries []v1.Descriptor, platform string) (v1.Descriptor, bool) {
	for _, e := range entries {
		if e.Platform == nil {
			continue
		}
		is := e.Platform.OS + "/" + e.Platform.Architecture
		if is == platform || strings.HasPrefix(platform, is+"/") {
			return e, true
		}
	}
	return v1.Descriptor{}, false
}

package image

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"net/url"
	"slices"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/types"

	"pistack/compose/images"
)

// Image is what a reference stands for.
type Image struct {
	Digest    string   // of the index, or of the manifest where there is no index
	Platforms []string // sorted
}

// Request is a reference to look up.
type Request struct {
	Reference string
	// Known are images that the reference may still stand for. Then a registry is
	// only asked for the digest, which does not count as a pull.
	Known []Image
}

// Resolve looks up one image: in the mirrors of its registry, one after the
// other, and then there. Its error is an *Error, or that of ctx.
func (r *Resolver) Resolve(ctx context.Context, q Request) (Image, error) {
	reference, err := r.parse(q.Reference)
	if err != nil {
		return Image{}, err
	}
	var failed []string
	for _, mirror := range r.settings.Mirrors[shown(reference.Context().RegistryStr())] {
		there, err := r.at(mirror, reference)
		if err == nil {
			var found Image
			if found, err = r.lookUp(ctx, there, q.Known); err == nil {
				return found, nil
			}
		}
		if ctx.Err() != nil {
			return Image{}, ctx.Err()
		}
		failed = append(failed, fmt.Sprintf("mirror %s: %v", mirror, explain(there.Context().RegistryStr(), err)))
	}
	found, err := r.lookUp(ctx, reference, q.Known)
	if err == nil {
		return found, nil
	}
	err = explain(reference.Context().RegistryStr(), err)
	var known *Error
	if errors.As(err, &known) && len(failed) > 0 {
		with := *known
		with.Message += " (" + strings.Join(failed, "; ") + ")"
		return Image{}, &with
	}
	return Image{}, err
}

// parse reads a reference as Docker does: without a registry it is docker.io,
// without a tag it is latest.
func (r *Resolver) parse(text string) (name.Reference, error) {
	if !images.Valid(text) {
		return nil, errNotAName()
	}
	reference, err := name.ParseReference(text)
	if err != nil {
		return nil, errNotAName()
	}
	if digest := images.DigestOf(text); digest != "" && !strings.HasPrefix(digest, "sha256:") {
		return nil, &Error{Message: "only sha256 digests can be locked"}
	}
	if !r.settings.isInsecure(reference.Context().RegistryStr()) {
		return reference, nil
	}
	return name.ParseReference(text, name.Insecure)
}

func errNotAName() error {
	return &Error{Message: "that is not the name of an image", Fix: "write it as [registry/]name[:tag], in lower case"}
}

// at is a reference in a mirror.
func (r *Resolver) at(mirror string, reference name.Reference) (name.Reference, error) {
	u, err := url.Parse(mirror)
	if err != nil {
		return reference, err
	}
	var options []name.Option
	if u.Scheme == "http" {
		options = append(options, name.Insecure)
	}
	registry, err := name.NewRegistry(u.Host, options...)
	if err != nil {
		return reference, err
	}
	repository := registry.Repo(strings.Trim(u.Path, "/"), reference.Context().RepositoryStr())
	if _, isDigest := reference.(name.Digest); isDigest {
		return repository.Digest(reference.Identifier()), nil
	}
	return repository.Tag(reference.Identifier()), nil
}

// lookUp asks one registry.
func (r *Resolver) lookUp(ctx context.Context, reference name.Reference, known []Image) (Image, error) {
	if len(known) > 0 {
		if head, err := r.puller.Head(ctx, reference); err == nil {
			i := slices.IndexFunc(known, func(k Image) bool { return k.Digest == head.Digest.String() })
			if i >= 0 {
				return known[i], nil
			}
		}
	}
	got, err := r.puller.Get(ctx, reference)
	if err != nil {
		return Image{}, err
	}
	platforms := map[string]bool{}
	if err := r.platforms(got, platforms); err != nil {
		return Image{}, err
	}
	if len(platforms) == 0 {
		return Image{}, &Error{Registry: shown(reference.Context().RegistryStr()), Message: "what it has under this name is no container image"}
	}
	return Image{Digest: got.Digest.String(), Platforms: slices.Sorted(maps.Keys(platforms))}, nil
}

// maxManifests bounds the entries of an index.
const maxManifests = 1000

// platforms collects the platforms behind a manifest: those that an index
// lists, or the one that an image's configuration names.
func (r *Resolver) platforms(got *remote.Descriptor, into map[string]bool) error {
	if !got.MediaType.IsIndex() {
		if got.MediaType.IsSchema1() {
			return errors.New("it has the image in a format (schema 1) that Docker no longer takes")
		}
		image, err := got.Image()
		if err != nil {
			return err
		}
		config, err := image.ConfigFile()
		if err != nil {
			return err
		}
		addPlatform(into, config.OS, config.Architecture, config.Variant)
		return nil
	}
	index, err := got.ImageIndex()
	if err != nil {
		return err
	}
	manifest, err := index.IndexManifest()
	if err != nil {
		return err
	}
	if len(manifest.Manifests) > maxManifests {
		return fmt.Errorf("the index has more than %d entries", maxManifests)
	}
	for _, m := range manifest.Manifests {
		if m.Platform != nil {
			addPlatform(into, m.Platform.OS, m.Platform.Architecture, m.Platform.Variant)
			continue
		}
		if err := childPlatform(index, m, into); err != nil {
			return err
		}
	}
	return nil
}

// childPlatform looks into an image whose index does not say its platform.
func childPlatform(index v1.ImageIndex, m v1.Descriptor, into map[string]bool) error {
	if m.MediaType != types.OCIManifestSchema1 && m.MediaType != types.DockerManifestSchema2 {
		return nil // an index inside an index, or something else that Docker does not run
	}
	image, err := index.Image(m.Digest)
	if err != nil {
		return err
	}
	config, err := image.ConfigFile()
	if err != nil {
		return err
	}
	addPlatform(into, config.OS, config.Architecture, config.Variant)
	return nil
}

// addPlatform leaves out what is not for a machine: attestations are listed as
// unknown/unknown.
func addPlatform(into map[string]bool, system, architecture, variant string) {
	platform := system + "/" + architecture
	if variant != "" {
		platform += "/" + variant
	}
	if system != "unknown" && images.ValidPlatform(platform) {
		into[platform] = true
	}
}

package image_test

import (
	"testing"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"pistack/internal/image"
)

// TestSize: of an index, the image of the platform counts, and nothing else.
func TestSize(t *testing.T) {
	s := serve(t, nil)
	small, large := randomImage(t, 1000), randomImage(t, 500000)
	index := mutate.AppendManifests(empty.Index,
		mutate.IndexAddendum{Add: large, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "amd64"}}},
		mutate.IndexAddendum{Add: small, Descriptor: v1.Descriptor{Platform: &v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}}})
	tag, err := name.NewTag(s.host() + "/app:1")
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.WriteIndex(tag, index); err != nil {
		t.Fatal(err)
	}
	r, err := image.NewResolver(image.Settings{Keychain: authn.DefaultKeychain, Timeout: image.DefaultTimeout, Patience: image.DefaultPatience, Sleep: image.Sleep})
	if err != nil {
		t.Fatal(err)
	}
	for platform, want := range map[string]int64{"linux/arm64": layersOf(t, small), "linux/amd64": layersOf(t, large)} {
		got, err := r.Size(t.Context(), s.host()+"/app:1", platform)
		if err != nil || got != want {
			t.Errorf("%s: %d bytes, want %d, error %v", platform, got, want, err)
		}
	}
	if _, err := r.Size(t.Context(), s.host()+"/app:1", "linux/riscv64"); err == nil {
		t.Error("a platform that is not there has a size")
	}
	if _, err := r.Size(t.Context(), s.host()+"/none:1", "linux/arm64"); err == nil {
		t.Error("an image that is not there has a size")
	}
}

func randomImage(t *testing.T, size int64) v1.Image {
	t.Helper()
	i, err := random.Image(size, 2)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

func layersOf(t *testing.T, i v1.Image) int64 {
	t.Helper()
	m, err := i.Manifest()
	if err != nil {
		t.Fatal(err)
	}
	total := m.Config.Size
	for _, l := range m.Layers {
		total += l.Size
	}
	return total
}

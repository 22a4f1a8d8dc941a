package build

import (
	"archive/tar"
	"bytes"
	"compress/gzip"
	"encoding/json"
	"errors"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
)

// saved is an image as engines save it: until 24 with a folder a layer, since 25
// in the layout of OCI as well.
func saved(t *testing.T, image v1.Image, layout bool) archive {
	t.Helper()
	config, err := image.RawConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	id, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	configName := id.Hex + ".json"
	if layout {
		configName = "blobs/sha256/" + id.Hex
	}
	files := map[string][]byte{configName: config, "repositories": []byte("{}")}
	layers, err := image.Layers()
	if err != nil {
		t.Fatal(err)
	}
	var names []string
	for _, l := range layers {
		diff, err := l.DiffID()
		if err != nil {
			t.Fatal(err)
		}
		in, err := l.Uncompressed()
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		name := diff.Hex + "/layer.tar"
		if layout {
			name = "blobs/sha256/" + diff.Hex
		}
		files[name] = data
		names = append(names, name)
	}
	if files["manifest.json"], err = json.Marshal([]map[string]any{{"Config": configName, "RepoTags": []string{"x:y"}, "Layers": names}}); err != nil {
		t.Fatal(err)
	}
	return writeArchive(t, files)
}

func writeArchive(t *testing.T, files map[string][]byte) archive {
	t.Helper()
	var out bytes.Buffer
	w := tar.NewWriter(&out)
	for _, name := range slices.Sorted(maps.Keys(files)) {
		h := &tar.Header{Name: name, Mode: 0o644, Size: int64(len(files[name]))}
		if target, link := bytes.CutPrefix(files[name], []byte("-> ")); link {
			h.Typeflag, h.Linkname, h.Size = tar.TypeSymlink, string(target), 0
			files[name] = nil
		}
		if err := w.WriteHeader(h); err != nil {
			t.Fatal(err)
		}
		if _, err := w.Write(files[name]); err != nil {
			t.Fatal(err)
		}
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	file := filepath.Join(t.TempDir(), "a.tar")
	if err := os.WriteFile(file, out.Bytes(), 0o600); err != nil {
		t.Fatal(err)
	}
	a, err := openArchive(file, int64(out.Len()))
	if err != nil {
		t.Fatal(err)
	}
	return a
}

// newImage has three layers and is for arm64.
func newImage(t *testing.T) v1.Image {
	t.Helper()
	image, err := random.Image(2000, 3)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = "linux", "arm64", "v8"
	if image, err = mutate.ConfigFile(image, config); err != nil {
		t.Fatal(err)
	}
	return image
}

// TestFormats: however an engine saves an image, its id and the index that is
// pushed are the same.
func TestFormats(t *testing.T) {
	image := newImage(t)
	id, err := image.ConfigName()
	if err != nil {
		t.Fatal(err)
	}
	var digests []string
	for _, layout := range []bool{false, true} {
		a := saved(t, image, layout)
		if a.id != id.String() {
			t.Errorf("layout %t: id %s, want %s", layout, a.id, id)
		}
		platform, err := a.checkPlatform("x", arm64)
		if err != nil {
			t.Fatal(err)
		}
		digest, err := indexOf([]archive{a}, []*v1.Platform{platform}).Digest()
		if err != nil {
			t.Fatal(err)
		}
		digests = append(digests, digest.String())
	}
	if digests[0] != digests[1] {
		t.Errorf("two indexes: %v", digests)
	}
	if _, err := saved(t, image, true).checkPlatform("shop/web", amd64); err == nil || err.Error() != "shop/web: what was built for linux/amd64 is for linux/arm64" {
		t.Errorf("error %v", err)
	}
}

// TestSkippable: a layer stays here when the host has it with all that is below.
func TestSkippable(t *testing.T) {
	image := newImage(t)
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	var ids []string
	for _, d := range config.RootFS.DiffIDs {
		ids = append(ids, d.String())
	}
	for _, layout := range []bool{false, true} {
		a := saved(t, image, layout)
		for _, c := range []struct {
			name    string
			present []string
			want    int
		}{
			{"nothing", nil, 0},
			{"another image", []string{"sha256:x sha256:y"}, 0},
			{"the first", []string{"sha256:x", ids[0]}, 1},
			{"the first, below others", []string{ids[0] + " sha256:x"}, 1},
			{"two", []string{ids[0] + " " + ids[1] + " sha256:x"}, 2},
			{"the second alone", []string{ids[1]}, 0},
			{"in another order", []string{ids[1] + " " + ids[0]}, 0},
			{"a longer name", []string{ids[0] + "0"}, 0},
			{"all", []string{strings.Join(ids, " ")}, 3},
		} {
			skip, err := a.skippable(c.present)
			if err != nil || len(skip) != c.want {
				t.Errorf("%s: %v, %v", c.name, skip, err)
			}
			checkWritten(t, a, skip)
		}
	}
}

// checkWritten writes an archive without some files, and looks what is left.
func checkWritten(t *testing.T, a archive, skip map[string]bool) {
	t.Helper()
	var out bytes.Buffer
	var done, total int64
	if err := a.write(&out, skip, func(d, all int64) { done, total = d, all }); err != nil {
		t.Fatal(err)
	}
	if done != total || total > a.size {
		t.Errorf("%d of %d bytes, of an archive of %d", done, total, a.size)
	}
	packed, err := gzip.NewReader(&out)
	if err != nil {
		t.Fatal(err)
	}
	left := 0
	for in := tar.NewReader(packed); ; left++ {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if skip[h.Name] {
			t.Errorf("%s was written", h.Name)
		}
	}
	if left != 6-len(skip) { // configuration, manifest, repositories and three layers
		t.Errorf("%d files are left", left)
	}
}

// TestLinkedLayers: where engines save one layer for two as a link, nothing is
// left out: the link would lead nowhere.
func TestLinkedLayers(t *testing.T) {
	a := saved(t, newImage(t), false)
	manifest, err := a.manifest()
	if err != nil {
		t.Fatal(err)
	}
	f, err := os.Open(a.file)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	files := map[string][]byte{"other/layer.tar": []byte("-> ../" + manifest.Layers[0])}
	for in := tar.NewReader(f); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		if files[h.Name], err = io.ReadAll(in); err != nil {
			t.Fatal(err)
		}
	}
	linked := writeArchive(t, files)
	skip := map[string]bool{manifest.Layers[0]: true}
	if size, err := linked.sizeWithout(skip); err != nil || size != linked.size || len(skip) > 0 {
		t.Errorf("%d of %d bytes, %v, %v", size, linked.size, skip, err)
	}
}

//go:build device

package cmd_test

import (
	"archive/tar"
	"bytes"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/tarball"
	"github.com/google/go-containerregistry/pkg/v1/types"
)

// programLayer is a layer that holds the stand-in program.
func programLayer(t *testing.T, program string) v1.Layer {
	t.Helper()
	data, err := os.ReadFile(program)
	if err != nil {
		t.Fatal(err)
	}
	var archive bytes.Buffer
	w := tar.NewWriter(&archive)
	if err := w.WriteHeader(&tar.Header{Name: "bin/app", Mode: 0o755, Size: int64(len(data))}); err != nil {
		t.Fatal(err)
	}
	if _, err := w.Write(data); err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	layer, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	return layer
}

// runnable is an image of some layers that runs the program of the first;
// environments make images differ.
func runnable(t *testing.T, layers []v1.Layer, environment ...string) v1.Image {
	t.Helper()
	image, err := mutate.AppendLayers(empty.Image, layers...)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config = v1.Config{Entrypoint: []string{"/bin/app"}, Env: environment}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

// serveImage runs a registry in the workstation's network namespace, where
// virtual Pis reach it, with one image: the stand-in program, and some bytes that
// nothing compresses. It returns the image's reference.
func (l *lab) serveImage(t *testing.T, m machine, size int64) string {
	t.Helper()
	filler, err := random.Layer(size, types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	loopback := httptest.NewServer(handler) // to push to: this process is in another namespace
	defer loopback.Close()
	const repository = "second:2"
	reference, err := name.ParseReference(strings.TrimPrefix(loopback.URL, "http://") + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, runnable(t, []v1.Layer{programLayer(t, l.app(t)), filler})); err != nil {
		t.Fatal(err)
	}
	address := l.info(t, m, "address")
	listener := listenIn(t, "/run/netns/"+l.prefix+"-net", address[:strings.LastIndex(address, ".")]+".1:0")
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)} // clients try https first
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String() + "/" + repository
}

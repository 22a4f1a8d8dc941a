//go:build device && linux

package cmd_test

import (
	"archive/tar"
	"bytes"
	"cmp"
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
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
	"golang.org/x/sys/unix"
)

// serveImage runs a registry in the workstation's network namespace, where
// virtual Pis reach it, with one image: the stand-in program, and some bytes that
// nothing compresses. It returns the image's reference.
func (l *lab) serveImage(t *testing.T, m machine, size int64) string {
	t.Helper()
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	loopback := httptest.NewServer(handler) // to push to: this process is in another namespace
	defer loopback.Close()
	const repository = "second:2"
	reference, err := name.ParseReference(strings.TrimPrefix(loopback.URL, "http://") + "/" + repository)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, bigImage(t, l.app(t), size)); err != nil {
		t.Fatal(err)
	}
	address := l.info(t, m, "address")
	listener := l.listen(t, address[:strings.LastIndex(address, ".")]+".1:0")
	server := &http.Server{Handler: handler, ErrorLog: log.New(io.Discard, "", 0)} // clients try https first
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return listener.Addr().String() + "/" + repository
}

// listen opens a port in the workstation's network namespace. The thread comes
// back from there, since it may be the one that stands for the whole process.
func (l *lab) listen(t *testing.T, address string) net.Listener {
	t.Helper()
	runtime.LockOSThread()
	defer runtime.UnlockOSThread()
	here := openNamespace(t, "/proc/thread-self/ns/net")
	defer here.Close()
	there := openNamespace(t, filepath.Join("/run/netns", cmp.Or(os.Getenv("VPI_PREFIX"), "test")+"-net"))
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	listener, failed := net.Listen("tcp", address)
	if err := unix.Setns(int(here.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	if failed != nil {
		t.Fatal(failed)
	}
	return listener
}

func openNamespace(t *testing.T, path string) *os.File {
	t.Helper()
	file, err := os.Open(path)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func bigImage(t *testing.T, program string, size int64) v1.Image {
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
	w.Write(data)
	w.Close()
	app, err := tarball.LayerFromOpener(func() (io.ReadCloser, error) { return io.NopCloser(bytes.NewReader(archive.Bytes())), nil })
	if err != nil {
		t.Fatal(err)
	}
	filler, err := random.Layer(size, types.DockerLayer)
	if err != nil {
		t.Fatal(err)
	}
	image, err := mutate.AppendLayers(empty.Image, app, filler)
	if err != nil {
		t.Fatal(err)
	}
	config, err := image.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture = "linux", runtime.GOARCH
	config.Config.Entrypoint = []string{"/bin/app"}
	image, err = mutate.ConfigFile(image, config)
	if err != nil {
		t.Fatal(err)
	}
	return image
}

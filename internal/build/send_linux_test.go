package build_test

import (
	"archive/tar"
	"context"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/tarball"

	"pistack/compose/images"
	"pistack/internal/build"
	"pistack/internal/dockerlab"
)

// sender is a workstation and a host, each with an engine of its own.
type sender struct {
	here, there *dockerlab.Engine
	target      build.Target
}

func newSender(t *testing.T) sender {
	t.Helper()
	s := sender{here: dockerlab.NewEngine(t), there: dockerlab.NewEngine(t)}
	s.target = build.Target{Config: dockerlab.NewSSHD(t, "pi", s.there.Env), Host: "pi"}
	for _, e := range s.here.Env {
		name, value, _ := strings.Cut(e, "=")
		t.Setenv(name, value)
	}
	return s
}

// image makes an image of some layers in the workstation's engine, by importing
// a file for each and building on it, and names it as pistack build does.
func (s sender) image(t *testing.T, name string, layers ...string) string {
	t.Helper()
	dir := t.TempDir()
	dockerfile := "FROM scratch\n"
	for i, text := range layers {
		file := string(rune('a' + i))
		if err := os.WriteFile(filepath.Join(dir, file), []byte(strings.Repeat(text, 100_000)), 0o644); err != nil {
			t.Fatal(err)
		}
		dockerfile += "COPY " + file + " /" + file + "\n"
	}
	if err := os.WriteFile(filepath.Join(dir, "Dockerfile"), []byte(dockerfile), 0o644); err != nil {
		t.Fatal(err)
	}
	s.here.Docker("buildx", "build", "--load", "--tag", "new", dir)
	id := s.here.Docker("image", "inspect", "--format", "{{.Id}}", "new")
	local := images.LocalName(images.LocalRegistry+"/"+name, id)
	s.here.Docker("image", "tag", "new", local)
	return local
}

// send sends an image, checks that the host then has the same files in it, and
// gives how many bytes went through.
func (s sender) send(t *testing.T, name string) (sent int64) {
	t.Helper()
	if err := build.Send(t.Context(), s.target, name, func(done, total int64) { sent = max(sent, done) }); err != nil {
		t.Fatal(err)
	}
	missing, err := build.Missing(t.Context(), s.target, []string{name})
	if err != nil || len(missing) > 0 {
		t.Fatalf("missing %v, %v", missing, err)
	}
	if got, want := s.there.Docker("image", "inspect", "--format", "{{json .RootFS}}{{json .Config}}", name), s.here.Docker("image", "inspect", "--format", "{{json .RootFS}}{{json .Config}}", name); got != want {
		t.Errorf("the host has %s, want %s", got, want)
	}
	if got, want := s.files(t, s.there, name), s.files(t, s.here, name); got != want || got == "" {
		t.Errorf("files on the host:\n%s\nwant:\n%s", got, want)
	}
	return sent
}

// files lists the layers of an image as an engine saves them, with hashes.
func (s sender) files(t *testing.T, e *dockerlab.Engine, name string) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), "saved.tar")
	e.Docker("image", "save", "--output", file, name)
	image, err := tarball.ImageFromPath(file, nil)
	if err != nil {
		t.Fatal(err)
	}
	content := mutate.Extract(image)
	defer content.Close()
	var all strings.Builder
	for in := tar.NewReader(content); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return all.String()
		}
		sum := sha256.New()
		if _, copied := io.Copy(sum, in); err != nil || copied != nil {
			t.Fatal(err, copied)
		}
		fmt.Fprintf(&all, "%s %d %x\n", h.Name, h.Size, sum.Sum(nil))
	}
}

func TestSend(t *testing.T) {
	s := newSender(t)
	s.here.HasBuildx()
	first := s.image(t, "shop-web", "one", "two")
	missing, err := build.Missing(t.Context(), s.target, []string{first})
	if err != nil || len(missing) != 1 || missing[0] != first {
		t.Fatalf("missing %v, %v", missing, err)
	}
	if sent := s.send(t, first); sent < 600_000 {
		t.Errorf("%d bytes went through", sent)
	}

	second := s.image(t, "shop-web", "one", "three")
	t.Run("layers that the host has stay here", func(t *testing.T) {
		if sent := s.send(t, second); sent < 500_000 || sent > 600_000 { // "three" is 500,000 bytes, and "one" 300,000
			t.Errorf("%d bytes went through", sent)
		}
	})
	t.Run("the same layers in another order", func(t *testing.T) {
		third := s.image(t, "shop-web", "three", "one")
		if sent := s.send(t, third); sent < 800_000 {
			t.Errorf("%d bytes went through", sent)
		}
	})
	t.Run("another image under its name", func(t *testing.T) {
		s.there.Docker("image", "tag", second, first)
		if missing, err := build.Missing(t.Context(), s.target, []string{first}); err != nil || len(missing) != 1 {
			t.Errorf("missing %v, %v", missing, err)
		}
		s.send(t, first)
	})
	t.Run("not here", func(t *testing.T) {
		err := build.Send(t.Context(), s.target, images.LocalName("pistack.invalid/shop-web", "sha256:"+strings.Repeat("0", 64)), nil)
		var failed *build.Error
		if !errors.As(err, &failed) || !strings.Contains(err.Error(), "is not on this machine") || failed.Hint() == "" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("the host's Docker is down", func(t *testing.T) {
		down := s.target
		down.Config = dockerlab.NewSSHD(t, "pi", []string{"DOCKER_HOST=unix:///nowhere"})
		_, err := build.Missing(t.Context(), down, []string{first})
		if err == nil || !strings.HasPrefix(err.Error(), "pi: its images cannot be listed: ssh: exit status 1: ") {
			t.Errorf("error %v", err)
		}
	})
	t.Run("cut short", func(t *testing.T) {
		fourth := s.image(t, "shop-web", "four")
		ctx, cancel := context.WithCancel(t.Context())
		err := build.Send(ctx, s.target, fourth, func(done, total int64) { cancel() })
		if !errors.Is(err, context.Canceled) {
			t.Errorf("error %v", err)
		}
		s.send(t, fourth)
	})
}

package cmd_test

import (
	"archive/tar"
	"errors"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"pistack/internal/dockerlab"
)

// TestBuild builds for two platforms with real Buildx and a real engine, and
// pushes to a real registry.
func TestBuild(t *testing.T) {
	engine := dockerlab.NewEngine(t)
	engine.HasBuildx()
	registry := dockerlab.NewRegistry(t, t.TempDir(), "")
	b := newBuilder(t, engine, registry.Host+"/me")

	out, _ := b.run(3, "check")
	want(t, out, "service web is built, and stacks/shop/images.lock has no image of it for linux/arm64", "hint: pistack build shop --push")
	out, _ = b.run(0, "build", "--dry-run", "--push")
	want(t, out, "+ shop/web: needed "+registry.Host+"/me/shop-web:", "+ shop/worker: needed "+registry.Host+"/me/worker:", "(linux/amd64, linux/arm64)")
	if b.read(shopLock) != "" || registry.Asked("PUT", "PATCH") > 0 {
		t.Error("a dry run wrote a lock file, or pushed")
	}

	_, said := b.run(0, "build", "--push")
	want(t, said, "shop/web linux/arm64 | ", "2 images: 2 pushed")
	b.commit()
	references := lockedReferences(t, b)
	for _, reference := range references {
		b.checkIndex(reference)
	}
	if left := engine.Docker("image", "ls", "--quiet"); left != "" {
		t.Errorf("names are left in the engine: %s", left)
	}

	t.Run("unchanged", func(t *testing.T) {
		registry.Asked()
		out, said := b.run(0, "build", "--push")
		want(t, out, "  shop/web: unchanged", "  shop/worker: unchanged")
		want(t, said, "!|", "2 images: 2 unchanged")
		if registry.Asked("PUT", "PATCH", "POST") > 0 {
			t.Error("something was pushed")
		}
		b.run(0, "check")
		b.run(0, "generate")
		want(t, b.read("hosts/pi/generated/shop.override.yaml"), "image: "+references["web"], "image: "+references["worker"], "build: !reset null")
		b.commit()
	})
	t.Run("another clone has nothing to build", func(t *testing.T) { anotherClone(t, b, engine) })
	t.Run("one file changed", func(t *testing.T) { oneFileChanged(t, b, references) })
	t.Run("only some hosts", func(t *testing.T) { someHosts(t, b) })
	t.Run("forced", func(t *testing.T) {
		_, said := b.run(0, "build", "shop", "--force", "--push", "--json")
		want(t, said, "shop/worker linux/amd64 | ")
	})
	t.Run("refused", func(t *testing.T) { refusedContexts(t, b) })
	t.Run("a build that fails", func(t *testing.T) {
		before, names := b.read(shopLock), engine.Docker("image", "ls", "--all")
		b.write("stacks/shop/web/Dockerfile", "FROM scratch\nCOPY nothing /\n")
		_, said := b.run(1, "build", "--push")
		want(t, said, "pistack: stacks/shop/web/Dockerfile", ": shop/web linux/amd64: the build failed", "hint: see the lines above; the command was: ")
		b.git("checkout", "-q", ".")
		// Of two images the first can be built, and is not pushed without the other.
		b.write("stacks/shop/web/text", "web 4\n")
		b.write("stacks/shop/worker/Dockerfile", "FROM scratch\nCOPY nothing /\n")
		registry.Asked()
		_, said = b.run(1, "build", "--push")
		want(t, said, "shop/web linux/arm64 | ", "pistack: stacks/shop/worker/Dockerfile", ": shop/worker linux/amd64: the build failed")
		if n := registry.Asked("PUT", "PATCH"); n > 0 || b.read(shopLock) != before {
			t.Errorf("%d requests that push; the lock file is\n%s", n, b.read(shopLock))
		}
		if left := engine.Docker("image", "ls", "--all"); left != names {
			t.Errorf("the engine has\n%s\nhad\n%s", left, names)
		}
		b.git("checkout", "-q", ".")
	})
}

var lockReference = regexp.MustCompile(`reference = "(.*)"\ndigest = "(.*)"`)

// lockedReferences maps service to reference@digest.
func lockedReferences(t *testing.T, b *builder) map[string]string {
	t.Helper()
	references := map[string]string{}
	for _, m := range lockReference.FindAllStringSubmatch(b.read(shopLock), -1) {
		service := "worker"
		if strings.Contains(m[1], "shop-web") {
			service = "web"
		}
		references[service] = m[1] + "@" + m[2]
	}
	if len(references) != 2 {
		t.Fatalf("lock file:\n%s", b.read(shopLock))
	}
	return references
}

// checkIndex pulls what is locked, and compares program and text of each
// platform with those of the repository.
func (b *builder) checkIndex(reference string) {
	b.t.Helper()
	ref, err := name.ParseReference(reference)
	if err != nil {
		b.t.Fatal(err)
	}
	index, err := remote.Index(ref)
	if err != nil {
		b.t.Fatal(err)
	}
	service := "worker"
	if strings.Contains(reference, "shop-web") {
		service = "web"
	}
	manifest, err := index.IndexManifest()
	if err != nil || len(manifest.Manifests) != 2 {
		b.t.Fatalf("%s: %v, %v", reference, manifest, err)
	}
	for i, platform := range []string{"linux/amd64", "linux/arm64"} {
		image, err := index.Image(manifest.Manifests[i].Digest)
		if err != nil {
			b.t.Fatal(err)
		}
		config, err := image.ConfigFile()
		if err != nil || config.Platform().String() != platform || manifest.Manifests[i].Platform.String() != platform {
			b.t.Errorf("%s: platform %v and %v, want %s, %v", reference, config.Platform(), manifest.Manifests[i].Platform, platform, err)
		}
		files := filesOf(b.t, image)
		for file, source := range map[string]string{"app": "app-" + strings.TrimPrefix(platform, "linux/"), "text": "text"} {
			if files[file] != b.read("stacks/shop/"+service+"/"+source) {
				b.t.Errorf("%s %s: /%s is not %s", reference, platform, file, source)
			}
		}
	}
}

// filesOf reads the files of an image.
func filesOf(t *testing.T, image v1.Image) map[string]string {
	t.Helper()
	files := map[string]string{}
	content := mutate.Extract(image)
	defer content.Close()
	for in := tar.NewReader(content); ; {
		h, err := in.Next()
		if errors.Is(err, io.EOF) {
			return files
		}
		if err != nil {
			t.Fatal(err)
		}
		data, err := io.ReadAll(in)
		if err != nil {
			t.Fatal(err)
		}
		files[h.Name] = string(data)
	}
}

// anotherClone has other times and other permissions, no lock file and no
// Docker: what was pushed is found by its tag.
func anotherClone(t *testing.T, b *builder, engine *dockerlab.Engine) {
	other := *b
	other.t, other.fleet = t, filepath.Join(t.TempDir(), "a clone elsewhere")
	clone := exec.Command("sh", "-c", `umask 077 && git clone -q "$0" "$1"`, b.fleet, other.fleet)
	clone.Env = b.env
	if out, err := clone.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if err := os.Remove(other.path(shopLock)); err != nil {
		t.Fatal(err)
	}
	other.env = append(b.env, "DOCKER_HOST=unix:///nowhere")
	out, said := other.run(0, "build", "--push")
	want(t, out, "~ shop/web: found", "~ shop/worker: found")
	want(t, said, "!|", "2 images: 2 found")
	dates := regexp.MustCompile(`date = .*`)
	if got, want := dates.ReplaceAllString(other.read(shopLock), ""), dates.ReplaceAllString(b.read(shopLock), ""); got != want {
		t.Errorf("another lock file:\n%s\nwant:\n%s", got, want)
	}
}

func oneFileChanged(t *testing.T, b *builder, before map[string]string) {
	b.write("stacks/shop/web/text", "web 2\n")
	out, _ := b.run(3, "check")
	want(t, out, "service web: its files are not those that the image of stacks/shop/images.lock:", "[stale-image]", "!service worker")
	out, said := b.run(0, "build", "--push")
	want(t, out, "+ shop/web: pushed", "  shop/worker: unchanged")
	want(t, said, "shop/web linux/arm64 | ", "!shop/worker linux", "2 images: 1 pushed, 1 unchanged")
	after := lockedReferences(t, b)
	if after["worker"] != before["worker"] || after["web"] == before["web"] {
		t.Errorf("locked %v, before %v", after, before)
	}
	b.checkIndex(after["web"])
	b.commit()
	b.run(0, "check")
}

// someHosts: one host's platform alone, for changed files; the other host is
// then told.
func someHosts(t *testing.T, b *builder) {
	b.write("stacks/shop/web/text", "web 3\n")
	out, _ := b.run(0, "build", "--host", "pi", "--push")
	want(t, out, "+ shop/web: pushed", "(linux/arm64)", "  shop/worker: unchanged")
	b.run(0, "check", "pi")
	out, _ = b.run(3, "check", "vps")
	want(t, out, "has no image of it for linux/amd64")
	out, _ = b.run(0, "build", "--push")
	want(t, out, "+ shop/web: pushed", "(linux/amd64, linux/arm64)")
	b.checkIndex(lockedReferences(t, b)["web"])
	b.commit()
}

func refusedContexts(t *testing.T, b *builder) {
	b.write("stacks/shop/web/untracked", "x")
	b.write("stacks/shop/web/run.log", "listed in .dockerignore")
	_, said := b.run(1, "build", "--push")
	want(t, said, "pistack: stacks/shop/web/untracked: the builder would get to see it, and Git does not track it", "list the rest in stacks/shop/web/.dockerignore", "!run.log")
	if err := os.Remove(b.path("stacks/shop/web/untracked")); err != nil {
		t.Fatal(err)
	}
	b.run(0, "build", "--push")
	b.write("stacks/shop/compose.yaml", "services:\n  web:\n    build: https://example.org/x.git\n")
	_, said = b.run(1, "build", "--push")
	want(t, said, "stacks/shop/compose.yaml:3:5: error: service web: context https://example.org/x.git is not a folder of this repository", "nothing was built")
	b.git("checkout", "-q", "stacks/shop/compose.yaml")
}

// TestBuildForSSH: a fleet without a registry keeps images in the user's engine,
// locks them by id, and each host runs that of its platform.
func TestBuildForSSH(t *testing.T) {
	engine := dockerlab.NewEngine(t)
	engine.HasBuildx()
	b := newBuilder(t, engine, "ssh")
	out, _ := b.run(3, "check")
	want(t, out, "service web is built", "hint: pistack build shop\n")
	out, said := b.run(0, "build")
	want(t, out, "+ shop/web: built pistack.invalid/shop-web:", "+ shop/worker: built pistack.invalid/shop-worker:")
	want(t, said, "2 images: 2 built; next: pistack generate")
	b.commit()
	b.run(0, "check")
	b.run(0, "generate")
	names := map[string]bool{}
	image := regexp.MustCompile(`image: (\S+)`)
	for host, arch := range map[string]string{"pi": "arm64", "vps": "amd64"} {
		found := image.FindAllStringSubmatch(b.read("hosts/"+host+"/generated/shop.override.yaml"), -1)
		if len(found) != 2 {
			t.Fatalf("%s: %q", host, found)
		}
		for _, m := range found {
			names[m[1]] = true
			_, id, _ := strings.Cut(m[1], ":")
			if got := engine.Docker("image", "inspect", "--format", "{{.Id}} {{.Architecture}}", m[1]); got != "sha256:"+id+" "+arch {
				t.Errorf("%s on %s: %s", m[1], host, got)
			}
		}
	}
	if left := strings.Fields(engine.Docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")); len(left) != 4 || len(names) != 4 {
		t.Errorf("the engine has %q, hosts run %v", left, names)
	}
	out, said = b.run(0, "build", "--push")
	want(t, out, "  shop/web: unchanged")
	want(t, said, "!|")
	for name := range names {
		if strings.Contains(name, "shop-web") {
			engine.Docker("image", "rm", name)
		}
	}
	out, _ = b.run(0, "build")
	want(t, out, "+ shop/web: built", "  shop/worker: unchanged")
}

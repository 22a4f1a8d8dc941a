package cmd_test

import (
	"bytes"
	"encoding/base64"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"pistack/internal/dockerlab"
)

// TestPush: what can go wrong on the way to a registry leaves no tag and no lock,
// and can be done again.
func TestPush(t *testing.T) {
	engine := dockerlab.NewEngine(t)
	engine.HasBuildx()
	for _, c := range []struct {
		name string
		test func(*testing.T, *dockerlab.Engine)
	}{
		{"interrupted", interruptedPush}, {"by a signal", signalledPush}, {"registry full", fullRegistry}, {"credentials", credentials},
		{"no registry", noRegistry},
	} {
		t.Run(c.name, func(t *testing.T) { c.test(t, engine) })
	}
}

// noTag checks that a registry shows nothing of a push, and that nothing is locked.
func noTag(t *testing.T, b *builder, registry *dockerlab.Registry) {
	t.Helper()
	answer, err := http.Get("http://" + registry.Host + "/v2/me/shop-web/tags/list")
	if err != nil {
		t.Fatal(err)
	}
	answer.Body.Close()
	if answer.StatusCode == http.StatusOK {
		t.Error("a tag is there")
	}
	if b.read(shopLock) != "" {
		t.Error("something is locked")
	}
}

func interruptedPush(t *testing.T, engine *dockerlab.Engine) {
	registry := dockerlab.NewRegistry(t, t.TempDir(), "")
	b := newBuilder(t, engine, registry.Host+"/me")
	registry.CutAfter(600 << 10) // a layer of four is through
	_, said := b.run(1, "build", "--push")
	want(t, said, "shop/web linux/arm64 | ", "pistack: "+registry.Host+": ")
	noTag(t, b, registry)

	registry.CutAfter(-1)
	registry.Asked()
	out, _ := b.run(0, "build", "--push")
	want(t, out, "+ shop/web: pushed", "+ shop/worker: pushed")
	b.checkIndex(lockedReferences(t, b)["web"])
}

// signalledPush: Ctrl-C in the middle of an upload.
func signalledPush(t *testing.T, engine *dockerlab.Engine) {
	registry := dockerlab.NewRegistry(t, t.TempDir(), "")
	b := newBuilder(t, engine, registry.Host+"/me")
	b.env = append(b.env, "TMPDIR="+t.TempDir())
	cmd := b.command("build", "--push")
	began, release := make(chan struct{}), make(chan struct{})
	var once sync.Once
	registry.OnUpload(func() { once.Do(func() { close(began) }); <-release })
	var said bytes.Buffer
	cmd.Stderr = &said
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	<-began
	cmd.Process.Signal(os.Interrupt)
	cmd.Wait()
	close(release)
	if got := cmd.ProcessState.ExitCode(); got != 130 {
		t.Errorf("exit status %d, want 130\n%s", got, &said)
	}
	want(t, said.String(), "pistack: interrupted")
	noTag(t, b, registry)
	if left, err := filepath.Glob(strings.TrimPrefix(b.env[len(b.env)-1], "TMPDIR=") + "/pistack-images-*"); err != nil || len(left) > 0 {
		t.Errorf("left behind: %v, %v", left, err)
	}
	if left := engine.Docker("image", "ls", "--quiet"); left != "" {
		t.Errorf("names are left in the engine: %s", left)
	}
	out, _ := b.run(0, "build", "--push")
	want(t, out, "+ shop/web: pushed", "+ shop/worker: pushed")
}

// fullRegistry has a disk that is too small for one image.
func fullRegistry(t *testing.T, engine *dockerlab.Engine) {
	disk := dockerlab.Disk(t, 400<<10)
	registry := dockerlab.NewRegistry(t, disk, "")
	b := newBuilder(t, engine, registry.Host+"/me")
	_, said := b.run(1, "build", "--push")
	want(t, said, "pistack: "+registry.Host+": it answers ", " to an upload", "hint: the trouble is on its side, often a full disk")
	noTag(t, b, registry)
}

// credentials that are wrong end the command before anything is built, and are
// not printed.
func credentials(t *testing.T, engine *dockerlab.Engine) {
	const canary = "canary-5f1e"
	registry := dockerlab.NewRegistry(t, t.TempDir(), canary+"-right")
	b := newBuilder(t, engine, registry.Host+"/me")
	login := func(password string) {
		auth := base64.StdEncoding.EncodeToString([]byte("pusher:" + password))
		text := fmt.Sprintf(`{"auths": {%q: {"auth": %q}}}`, registry.Host, auth)
		if err := os.WriteFile(filepath.Join(engine.Config(), "config.json"), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	for _, c := range []struct{ name, password, want string }{
		{"wrong", canary + "-wrong", "it does not let you push me/shop-web"},
		{"none", "", "it does not let you push me/shop-web"},
	} {
		login(c.password)
		out, said := b.run(1, "build", "--push")
		want(t, said, c.want, "hint: docker login "+registry.Host, "!linux/amd64 |", "!"+canary)
		want(t, out, "!"+canary)
		noTag(t, b, registry)
	}
	login(canary + "-right")
	out, said := b.run(0, "build", "--push")
	want(t, out, "+ shop/web: pushed", "!"+canary)
	want(t, said, "!"+canary)
	want(t, b.read(shopLock), "!"+canary)
	if err := os.Remove(filepath.Join(engine.Config(), "config.json")); err != nil {
		t.Fatal(err)
	}
}

// noRegistry: without --push the registry need not be there, and nothing is
// locked; with it, nothing is built in vain.
func noRegistry(t *testing.T, engine *dockerlab.Engine) {
	b := newBuilder(t, engine, "127.0.0.1:1/me")
	_, said := b.run(1, "build", "--push")
	want(t, said, "pistack: 127.0.0.1:1: dial tcp", "!linux/amd64 |")
	out, said := b.run(0, "build", "--host", "vps")
	want(t, out, "+ shop/web: built 127.0.0.1:1/me/shop-web:")
	want(t, said, "it is not asked whether it has the image", "2 images: 2 built; nothing is locked without --push")
	if b.read(shopLock) != "" {
		t.Error("something is locked")
	}
	built := engine.Docker("image", "ls", "--format", "{{.Repository}}:{{.Tag}}")
	for _, name := range []string{"127.0.0.1:1/me/shop-web:", "127.0.0.1:1/me/worker:"} {
		if !strings.Contains(built, name) {
			t.Errorf("what was built is not there: %s", built)
		}
	}
}

package image_test

import (
	"context"
	"encoding/base64"
	"encoding/json"
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"

	"pistack/internal/image"
)

// server is a real registry on loopback, behind a handler that a test may
// change, and a record of what was asked.
type server struct {
	*httptest.Server
	mu       sync.Mutex
	requests []string // "METHOD path"
}

// serve starts a registry; wrap gets its handler and returns that which answers.
func serve(t *testing.T, wrap func(http.Handler) http.Handler) *server {
	t.Helper()
	s := &server{}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	if wrap != nil {
		handler = wrap(handler)
	}
	s.Server = httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		s.mu.Lock()
		s.requests = append(s.requests, r.Method+" "+r.URL.Path)
		s.mu.Unlock()
		handler.ServeHTTP(w, r)
	}))
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients try https first
	t.Cleanup(s.CloseClientConnections)
	t.Cleanup(s.Close)
	return s
}

func (s *server) host() string { return strings.TrimPrefix(s.URL, "http://") }

// asked counts the requests that begin with a text, and forgets all.
func (s *server) asked(prefix string) int {
	s.mu.Lock()
	defer s.mu.Unlock()
	n := 0
	for _, r := range s.requests {
		if strings.HasPrefix(r, prefix) {
			n++
		}
	}
	s.requests = nil
	return n
}

func (s *server) reference(t *testing.T, text string) name.Reference {
	t.Helper()
	r, err := name.ParseReference(s.host() + "/" + text)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// single makes an image for one platform.
func single(t *testing.T, p v1.Platform) v1.Image {
	t.Helper()
	base, err := random.Image(64, 1)
	if err != nil {
		t.Fatal(err)
	}
	config, err := base.ConfigFile()
	if err != nil {
		t.Fatal(err)
	}
	config = config.DeepCopy()
	config.OS, config.Architecture, config.Variant = p.OS, p.Architecture, p.Variant
	i, err := mutate.ConfigFile(base, config)
	if err != nil {
		t.Fatal(err)
	}
	return i
}

// multi makes an index of several platforms, with an attestation as buildkit
// adds it.
func multi(t *testing.T, platforms ...v1.Platform) v1.ImageIndex {
	t.Helper()
	index := v1.ImageIndex(empty.Index)
	for _, p := range append(platforms, v1.Platform{OS: "unknown", Architecture: "unknown"}) {
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: single(t, p), Descriptor: v1.Descriptor{Platform: &p}})
	}
	return index
}

var (
	amd64 = v1.Platform{OS: "linux", Architecture: "amd64"}
	arm64 = v1.Platform{OS: "linux", Architecture: "arm64", Variant: "v8"}
	armv7 = v1.Platform{OS: "linux", Architecture: "arm", Variant: "v7"}
)

// push puts an image or index under a tag and returns its digest.
func (s *server) push(t *testing.T, tag string, what remote.Taggable) string {
	t.Helper()
	var err error
	var digest v1.Hash
	switch what := what.(type) {
	case v1.ImageIndex:
		digest, _ = what.Digest()
		err = remote.WriteIndex(s.reference(t, tag), what)
	case v1.Image:
		digest, _ = what.Digest()
		err = remote.Write(s.reference(t, tag), what)
	default:
		digest = v1.Hash{}
		err = remote.Put(s.reference(t, tag), what)
	}
	if err != nil {
		t.Fatal(err)
	}
	s.asked("")
	return digest.String()
}

// waits records what would have been waited for.
type waits struct {
	mu  sync.Mutex
	all []time.Duration
}

func (w *waits) sleep(ctx context.Context, d time.Duration) error {
	w.mu.Lock()
	defer w.mu.Unlock()
	w.all = append(w.all, d)
	return ctx.Err()
}

func (w *waits) want(t *testing.T, want ...time.Duration) {
	t.Helper()
	if !slices.Equal(w.all, want) {
		t.Errorf("waited %v, want %v", w.all, want)
	}
}

// anonymous has no credentials.
type anonymous struct{}

func (anonymous) Resolve(authn.Resource) (authn.Authenticator, error) { return authn.Anonymous, nil }

// settings suit a test: no credentials, and no time is really waited for.
func settings() (image.Settings, *waits) {
	w := &waits{}
	return image.Settings{Keychain: anonymous{}, Timeout: 20 * time.Second, Patience: time.Minute, Sleep: w.sleep}, w
}

func resolver(t *testing.T, s image.Settings) *image.Resolver {
	t.Helper()
	r, err := image.NewResolver(s)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

// resolve looks up one image.
func resolve(t *testing.T, s image.Settings, reference string, known ...image.Image) (image.Image, error) {
	t.Helper()
	return resolver(t, s).Resolve(t.Context(), image.Request{Reference: reference, Known: known})
}

// login gives the user credentials for a registry, as docker login does.
func login(t *testing.T, registry, user, password string) {
	t.Helper()
	config := map[string]any{"auths": map[string]any{registry: map[string]any{"auth": base64.StdEncoding.EncodeToString([]byte(user + ":" + password))}}}
	data, err := json.Marshal(config)
	if err != nil {
		t.Fatal(err)
	}
	writeDockerConfig(t, string(data))
}

func writeDockerConfig(t *testing.T, text string) {
	t.Helper()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "config.json"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	t.Setenv("HOME", dir)
	t.Setenv("DOCKER_CONFIG", dir)
}

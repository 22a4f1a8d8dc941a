package image_test

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"net/http/httptest"
	"net/url"
	"reflect"
	"runtime"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"

	"pistack/internal/image"
)

func TestResolve(t *testing.T) {
	s := serve(t, nil)
	bare := single(t, arm64)
	withoutPlatform := mutate.AppendManifests(empty.Index, mutate.IndexAddendum{Add: bare})
	digests := map[string]string{
		"app:1":      s.push(t, "app:1", multi(t, arm64, amd64, armv7)),
		"app":        s.push(t, "app:latest", multi(t, amd64)),
		"a/b/c:x":    s.push(t, "a/b/c:x", single(t, armv7)),
		"app:silent": s.push(t, "app:silent", withoutPlatform),
	}
	windows := v1.Platform{OS: "windows", Architecture: "amd64", OSVersion: "10.0.1"}
	digests["app:win"] = s.push(t, "app:win", multi(t, windows, windows))
	config, _ := settings()
	for reference, platforms := range map[string]string{
		"app:1":      "[linux/amd64 linux/arm/v7 linux/arm64/v8]",
		"app":        "[linux/amd64]",
		"a/b/c:x":    "[linux/arm/v7]",
		"app:silent": "[linux/arm64/v8]",
		"app:win":    "[windows/amd64]",
	} {
		for _, full := range []string{reference, reference + "@" + digests[reference]} {
			got, err := resolve(t, config, s.host()+"/"+full)
			if err != nil || got.Digest != digests[reference] || fmt.Sprint(got.Platforms) != platforms {
				t.Errorf("%s: %+v, %v", full, got, err)
			}
		}
	}
}

// TestKnown: a registry is only asked for the digest of what is known, and for
// all when that changed.
func TestKnown(t *testing.T) {
	s := serve(t, nil)
	digest := s.push(t, "app:1", multi(t, amd64))
	known := image.Image{Digest: digest, Platforms: []string{"linux/riscv64"}}
	config, _ := settings()
	got, err := resolve(t, config, s.host()+"/app:1", known)
	if err != nil || !reflect.DeepEqual(got, known) || s.asked("GET /v2/app/") != 0 {
		t.Errorf("%+v, %v", got, err)
	}
	changed := s.push(t, "app:1", multi(t, arm64))
	got, err = resolve(t, config, s.host()+"/app:1", known)
	if err != nil || got.Digest != changed || fmt.Sprint(got.Platforms) != "[linux/arm64/v8]" {
		t.Errorf("after a push: %+v, %v", got, err)
	}
}

// TestProblems holds errors to their text, and all of them to having a hint.
func TestProblems(t *testing.T) {
	good := serve(t, nil)
	good.push(t, "app:1", multi(t, amd64))
	status := func(code int, header ...string) *server {
		return serve(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				for i := 0; i+1 < len(header); i += 2 {
					w.Header().Set(header[i], header[i+1])
				}
				w.WriteHeader(code)
				w.Write([]byte("a body with \x1b[31m control characters"))
			})
		})
	}
	answer := func(mediaType, body string) *server {
		return serve(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				w.Header().Set("Content-Type", mediaType)
				w.Write([]byte(body))
			})
		})
	}
	const (
		ociIndex = "application/vnd.oci.image.index.v1+json"
		digest   = "@sha256:1111111111111111111111111111111111111111111111111111111111111111"
	)
	for _, c := range []struct {
		name      string
		reference string
		want      string // HOST stands for the registry
	}{
		{"no such tag", good.host() + "/app:2", "HOST: it has no such image or tag"},
		{"no such image", good.host() + "/other", "HOST: it has no such image or tag"},
		{"no such digest", good.host() + "/app" + digest, "HOST: it has no such image or tag"},
		{"unauthorized", status(401).host() + "/app", "HOST: it refuses access (401 Unauthorized)"},
		{"forbidden", status(403).host() + "/app", "HOST: it refuses access (403 Forbidden)"},
		{"teapot", status(418).host() + "/app", "HOST: it answers 418 I'm a teapot"},
		{"another content than asked for", answer(ociIndex, "{}").host() + "/app" + digest,
			`HOST: manifest digest: "sha256:44136fa355b3678a1146ad16f7e8649e94fb4fc21fe77e8310c060f61caaff8a" does not match requested digest: "` + digest[1:] + `" for "HOST/app` + digest + `"`},
		{"empty index", answer(ociIndex, "{}").host() + "/app", "HOST: what it has under this name is no container image"},
		{"no JSON", answer(ociIndex, "<html>\nhunter2").host() + "/app", "HOST: invalid character '<' looking for beginning of value"},
		{"schema 1", answer("application/vnd.docker.distribution.manifest.v1+json", "{}").host() + "/app", "HOST: it has the image in a format (schema 1) that Docker no longer takes"},
		{"huge", answer(ociIndex, strings.Repeat(" ", 5<<20)).host() + "/app", "HOST: its answer is larger than 4 MiB"},
		{"many entries", answer(ociIndex, `{"manifests":[{}`+strings.Repeat(",{}", 1000)+"]}").host() + "/app", "HOST: the index has more than 1000 entries"},
		{"plain http to a private network", "10.0.0.1:1/app", "10.0.0.1:1: it would have to be reached without encryption, which is refused"},
		{"redirects without end", status(302, "Location", "/v2/").host() + "/app", `HOST: stopped after 10 redirects`},
		{"upper case", "APP:1", "that is not the name of an image"},
		{"control characters", "app\x1b[31m", "that is not the name of an image"},
		{"other digest", "app@sha512:" + strings.Repeat("1", 128), "only sha256 digests can be locked"},
	} {
		t.Run(c.name, func(t *testing.T) {
			config, _ := settings()
			config.Proxy = func(*http.Request) (*url.URL, error) { return nil, errors.New("no network") }
			if strings.HasPrefix(c.reference, "127.") {
				config.Proxy = nil
			}
			got, err := resolve(t, config, c.reference)
			var known *image.Error
			if !errors.As(err, &known) {
				t.Fatalf("%+v, error %v", got, err)
			}
			host, _, _ := strings.Cut(c.reference, "/")
			if text := strings.ReplaceAll(err.Error(), host, "HOST"); text != strings.ReplaceAll(c.want, host, "HOST") {
				t.Errorf("error %s\nwant  %s", text, c.want)
			}
		})
	}
}

// TestRedirects: content may come from elsewhere; credentials stay.
func TestRedirects(t *testing.T) {
	elsewhere := serve(t, nil)
	digest := elsewhere.push(t, "app:1", multi(t, amd64))
	leaked := ""
	inner := elsewhere.Config.Handler
	elsewhere.Config.Handler = http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		leaked += r.Header.Get("Authorization")
		inner.ServeHTTP(w, r)
	})
	s := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if _, password, _ := r.BasicAuth(); password != "hunter2" {
				w.Header().Set("WWW-Authenticate", `Basic realm="x"`)
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			http.Redirect(w, r, elsewhere.URL+r.URL.Path, http.StatusTemporaryRedirect)
		})
	})
	login(t, s.host(), "user", "hunter2")
	config, _ := settings()
	config.Keychain = authn.DefaultKeychain
	got, err := resolve(t, config, s.host()+"/app:1")
	if err != nil || got.Digest != digest {
		t.Errorf("%+v, %v", got, err)
	}
	if leaked != "" {
		t.Errorf("the other server was sent %q", leaked)
	}
}

// TestRedirectLoop: of manifests, which the library follows for ever.
func TestRedirectLoop(t *testing.T) {
	s := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				http.Redirect(w, r, r.URL.Path, http.StatusTemporaryRedirect)
			}
		})
	})
	config, _ := settings()
	_, err := resolve(t, config, s.host()+"/app")
	if err == nil || err.Error() != s.host()+": more than 10 redirects" {
		t.Errorf("error %v", err)
	}
}

// TestDowngrade: an encrypted registry does not send us where it is not.
func TestDowngrade(t *testing.T) {
	if runtime.GOOS == "darwin" {
		t.Skip("SSL_CERT_FILE does not count there")
	}
	asked := false
	plain := httptest.NewServer(http.HandlerFunc(func(http.ResponseWriter, *http.Request) { asked = true }))
	defer plain.Close()
	s := httptest.NewTLSServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if strings.Contains(r.URL.Path, "/manifests/") {
			http.Redirect(w, r, plain.URL+r.URL.Path, http.StatusTemporaryRedirect)
		}
	}))
	defer s.Close()
	config, _ := settings()
	host := strings.TrimPrefix(s.URL, "https://")
	_, err := resolve(t, config, host+"/app")
	want := host + ": it redirects to " + strings.TrimPrefix(plain.URL, "http://") + " without encryption, which is refused"
	if err == nil || err.Error() != want || asked {
		t.Errorf("error %v, asked %t", err, asked)
	}
}

// TestHangs: a registry that does not answer is named, and asked once.
func TestHangs(t *testing.T) {
	for _, c := range []struct {
		name string
		hang func(path string) bool
	}{
		{"from the beginning", func(string) bool { return true }},
		{"at a manifest", func(path string) bool { return strings.Contains(path, "/manifests/") }},
	} {
		t.Run(c.name, func(t *testing.T) {
			release := make(chan struct{})
			s := serve(t, func(http.Handler) http.Handler {
				return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
					if c.hang(r.URL.Path) {
						<-release
					}
				})
			})
			defer close(release)
			config, waited := settings()
			config.Timeout = 300 * time.Millisecond
			r := resolver(t, config)
			for _, tag := range []string{"1", "2"} {
				_, err := r.Resolve(t.Context(), image.Request{Reference: s.host() + "/app:" + tag})
				var known *image.Error
				if !errors.As(err, &known) || err.Error() != s.host()+": no answer within 300ms" || known.Hint() == "" {
					t.Errorf("error %v", err)
				}
			}
			if n := s.asked("GET /v2/app/manifests/"); n > 1 {
				t.Errorf("asked %d times", n)
			}
			waited.want(t)
		})
	}
	t.Run("in the middle of an answer", func(t *testing.T) {
		release := make(chan struct{})
		s := serve(t, func(http.Handler) http.Handler {
			return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
				if strings.Contains(r.URL.Path, "/manifests/") {
					w.Write([]byte("{"))
					w.(http.Flusher).Flush()
					<-release
				}
			})
		})
		defer close(release)
		config, _ := settings()
		config.Timeout = 300 * time.Millisecond
		if _, err := resolve(t, config, s.host()+"/app"); err == nil || err.Error() != s.host()+": no answer within 300ms" {
			t.Errorf("error %v", err)
		}
	})
}

// TestInterrupted: a run that is ended ends, whatever it waits for.
func TestInterrupted(t *testing.T) {
	asked := make(chan struct{}, 100)
	release := make(chan struct{})
	s := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			asked <- struct{}{}
			<-release
		})
	})
	defer close(release)
	ctx, cancel := context.WithCancel(t.Context())
	go func() {
		<-asked
		cancel()
	}()
	config, _ := settings()
	var requests []image.Request
	for i := range 50 {
		requests = append(requests, image.Request{Reference: fmt.Sprintf("%s/app%d:1", s.host(), i)})
	}
	if _, err := resolver(t, config).All(ctx, requests, func(int, string) {}); !errors.Is(err, context.Canceled) {
		t.Errorf("error %v", err)
	}
}

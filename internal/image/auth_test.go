package image_test

import (
	"fmt"
	"net/http"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
)

// basic lets in one user.
func basic(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if user, password, _ := r.BasicAuth(); user != "user" || password != "hunter2" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// bearer lets in who has a token for the very repository; /token gives it to
// one user.
func bearer(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		if r.URL.Path == "/token" {
			if user, password, _ := r.BasicAuth(); user != "user" || password != "hunter2" {
				w.WriteHeader(http.StatusUnauthorized)
				return
			}
			fmt.Fprintf(w, `{"token": "for %s"}`, r.URL.Query().Get("scope"))
			return
		}
		repository, _, _ := strings.Cut(strings.TrimPrefix(r.URL.Path, "/v2/"), "/")
		if r.Header.Get("Authorization") != "Bearer for repository:"+repository+":pull" {
			w.Header().Set("WWW-Authenticate", fmt.Sprintf(`Bearer realm="http://%s/token",service="x"`, r.Host))
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

func TestCredentials(t *testing.T) {
	for name, wrap := range map[string]func(http.Handler) http.Handler{"basic": basic, "bearer": bearer} {
		t.Run(name, func(t *testing.T) {
			s := serve(t, nil)
			digest := s.push(t, "app:1", multi(t, amd64))
			s.Config.Handler = wrap(s.Config.Handler)
			config, waited := settings()
			config.Keychain = authn.DefaultKeychain
			reference := s.host() + "/app:1"

			login(t, s.host(), "user", "hunter2")
			if got, err := resolve(t, config, reference); err != nil || got.Digest != digest {
				t.Errorf("%+v, %v", got, err)
			}
			for what, logIn := range map[string]func(){
				"wrong password":      func() { login(t, s.host(), "user", "canary") },
				"other registry":      func() { login(t, "registry.example.org", "user", "hunter2") },
				"no credentials":      func() { writeDockerConfig(t, "{}") },
				"no such folder":      func() { writeDockerConfig(t, "{}"); t.Setenv("DOCKER_CONFIG", filepath.Join(t.TempDir(), "none")) },
				"helper knows nobody": func() { helper(t, s.host(), "echo credentials not found in native keychain; exit 1") },
			} {
				logIn()
				_, err := resolve(t, config, reference)
				if err == nil || err.Error() != s.host()+": it refuses access (401 Unauthorized)" {
					t.Errorf("%s: error %v", what, err)
				}
			}
			helper(t, s.host(), `echo '{"Username": "user", "Secret": "hunter2"}'`)
			if got, err := resolve(t, config, reference); err != nil || got.Digest != digest {
				t.Errorf("with a helper: %+v, %v", got, err)
			}
			waited.want(t)
		})
	}
}

// helper makes a credential helper of a shell script.
func helper(t *testing.T, registry, script string) {
	t.Helper()
	writeDockerConfig(t, fmt.Sprintf(`{"credHelpers": {%q: "test"}}`, registry))
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "docker-credential-test"), []byte("#!/bin/sh\ncat >/dev/null\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+string(filepath.ListSeparator)+os.Getenv("PATH"))
}

// TestBrokenCredentials: the error says whose, and quotes none.
func TestBrokenCredentials(t *testing.T) {
	s := serve(t, nil)
	config, _ := settings()
	config.Keychain = authn.DefaultKeychain
	for what, breakIt := range map[string]func(){
		"no JSON":      func() { writeDockerConfig(t, `{"auths": canary`) },
		"no base64":    func() { writeDockerConfig(t, fmt.Sprintf(`{"auths": {%q: {"auth": "canary!"}}}`, s.host())) },
		"helper fails": func() { helper(t, s.host(), "exit 1") },
	} {
		breakIt()
		_, err := resolve(t, config, s.host()+"/app")
		if err == nil || !strings.HasPrefix(err.Error(), s.host()+": its credentials cannot be read: ") || strings.Contains(err.Error(), "canary") {
			t.Errorf("%s: error %v", what, err)
		}
	}
}

// TestMirrors: they are asked first, in turn; what one does not have, or says
// wrong, comes from the next.
func TestMirrors(t *testing.T) {
	upstream, mirror := serve(t, nil), serve(t, nil)
	index := multi(t, amd64)
	digest := upstream.push(t, "a/app:1", index)
	mirror.push(t, "hub/a/app:1", index)
	only := mirror.push(t, "hub/library/only:1", multi(t, arm64))
	behind := mirror.push(t, "hub/a/app:old", multi(t, arm64))
	upstream.push(t, "a/app:old", index)
	lying := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Content-Type", "application/vnd.oci.image.index.v1+json")
			w.Header().Set("Docker-Content-Digest", digest)
			w.Write([]byte(`{"manifests": []}`))
		})
	})
	dead := serve(t, nil)
	dead.Close()
	at := upstream.host()
	path := mirror.URL + "/hub/"
	for _, c := range []struct {
		name, reference string
		mirrors         []string
		want            string // digest
		upstream        int    // manifests asked for there
	}{
		{"mirror", at + "/a/app:1", []string{path}, digest, 0},
		{"mirror is behind", at + "/a/app:old", []string{path}, behind, 0},
		{"not in the mirror", at + "/a/app:1", []string{mirror.URL + "/other"}, digest, 1},
		{"dead mirror", at + "/a/app:1", []string{dead.URL, path}, digest, 0},
		{"only dead mirrors", at + "/a/app:1", []string{dead.URL}, digest, 1},
		{"mirror lies about a digest", at + "/a/app@" + digest, []string{lying.URL, path}, digest, 0},
		{"all mirrors lie about a digest", at + "/a/app@" + digest, []string{lying.URL}, digest, 1},
		{"short name of Docker Hub", "only:1", []string{path}, only, 0},
	} {
		t.Run(c.name, func(t *testing.T) {
			upstream.asked("")
			config, _ := settings()
			config.Mirrors = map[string][]string{at: c.mirrors, "docker.io": c.mirrors}
			got, err := resolve(t, config, c.reference)
			if n := upstream.asked("GET /v2/a/"); err != nil || got.Digest != c.want || n != c.upstream {
				t.Errorf("%+v, %v; %d asked for upstream", got, err, n)
			}
		})
	}
	t.Run("nowhere", func(t *testing.T) {
		config, _ := settings()
		config.Mirrors = map[string][]string{at: {mirror.URL, lying.URL}}
		_, err := resolve(t, config, at+"/none")
		want := fmt.Sprintf("%s: it has no such image or tag (mirror %s: %s: it has no such image or tag; mirror %s: %s: what it has under this name is no container image)",
			at, mirror.URL, mirror.host(), lying.URL, lying.host())
		if err == nil || err.Error() != want {
			t.Errorf("error %v\nwant  %s", err, want)
		}
	})
}

// TestMirrorCredentials: those of the registry are not for its mirror.
func TestMirrorCredentials(t *testing.T) {
	upstream := serve(t, nil)
	digest := upstream.push(t, "app:1", multi(t, amd64))
	upstream.Config.Handler = basic(upstream.Config.Handler)
	leaked := ""
	mirror := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			leaked += r.Header.Get("Authorization")
			w.Header().Set("WWW-Authenticate", `Basic realm="mirror"`)
			w.WriteHeader(http.StatusUnauthorized)
		})
	})
	login(t, upstream.host(), "user", "hunter2")
	config, _ := settings()
	config.Keychain = authn.DefaultKeychain
	config.Mirrors = map[string][]string{upstream.host(): {mirror.URL}}
	got, err := resolve(t, config, upstream.host()+"/app:1")
	if err != nil || got.Digest != digest || leaked != "" {
		t.Errorf("%+v, %v; the mirror was sent %q", got, err, leaked)
	}
}

// TestInsecure: a listed registry is spoken to by plain http, any other is not.
func TestInsecure(t *testing.T) {
	proxied := ""
	proxy := serve(t, func(http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			proxied += r.URL.Scheme
			w.WriteHeader(http.StatusNotFound)
		})
	})
	config, _ := settings()
	config.Timeout = 5 * time.Second
	proxyURL, err := url.Parse(proxy.URL)
	if err != nil {
		t.Fatal(err)
	}
	config.Proxy = http.ProxyURL(proxyURL)
	for _, insecure := range []bool{false, true} {
		proxied = ""
		config.Insecure = nil
		if insecure {
			config.Insecure = []string{"nas.invalid:5000"}
		}
		_, err := resolve(t, config, "nas.invalid:5000/app")
		if err == nil || (proxied != "") != insecure || strings.Contains(err.Error(), "it has no such image") != insecure {
			t.Errorf("insecure %t: %v, asked by %q", insecure, err, proxied)
		}
	}
}

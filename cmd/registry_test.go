package cmd_test

import (
	"io"
	"log"
	"net/http"
	"net/http/httptest"
	"strings"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/empty"
	"github.com/google/go-containerregistry/pkg/v1/mutate"
	"github.com/google/go-containerregistry/pkg/v1/random"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/rogpeppe/go-internal/testscript"
)

// startRegistry runs a registry on loopback for as long as the script lasts and
// puts its host:port into a variable: "registry VARIABLE [hangs|refuses]". One
// that hangs never answers; one that refuses wants the password hunter2, and
// takes pushes without.
func startRegistry(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 1 || len(args) > 2 {
		ts.Fatalf("usage: registry VARIABLE [hangs|refuses]")
	}
	handler := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	release := make(chan struct{})
	if len(args) == 2 {
		handler = map[string]http.Handler{"hangs": hanging(release), "refuses": refusing(handler)}[args[1]]
	}
	s := httptest.NewUnstartedServer(handler)
	s.Config.ErrorLog = log.New(io.Discard, "", 0) // clients try https first
	s.Start()
	ts.Defer(func() { close(release); s.CloseClientConnections(); s.Close() })
	ts.Setenv(args[0], strings.TrimPrefix(s.URL, "http://"))
}

func hanging(release chan struct{}) http.Handler {
	return http.HandlerFunc(func(http.ResponseWriter, *http.Request) { <-release })
}

func refusing(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		_, password, _ := r.BasicAuth()
		if pushes := strings.Contains(r.UserAgent(), "push"); !pushes && password != "hunter2" {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, r)
	})
}

// pushImage puts a new image under a tag, for each of some platforms:
// "push REFERENCE OS/ARCHITECTURE[/VARIANT]…".
func pushImage(ts *testscript.TestScript, neg bool, args []string) {
	if neg || len(args) < 2 {
		ts.Fatalf("usage: push REFERENCE PLATFORM…")
	}
	reference, err := name.ParseReference(args[0])
	ts.Check(err)
	index := v1.ImageIndex(empty.Index)
	for _, text := range args[1:] {
		platform, err := v1.ParsePlatform(text)
		ts.Check(err)
		image, err := random.Image(64, 1)
		ts.Check(err)
		index = mutate.AppendManifests(index, mutate.IndexAddendum{Add: image, Descriptor: v1.Descriptor{Platform: platform}})
	}
	ts.Check(remote.WriteIndex(reference, index, remote.WithUserAgent("push")))
}

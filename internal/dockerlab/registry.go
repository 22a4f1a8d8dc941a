package dockerlab

import (
	"fmt"
	"io"
	"net"
	"net/http"
	"net/http/httputil"
	"net/url"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"

	"golang.org/x/crypto/bcrypt"
)

// Registry is a real registry on loopback, behind a gate of ours that counts
// what is asked, and can fail.
type Registry struct {
	Host    string // host:port of the gate
	Storage string // its folder

	mu       sync.Mutex
	requests []string // "METHOD path"
	cutAfter int64    // bytes of uploads after which connections break; negative for never
	uploads  func()   // is told of every upload that begins; may be nil
}

// NewRegistry starts a registry that keeps its content in storage, a folder. With
// a password it wants that of the user "pusher".
func NewRegistry(t testing.TB, storage, password string) *Registry {
	t.Helper()
	Need(t, "docker-registry")
	dir := t.TempDir()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	address := l.Addr().String()
	must(t, l.Close())
	config := fmt.Sprintf("version: 0.1\nlog: {accesslog: {disabled: true}}\nstorage: {filesystem: {rootdirectory: %s}}\nhttp: {addr: %q}\n", storage, address)
	if password != "" {
		hash, err := bcrypt.GenerateFromPassword([]byte(password), bcrypt.MinCost)
		must(t, err)
		file := filepath.Join(dir, "htpasswd")
		must(t, os.WriteFile(file, fmt.Appendf(nil, "pusher:%s\n", hash), 0o600))
		config += fmt.Sprintf("auth: {htpasswd: {realm: lab, path: %s}}\n", file)
	}
	must(t, os.WriteFile(filepath.Join(dir, "config.yml"), []byte(config), 0o600))
	start(t, filepath.Join(dir, "log"), "docker-registry", "serve", filepath.Join(dir, "config.yml"))
	await(t, filepath.Join(dir, "log"), func() bool {
		answer, err := http.Get("http://" + address + "/v2/")
		if err == nil {
			answer.Body.Close()
		}
		return err == nil
	})
	return gate(t, address, storage)
}

func gate(t testing.TB, address, storage string) *Registry {
	r := &Registry{Storage: storage, cutAfter: -1}
	proxy := &httputil.ReverseProxy{
		Rewrite: func(p *httputil.ProxyRequest) {
			p.SetURL(&url.URL{Scheme: "http", Host: address})
			p.Out.Host = p.In.Host // the registry names itself in Location
		},
		ErrorHandler: func(http.ResponseWriter, *http.Request, error) { panic(http.ErrAbortHandler) },
	}
	listener, err := net.Listen("tcp", "127.0.0.1:0")
	must(t, err)
	server := &http.Server{ErrorLog: nil, Handler: http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		r.note(q.Method + " " + q.URL.Path)
		if q.Method == http.MethodPatch {
			r.begun()
		}
		if q.Body != nil {
			q.Body = &cut{q.Body, r}
		}
		proxy.ServeHTTP(w, q)
	})}
	r.Host = listener.Addr().String()
	go server.Serve(listener)
	t.Cleanup(func() { server.Close() })
	return r
}

func (r *Registry) note(request string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.requests = append(r.requests, request)
}

// Asked counts the requests of some methods, and forgets all.
func (r *Registry) Asked(methods ...string) int {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := 0
	for _, q := range r.requests {
		for _, m := range methods {
			if strings.HasPrefix(q, m+" ") {
				n++
			}
		}
	}
	r.requests = nil
	return n
}

// OnUpload has f called for every upload that begins, before it goes on.
func (r *Registry) OnUpload(f func()) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.uploads = f
}

func (r *Registry) begun() {
	r.mu.Lock()
	f := r.uploads
	r.mu.Unlock()
	if f != nil {
		f()
	}
}

// CutAfter breaks every connection that uploads once so many bytes went through;
// a negative number ends that.
func (r *Registry) CutAfter(bytes int64) {
	r.mu.Lock()
	defer r.mu.Unlock()
	r.cutAfter = bytes
}

// cut is a request's body that breaks off.
type cut struct {
	io.ReadCloser
	registry *Registry
}

func (c *cut) Read(p []byte) (int, error) {
	r := c.registry
	r.mu.Lock()
	left := r.cutAfter
	r.mu.Unlock()
	if left == 0 {
		return 0, io.ErrUnexpectedEOF
	}
	if left > 0 {
		p = p[:min(int64(len(p)), left)]
	}
	n, err := c.ReadCloser.Read(p)
	if left > 0 {
		r.mu.Lock()
		r.cutAfter = max(r.cutAfter-int64(n), 0)
		r.mu.Unlock()
	}
	return n, err
}

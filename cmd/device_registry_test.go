//go:build device

package cmd_test

import (
	"io"
	"log"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"

	"github.com/google/go-containerregistry/pkg/name"
	"github.com/google/go-containerregistry/pkg/registry"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"golang.org/x/sys/unix"
)

// privateRegistry is a registry of the workstation that virtual Pis reach, and
// that wants to know who pulls.
type privateRegistry struct {
	host string // as virtual Pis name it
	push string // as this process does, without a password
	app  string // the program that images hold

	mutex sync.Mutex
	login string // user:token that it lets in
	pulls int    // manifests that it gave away
}

// startPrivateRegistry listens in the workstation's network namespace.
func startPrivateRegistry(t *testing.T, l *lab, address string) *privateRegistry {
	t.Helper()
	inner := registry.New(registry.Logger(log.New(io.Discard, "", 0)))
	r := &privateRegistry{app: l.app(t)}

	open := httptest.NewServer(inner)
	t.Cleanup(open.Close)
	r.push = strings.TrimPrefix(open.URL, "http://")

	listener := listenIn(t, "/run/netns/"+l.prefix+"-net", address+":0")
	private := httptest.NewUnstartedServer(r.guard(inner))
	private.Listener.Close()
	private.Listener = listener
	private.Start()
	t.Cleanup(private.Close)
	r.host = listener.Addr().String()
	return r
}

func (r *privateRegistry) guard(inner http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, q *http.Request) {
		user, token, _ := q.BasicAuth()
		r.mutex.Lock()
		welcome := user+":"+token == r.login
		if welcome && strings.Contains(q.URL.Path, "/manifests/") {
			r.pulls++
		}
		r.mutex.Unlock()
		if !welcome {
			w.Header().Set("WWW-Authenticate", `Basic realm="registry"`)
			w.WriteHeader(http.StatusUnauthorized)
			return
		}
		inner.ServeHTTP(w, q)
	})
}

func (r *privateRegistry) letIn(login string) {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	r.login = login
}

func (r *privateRegistry) pulled() int {
	r.mutex.Lock()
	defer r.mutex.Unlock()
	return r.pulls
}

// image pushes an image of its own for a tag, and gives the reference with tag and
// digest.
func (r *privateRegistry) image(t *testing.T, tag string) string {
	t.Helper()
	image := runnable(t, []v1.Layer{programLayer(t, r.app)}, "APP_VERSION="+tag)
	reference, err := name.ParseReference(r.push + "/app:" + tag)
	if err != nil {
		t.Fatal(err)
	}
	if err := remote.Write(reference, image); err != nil {
		t.Fatal(err)
	}
	digest, err := image.Digest()
	if err != nil {
		t.Fatal(err)
	}
	return r.host + "/app:" + tag + "@" + digest.String()
}

// listenIn listens in another network namespace. A socket stays in the one that it
// was made in; the thread comes back, or the process would count as one of that
// namespace, and go away with it.
func listenIn(t *testing.T, namespace, address string) net.Listener {
	t.Helper()
	runtime.LockOSThread()
	own, err := os.Open("/proc/thread-self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	defer own.Close()
	there, err := os.Open(namespace)
	if err != nil {
		t.Fatal(err)
	}
	defer there.Close()
	if err := unix.Setns(int(there.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	listener, listenErr := net.Listen("tcp", address)
	if err := unix.Setns(int(own.Fd()), unix.CLONE_NEWNET); err != nil {
		t.Fatal(err)
	}
	runtime.UnlockOSThread()
	if listenErr != nil {
		t.Fatal(listenErr)
	}
	return listener
}

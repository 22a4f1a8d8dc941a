package image_test

import (
	"fmt"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"pistack/internal/image"
)

// failing lets a registry fail the first n requests for manifests.
func failing(n int32, fail func(w http.ResponseWriter, r *http.Request)) func(http.Handler) http.Handler {
	var failed atomic.Int32
	return func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			w.Header().Set("Connection", "close") // on an old connection net/http would try again by itself
			if r.Method == http.MethodGet && strings.Contains(r.URL.Path, "/manifests/") && failed.Add(1) <= n {
				fail(w, r)
				return
			}
			inner.ServeHTTP(w, r)
		})
	}
}

func status(code int, header ...string) func(http.ResponseWriter, *http.Request) {
	return func(w http.ResponseWriter, r *http.Request) {
		for i := 0; i+1 < len(header); i += 2 {
			w.Header().Set(header[i], header[i+1])
		}
		w.WriteHeader(code)
	}
}

func hangUp(w http.ResponseWriter, _ *http.Request) {
	c, _, err := w.(http.Hijacker).Hijack()
	if err == nil {
		c.Close()
	}
}

// TestWaits: what is waited for, and what comes of it.
func TestWaits(t *testing.T) {
	const s = time.Second
	for _, c := range []struct {
		name  string
		n     int32
		fail  func(http.ResponseWriter, *http.Request)
		waits []time.Duration
		wrong string // without the registry
	}{
		{"busy once, with seconds", 1, status(429, "Retry-After", "7"), []time.Duration{7 * s}, ""},
		{"busy once, with a date", 1, status(429, "Retry-After", "Tue, 24 Nov 2026 10:00:09 GMT", "Date", "Tue, 24 Nov 2026 10:00:00 GMT"), []time.Duration{9 * s}, ""},
		{"busy once, with a date that has passed", 1, status(429, "Retry-After", "Tue, 24 Nov 2026 09:00:00 GMT", "Date", "Tue, 24 Nov 2026 10:00:00 GMT"), []time.Duration{s}, ""},
		{"busy, does not say for how long", 2, status(429), []time.Duration{s, 2 * s}, ""},
		{"busy, says nonsense", 1, status(429, "Retry-After", "-5"), []time.Duration{s}, ""},
		{"unavailable", 1, status(503, "Retry-After", "3"), []time.Duration{3 * s}, ""},
		{"broken", 3, status(502), []time.Duration{s, 2 * s, 4 * s}, ""},
		{"hangs up", 2, hangUp, []time.Duration{s, 2 * s}, ""},
		{"busy for long", 99, status(429, "Retry-After", "3600"), nil, "it is too busy: it wants us to wait for 1h0m0s, of at most 1m0s in all"},
		{"busy again and again", 99, status(429, "Retry-After", "25"), []time.Duration{25 * s, 25 * s}, "it is too busy: it wants us to wait for 25s, of at most 1m0s in all"},
		{"busy for ever", 99, status(429), []time.Duration{s, 2 * s, 4 * s, 8 * s}, "too many requests (429), also after waiting"},
		{"broken for ever", 99, status(500), []time.Duration{s, 2 * s, 4 * s, 8 * s}, "it answers 500 Internal Server Error"},
	} {
		t.Run(c.name, func(t *testing.T) {
			server := serve(t, nil)
			digest := server.push(t, "app:1", multi(t, amd64))
			server.Config.Handler = failing(c.n, c.fail)(server.Config.Handler)
			config, waited := settings()
			got, err := resolve(t, config, server.host()+"/app:1")
			waited.want(t, c.waits...)
			if c.wrong != "" {
				if err == nil || err.Error() != server.host()+": "+c.wrong {
					t.Errorf("error %v", err)
				}
			} else if err != nil || got.Digest != digest {
				t.Errorf("%+v, %v", got, err)
			}
		})
	}
}

// TestTooBusyForAll: once a registry asked for more time than there is, it is
// left in peace.
func TestTooBusyForAll(t *testing.T) {
	s := serve(t, nil)
	s.Config.Handler = failing(999, status(429, "Retry-After", "3600"))(s.Config.Handler)
	config, waited := settings()
	var requests []image.Request
	for i := range 50 {
		requests = append(requests, image.Request{Reference: fmt.Sprintf("%s/app%d:1", s.host(), i)})
	}
	results, err := resolver(t, config).All(t.Context(), requests, func(int, string) {})
	if err != nil {
		t.Fatal(err)
	}
	for _, r := range results {
		if r.Err == nil || !strings.Contains(r.Err.Error(), "it is too busy") {
			t.Fatalf("error %v", r.Err)
		}
	}
	if n := s.asked("GET /v2/app"); n > 4 {
		t.Errorf("asked for %d manifests", n)
	}
	waited.want(t)
}

// TestPauseIsShared: while a registry asks for a pause nobody asks it, and the
// pause is made once.
func TestPauseIsShared(t *testing.T) {
	s := serve(t, nil)
	digest := s.push(t, "app:1", multi(t, amd64))
	for i := range 20 {
		s.push(t, fmt.Sprintf("app%d:1", i), multi(t, amd64))
	}
	s.Config.Handler = failing(1, status(429, "Retry-After", "7"))(s.Config.Handler)
	config, waited := settings()
	requests := []image.Request{{Reference: s.host() + "/app:1"}}
	for i := range 20 {
		requests = append(requests, image.Request{Reference: fmt.Sprintf("%s/app%d:1", s.host(), i)})
	}
	done := make(chan int, len(requests))
	results, err := resolver(t, config).All(t.Context(), requests, func(n int, _ string) { done <- n })
	if err != nil || results[0].Image.Digest != digest || len(done) != len(requests) {
		t.Errorf("%v, %+v", err, results[0])
	}
	for i, r := range results {
		if r.Err != nil || r.Image.Digest == "" {
			t.Errorf("%s: %v", requests[i].Reference, r.Err)
		}
	}
	waited.want(t, 7*time.Second)
}

// TestParallel: no registry is asked for more than four images at a time, and
// two registries are asked at the same time.
func TestParallel(t *testing.T) {
	var now, most atomic.Int32
	meet := make(chan struct{})
	var met atomic.Int32
	wrap := func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.Contains(r.URL.Path, "/manifests/") {
				for n := now.Add(1); ; {
					if m := most.Load(); m >= n || most.CompareAndSwap(m, n) {
						break
					}
				}
				if met.Add(1) == 8 {
					close(meet)
				}
				<-meet // until four of each registry are here
				defer now.Add(-1)
			}
			inner.ServeHTTP(w, r)
		})
	}
	a, b := serve(t, wrap), serve(t, wrap)
	var requests []image.Request
	for i := range 40 {
		requests = append(requests, image.Request{Reference: fmt.Sprintf("%s/app%d", a.host(), i)}, image.Request{Reference: fmt.Sprintf("%s/app%d", b.host(), i)})
	}
	config, _ := settings()
	if _, err := resolver(t, config).All(t.Context(), requests, func(int, string) {}); err != nil {
		t.Fatal(err)
	}
	if got := most.Load(); got != 8 {
		t.Errorf("%d requests at a time, want 8", got)
	}
}

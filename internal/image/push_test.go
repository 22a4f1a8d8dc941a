package image_test

import (
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"sync/atomic"
	"testing"

	"pistack/internal/image"
)

// pusher is one that waits for no time.
func pusher(t *testing.T, sent func(int)) *image.Pusher {
	t.Helper()
	settings, _ := settings()
	p, err := image.NewPusher(settings, sent)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// answering is a wrapper that answers requests with a prefix, "METHOD /path", by
// a status.
func answering(prefix string, status int) func(http.Handler) http.Handler {
	return func(inner http.Handler) http.Handler {
		return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
			if strings.HasPrefix(r.Method+" "+r.URL.Path, prefix) {
				io.Copy(io.Discard, r.Body)
				w.WriteHeader(status)
				return
			}
			inner.ServeHTTP(w, r)
		})
	}
}

func TestPush(t *testing.T) {
	s := serve(t, nil)
	var sent atomic.Int64
	p := pusher(t, func(n int) { sent.Add(int64(n)) })
	index := multi(t, amd64, arm64)
	digest, err := index.Digest()
	if err != nil {
		t.Fatal(err)
	}
	reference := s.host() + "/me/app:tag"
	if found, _, err := p.Find(t.Context(), reference); found || err != nil {
		t.Fatalf("found %t, %v", found, err)
	}
	if err := p.Check(t.Context(), reference); err != nil {
		t.Fatal(err)
	}
	if err := p.Push(t.Context(), reference, index); err != nil {
		t.Fatal(err)
	}
	if sent.Load() == 0 {
		t.Error("nothing was told of what is uploaded")
	}
	for _, r := range []string{reference, s.host() + "/me/app@" + digest.String()} {
		found, there, err := pusher(t, nil).Find(t.Context(), r)
		if !found || err != nil || there.Digest != digest.String() || fmt.Sprint(there.Platforms) != "[linux/amd64 linux/arm64/v8]" {
			t.Errorf("%s: %t, %+v, %v", r, found, there, err)
		}
	}
	s.asked("")
	if err := pusher(t, nil).Push(t.Context(), s.host()+"/me/app:other", index); err != nil {
		t.Fatal(err)
	}
	if s.asked("PATCH") > 0 {
		t.Error("what was there was uploaded again")
	}
}

// TestPushOrder: the tag comes last, whatever fails before.
func TestPushOrder(t *testing.T) {
	s := serve(t, answering("PUT /v2/me/app/manifests/sha256:", http.StatusBadGateway))
	err := pusher(t, nil).Push(t.Context(), s.host()+"/me/app:tag", multi(t, amd64, arm64))
	if err == nil {
		t.Fatal("pushed")
	}
	if found, _, err := pusher(t, nil).Find(t.Context(), s.host()+"/me/app:tag"); found || err != nil {
		t.Errorf("the tag is there: %t, %v", found, err)
	}
}

func TestPushProblems(t *testing.T) {
	for _, c := range []struct {
		name, prefix string
		status       int
		want         string
	}{
		{"full", "POST ", http.StatusInsufficientStorage, "it is full (507)"},
		{"failing", "POST ", http.StatusInternalServerError, "it answers 500 Internal Server Error to an upload"},
		{"lost upload", "PATCH ", http.StatusNotFound, "it answers 404 Not Found to an upload"},
		{"large", "PATCH ", http.StatusRequestEntityTooLarge, "a layer is larger than it takes (413)"},
		{"forbidden", "POST ", http.StatusForbidden, "it does not let you push me/app"},
		{"unauthorized", "PATCH ", http.StatusUnauthorized, "it does not let you push me/app"},
		{"the index alone", "PUT /v2/me/app/manifests/tag", http.StatusTeapot, "it answers 418 I'm a teapot"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := serve(t, answering(c.prefix, c.status))
			err := pusher(t, nil).Push(t.Context(), s.host()+"/me/app:tag", multi(t, arm64))
			var known *image.Error
			if !errors.As(err, &known) || known.Message != c.want || known.Registry != s.host() || known.Fix == "" {
				t.Errorf("error %v, %+v", err, known)
			}
		})
	}
}

// TestCheckPush: who may not push is told before anything is built, also by a
// registry that hides what it has.
func TestCheckPush(t *testing.T) {
	for _, status := range []int{http.StatusUnauthorized, http.StatusForbidden, http.StatusNotFound} {
		s := serve(t, answering("POST ", status))
		err := pusher(t, nil).Check(t.Context(), s.host()+"/me/app:tag")
		var known *image.Error
		if !errors.As(err, &known) || known.Message != "it does not let you push me/app" || !strings.HasPrefix(known.Fix, "docker login "+s.host()) {
			t.Errorf("%d: %v", status, err)
		}
	}
	s := serve(t, basic)
	if found, _, err := pusher(t, nil).Find(t.Context(), s.host()+"/me/app:tag"); found || err != nil {
		t.Errorf("found %t, %v: a registry that refuses to say so has nothing", found, err)
	}
}

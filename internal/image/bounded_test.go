package image

import (
	"errors"
	"io"
	"net/http"
	"strings"
	"testing"
	"time"
)

// roundTrip is a transport.
type roundTrip func(*http.Request) (*http.Response, error)

func (f roundTrip) RoundTrip(r *http.Request) (*http.Response, error) { return f(r) }

// TestSlowUpload: an upload may take longer than a registry may take to answer,
// as long as it goes on; one that stands still is given up.
func TestSlowUpload(t *testing.T) {
	const limit = 500 * time.Millisecond
	slow := func(r *http.Request) (*http.Response, error) {
		for piece := make([]byte, 10); ; {
			time.Sleep(20 * time.Millisecond)
			if _, err := r.Body.Read(piece); err != nil {
				break
			}
		}
		if err := r.Context().Err(); err != nil {
			return nil, err
		}
		return &http.Response{StatusCode: http.StatusAccepted, Body: http.NoBody}, nil
	}
	stands := func(r *http.Request) (*http.Response, error) {
		<-r.Context().Done()
		return nil, r.Context().Err()
	}
	for _, c := range []struct {
		name  string
		inner roundTrip
		want  string
	}{{"slow", slow, ""}, {"stands still", stands, "registry.example.org: no answer within 500ms"}} {
		sent := 0
		b := &bounded{settings: Settings{Timeout: limit}, inner: c.inner, sent: func(n int) { sent += n }}
		req, err := http.NewRequest(http.MethodPatch, "https://registry.example.org/v2/", io.NopCloser(strings.NewReader(strings.Repeat("x", 500))))
		if err != nil {
			t.Fatal(err)
		}
		begun := time.Now()
		resp, err := b.RoundTrip(req)
		if c.want == "" {
			if err != nil || resp.Body.Close() != nil || time.Since(begun) < limit || sent != 500 {
				t.Errorf("%s: %v after %s, %d bytes", c.name, err, time.Since(begun), sent)
			}
			continue
		}
		var known *Error
		if !errors.As(err, &known) || err.Error() != c.want {
			t.Errorf("%s: %v", c.name, err)
		}
	}
}

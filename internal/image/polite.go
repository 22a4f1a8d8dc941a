package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strconv"
	"sync"
	"syscall"
	"time"
)

// maxAttempts is how often a request is sent that fails for a reason that
// passes: 1, 2, 4 and 8 seconds lie between, or what the registry asks for.
const maxAttempts = 5

// polite is the transport that tries again, as slowly as a registry asks for.
// While one request waits no other is sent to that registry. What is waited for
// one registry is bounded all in all, and one that does not answer at all is not
// asked again.
type polite struct {
	settings Settings
	inner    http.RoundTripper

	mu    sync.Mutex
	hosts map[string]*host // by scheme and authority
}

// host is what is known of a registry's server.
type host struct {
	waiting chan struct{} // holds one value while somebody waits

	mu     sync.Mutex
	pauses int           // how many there were
	waited time.Duration // in all of them
	failed error         // why it is not asked any more
}

func (p *polite) host(req *http.Request) *host {
	p.mu.Lock()
	defer p.mu.Unlock()
	key := req.URL.Scheme + "://" + req.URL.Host
	if p.hosts[key] == nil {
		p.hosts[key] = &host{waiting: make(chan struct{}, 1)}
	}
	return p.hosts[key]
}

func (p *polite) RoundTrip(req *http.Request) (*http.Response, error) {
	h := p.host(req)
	for attempt := 1; ; attempt++ {
		seen, err := h.enter(req.Context())
		if err != nil {
			return nil, err
		}
		resp, err := p.inner.RoundTrip(req)
		wait, passes := passing(resp, err, attempt)
		if !passes {
			h.note(err)
			return resp, err
		}
		if attempt == maxAttempts || !rewind(req) {
			return resp, err
		}
		if resp != nil {
			drop(resp)
		}
		if err := h.pause(req, seen, wait, p.settings); err != nil {
			return nil, err
		}
	}
}

// enter waits while somebody else does, and tells how many pauses there were.
func (h *host) enter(ctx context.Context) (pauses int, err error) {
	select {
	case h.waiting <- struct{}{}:
		<-h.waiting
	case <-ctx.Done():
		return 0, ctx.Err()
	}
	h.mu.Lock()
	defer h.mu.Unlock()
	return h.pauses, h.failed
}

// note remembers a server that does not answer.
func (h *host) note(err error) {
	var known *Error
	if errors.As(err, &known) && known.silent {
		h.mu.Lock()
		defer h.mu.Unlock()
		h.failed = err
	}
}

// pause waits before a request is sent again, unless that was already waited
// for since it was sent first.
func (h *host) pause(req *http.Request, seen int, wait time.Duration, s Settings) error {
	select {
	case h.waiting <- struct{}{}:
		defer func() { <-h.waiting }()
	case <-req.Context().Done():
		return req.Context().Err()
	}
	h.mu.Lock()
	if h.failed != nil || h.pauses > seen {
		defer h.mu.Unlock()
		return h.failed
	}
	h.waited += wait
	if h.waited > s.Patience {
		h.failed = &Error{
			Registry: shown(req.URL.Host), Message: fmt.Sprintf("it is too busy: it wants us to wait for %s, of at most %s in all", wait, s.Patience),
			Fix: "try again later; docker login gives many registries a higher limit",
		}
		defer h.mu.Unlock()
		return h.failed
	}
	h.pauses++
	h.mu.Unlock()
	return s.Sleep(req.Context(), wait)
}

// passing tells whether a request failed for a reason that passes, and how long
// to wait for that.
func passing(resp *http.Response, err error, attempt int) (wait time.Duration, passes bool) {
	wait = time.Second << (attempt - 1)
	if err != nil {
		return wait, errors.Is(err, io.EOF) || errors.Is(err, io.ErrUnexpectedEOF) || errors.Is(err, syscall.ECONNRESET) || errors.Is(err, syscall.EPIPE)
	}
	switch resp.StatusCode {
	case http.StatusTooManyRequests, http.StatusServiceUnavailable:
		return max(retryAfter(resp.Header), wait), true
	case http.StatusRequestTimeout, http.StatusInternalServerError, http.StatusBadGateway, http.StatusGatewayTimeout:
		return wait, true
	}
	return 0, false
}

// retryAfter is how long a registry asks to wait: seconds, or a time by its own
// clock. Zero when it does not say.
func retryAfter(header http.Header) time.Duration {
	text := header.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 31); err == nil {
		return time.Duration(seconds) * time.Second
	}
	until, err := http.ParseTime(text)
	now, errNow := http.ParseTime(header.Get("Date"))
	if err != nil || errNow != nil {
		return 0
	}
	return max(until.Sub(now), 0)
}

// rewind makes a request with a body fit to be sent again.
func rewind(req *http.Request) bool {
	if req.Body == nil || req.Body == http.NoBody {
		return true
	}
	if req.GetBody == nil {
		return false
	}
	body, err := req.GetBody()
	req.Body = body
	return err == nil
}

// drop reads a little of an answer, so that its connection can be used again.
func drop(resp *http.Response) {
	io.CopyN(io.Discard, resp.Body, 64<<10)
	resp.Body.Close()
}

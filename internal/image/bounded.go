package image

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"strings"
	"time"
)

// Bounds of what a registry may answer. The distribution specification wants
// manifests of up to 4 MiB to work.
const (
	maxAnswer    = 4 << 20 // bytes
	maxRedirects = 10
)

// bounded is the transport next to the network: it bounds each request in time,
// size and number of redirects, and refuses plain http.
type bounded struct {
	settings Settings
	inner    http.RoundTripper
	sent     func(n int) // is told of bytes of request bodies; may be nil
}

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := b.refuse(req); err != nil {
		return nil, err
	}
	limited, cancel := b.limit(req)
	resp, err := b.inner.RoundTrip(limited)
	if err != nil {
		if errors.Is(context.Cause(limited.Context()), context.DeadlineExceeded) {
			err = context.DeadlineExceeded
		}
		cancel()
		return nil, b.explain(req, err)
	}
	resp.Request = req // with the context that outlives this
	if resp.ContentLength > maxAnswer && req.Method != http.MethodHead {
		resp.Body.Close()
		cancel()
		return nil, tooLarge(req.URL)
	}
	resp.Body = &body{ReadCloser: resp.Body, left: maxAnswer, cancel: cancel, explain: func(err error) error { return b.explain(req, err) }, url: req.URL}
	return resp, nil
}

// limit bounds a request in time: all of it or, of one that uploads, each step.
func (b *bounded) limit(req *http.Request) (*http.Request, context.CancelFunc) {
	if req.Body == nil || req.Body == http.NoBody {
		ctx, cancel := context.WithTimeout(req.Context(), b.settings.Timeout)
		return req.Clone(ctx), cancel
	}
	ctx, cancel := context.WithCancelCause(req.Context())
	timer := time.AfterFunc(b.settings.Timeout, func() { cancel(context.DeadlineExceeded) })
	limited := req.Clone(ctx)
	limited.Body = &upload{ReadCloser: req.Body, step: func(n int) {
		timer.Reset(b.settings.Timeout)
		if b.sent != nil {
			b.sent(n)
		}
	}}
	return limited, func() { timer.Stop(); cancel(nil) }
}

// upload is a request's body that tells what was read of it.
type upload struct {
	io.ReadCloser
	step func(n int)
}

func (u *upload) Read(p []byte) (int, error) {
	n, err := u.ReadCloser.Read(p)
	u.step(n)
	return n, err
}

// refuse holds back a request that should not be sent.
func (b *bounded) refuse(req *http.Request) error {
	if req.URL.Scheme != "https" && !isThisMachine(req.URL.Hostname()) && !b.settings.isInsecure(req.URL.Host) {
		return &Error{
			Registry: req.URL.Host, Message: "it would have to be reached without encryption, which is refused",
			Fix: fmt.Sprintf("if that is as it should be, write into fleet.toml: [registry] insecure = [%q]", req.URL.Host),
		}
	}
	redirects := 0
	for r := req.Response; r != nil && r.Request != nil; r = r.Request.Response {
		if redirects++; redirects > maxRedirects {
			return &Error{Registry: req.URL.Host, Message: fmt.Sprintf("more than %d redirects", maxRedirects)}
		}
	}
	if r := req.Response; r != nil && r.Request != nil && r.Request.URL.Scheme == "https" && req.URL.Scheme != "https" {
		return &Error{Registry: r.Request.URL.Host, Message: "it redirects to " + req.URL.Host + " without encryption, which is refused"}
	}
	return nil
}

func isThisMachine(host string) bool {
	ip := net.ParseIP(host)
	return host == "localhost" || ip != nil && ip.IsLoopback()
}

// explain names the registry that did not answer in time.
func (b *bounded) explain(req *http.Request, err error) error {
	if req.Context().Err() != nil {
		return req.Context().Err()
	}
	var network net.Error
	if errors.Is(err, context.DeadlineExceeded) || errors.As(err, &network) && network.Timeout() {
		return &Error{
			Registry: shown(req.URL.Host), Message: fmt.Sprintf("no answer within %s", b.settings.Timeout), silent: true,
			Fix: "see whether it can be reached from here, also by way of HTTPS_PROXY; --timeout waits longer",
		}
	}
	return err
}

func tooLarge(u *url.URL) error {
	return &Error{Registry: shown(u.Host), Message: fmt.Sprintf("its answer is larger than %d MiB", maxAnswer>>20)}
}

// body is an answer that is read up to its bounds.
type body struct {
	io.ReadCloser
	left    int
	cancel  context.CancelFunc
	explain func(error) error
	url     *url.URL
}

func (b *body) Read(p []byte) (int, error) {
	if b.left < 0 {
		return 0, tooLarge(b.url)
	}
	n, err := b.ReadCloser.Read(p[:min(len(p), b.left+1)])
	if b.left -= n; b.left < 0 {
		return 0, tooLarge(b.url)
	}
	if err != nil && !errors.Is(err, io.EOF) {
		err = b.explain(err)
	}
	return n, err
}

func (b *body) Close() error {
	defer b.cancel()
	return b.ReadCloser.Close()
}

// shown is the name that people know a registry by.
func shown(host string) string {
	if strings.HasSuffix(host, ".docker.io") {
		return "docker.io"
	}
	return host
}

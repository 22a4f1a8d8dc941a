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
}

func (b *bounded) RoundTrip(req *http.Request) (*http.Response, error) {
	if err := b.refuse(req); err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(req.Context(), b.settings.Timeout)
	resp, err := b.inner.RoundTrip(req.Clone(ctx))
	if err != nil {
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

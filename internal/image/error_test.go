package image

import (
	"errors"
	"fmt"
	"net/url"
	"strings"
	"testing"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// TestExplain: what errors of the network and of the library become.
func TestExplain(t *testing.T) {
	get := func(message string) error {
		return &url.Error{Op: "Get", URL: "https://r.example/v2/", Err: errors.New(message)}
	}
	for _, c := range []struct {
		name     string
		err      error
		want     string // without the registry
		hint     string // a part of it
		registry string
	}{
		{"unreachable", get("dial tcp: lookup r.example: no such host"), "dial tcp: lookup r.example: no such host", "HTTPS_PROXY", "r.example"},
		{"certificate", get("tls: failed to verify certificate: x509: certificate signed by unknown authority"), "tls: failed to verify certificate: x509: certificate signed by unknown authority", "SSL_CERT_FILE", "r.example"},
		{"plain http", get("http: server gave HTTP response to HTTPS client"), "http: server gave HTTP response to HTTPS client", `[registry] insecure = ["r.example"]`, "r.example"},
		{"both schemes", fmt.Errorf("%w; %w", get("http: server gave HTTP response to HTTPS client"), get("dial tcp: refused")), "dial tcp: refused", "HTTPS_PROXY", "r.example"},
		{"a web page", get("invalid character '<' looking for beginning of value"), "invalid character '<' looking for beginning of value", "a proxy that asks for a login", "r.example"},
		{"its own trouble", &transport.Error{StatusCode: 500}, "it answers 500 Internal Server Error", "try again later", "r.example"},
		{"what was answered", errors.New("no token in bearer response:\n{\"canary\": 1}"), "no token in bearer response:", "", "r.example"},
		{"control characters", errors.New("a\x1b[31m\u202eb\xff"), "a?[31m?b\ufffd", "", "r.example"},
		{"long", errors.New(strings.Repeat("ä", 1000)), strings.Repeat("ä", 150) + "…", "", "r.example"},
		{"Docker Hub by the name that people know", errors.New("x"), "x", "", "index.docker.io"},
	} {
		t.Run(c.name, func(t *testing.T) {
			var known *Error
			if err := explain(c.registry, c.err); !errors.As(err, &known) || known.Message != c.want || !strings.Contains(known.Hint(), c.hint) || c.hint == "" && known.Hint() != "" {
				t.Errorf("%v, hint %q", err, known.Hint())
			}
			if want := map[string]string{"r.example": "r.example", "index.docker.io": "docker.io"}[c.registry]; known.Registry != want {
				t.Errorf("registry %s", known.Registry)
			}
		})
	}
}

// Package image looks up container images in their registries: which digest a
// reference stands for, and for which platforms there is one. From these it
// plans and writes the lock files of stacks.
//
// # What a registry can do to us
//
// Everything that a registry says is bounded: the size of an answer, the time
// until it comes, the number of redirects, how often and how long we wait when
// it asks for that. Content is hashed here, so a mirror that is asked for a
// digest cannot give something else. Plain http is refused, but for this
// machine and for hosts that fleet.toml lists, also behind a redirect.
// Credentials go to the registry that they are for, and nowhere else.
package image

import (
	"context"
	"net"
	"net/http"
	"net/url"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	"github.com/google/go-containerregistry/pkg/v1/remote"
)

// Settings say how registries are reached.
type Settings struct {
	// Mirrors maps a registry ("docker.io") to those that are asked before it,
	// as URLs: "https://mirror.example.org/prefix".
	Mirrors  map[string][]string
	Insecure []string                                   // registries, as host or host:port, that may be spoken to by plain http
	Proxy    func(*http.Request) (*url.URL, error)      // nil for none
	Keychain authn.Keychain                             // the user's credentials
	Timeout  time.Duration                              // longest time for one answer
	Patience time.Duration                              // longest time that is waited for one registry, all in all, because it is busy
	Sleep    func(context.Context, time.Duration) error // see Sleep
}

// DefaultTimeout and DefaultPatience are what suits people.
const (
	DefaultTimeout  = 30 * time.Second
	DefaultPatience = 2 * time.Minute
)

// Sleep waits, until ctx ends.
func Sleep(ctx context.Context, d time.Duration) error {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-timer.C:
		return nil
	case <-ctx.Done():
		return ctx.Err()
	}
}

// Resolver looks up images. It remembers what it was told: tokens, and which
// registries do not answer. Use one for one run.
type Resolver struct {
	settings Settings
	puller   *remote.Puller
}

// NewResolver makes a resolver.
func NewResolver(s Settings) (*Resolver, error) {
	polite := &polite{settings: s, hosts: map[string]*host{}, inner: &bounded{settings: s, inner: newTransport(s)}}
	puller, err := remote.NewPuller(
		remote.WithTransport(polite),
		remote.WithAuthFromKeychain(keychain{s.Keychain}),
		remote.WithUserAgent("pistack"),
		// polite does this, and heeds Retry-After.
		remote.WithRetryPredicate(func(error) bool { return false }),
		remote.WithRetryStatusCodes(),
	)
	return &Resolver{settings: s, puller: puller}, err
}

func newTransport(s Settings) http.RoundTripper {
	return &http.Transport{
		Proxy:                  s.Proxy,
		DialContext:            (&net.Dialer{Timeout: s.Timeout}).DialContext,
		TLSHandshakeTimeout:    s.Timeout,
		ResponseHeaderTimeout:  s.Timeout,
		MaxResponseHeaderBytes: 1 << 20,
		ForceAttemptHTTP2:      true,
		MaxIdleConnsPerHost:    perRegistry,
		IdleConnTimeout:        s.Timeout,
	}
}

func (s Settings) isInsecure(host string) bool { return slices.Contains(s.Insecure, host) }

// keychain gives up on a credential helper when its context ends: a helper may
// wait for somebody to unlock a key store.
type keychain struct{ inner authn.Keychain }

func (k keychain) Resolve(target authn.Resource) (authn.Authenticator, error) {
	return k.inner.Resolve(target)
}

// ResolveContext implements authn.ContextKeychain.
func (k keychain) ResolveContext(ctx context.Context, target authn.Resource) (authn.Authenticator, error) {
	type result struct {
		auth authn.Authenticator
		err  error
	}
	done := make(chan result, 1)
	go func() {
		auth, err := k.inner.Resolve(target)
		done <- result{auth, err}
	}()
	select {
	case r := <-done:
		if r.err != nil {
			return nil, &Error{Registry: shown(target.RegistryStr()), Message: "its credentials cannot be read: " + clean(r.err), Fix: "see ~/.docker/config.json, or the one that DOCKER_CONFIG names"}
		}
		return r.auth, nil
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

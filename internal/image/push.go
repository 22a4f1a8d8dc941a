package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"

	"github.com/google/go-containerregistry/pkg/name"
	v1 "github.com/google/go-containerregistry/pkg/v1"
	"github.com/google/go-containerregistry/pkg/v1/remote"
	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Pusher pushes images. It asks registries themselves, never their mirrors.
type Pusher struct {
	resolver  *Resolver
	transport http.RoundTripper
	pusher    *remote.Pusher
}

// NewPusher makes a pusher. Use one for one run. sent is told of every piece that
// is uploaded, with its number of bytes; its calls can overlap, and it may be nil.
func NewPusher(s Settings, sent func(n int)) (*Pusher, error) {
	resolver, err := NewResolver(s)
	if err != nil {
		return nil, err
	}
	polite := &polite{settings: s, hosts: map[string]*host{}, inner: &bounded{settings: s, inner: newTransport(s), sent: sent}}
	pusher, err := remote.NewPusher(
		remote.WithTransport(polite),
		remote.WithAuthFromKeychain(keychain{s.Keychain}),
		remote.WithUserAgent("pistack push"),
		remote.WithJobs(perRegistry),
		// polite does the rest: it cannot send a body of an upload again.
		remote.WithRetryPredicate(broken),
		remote.WithRetryStatusCodes(),
	)
	return &Pusher{resolver: resolver, transport: polite, pusher: pusher}, err
}

// broken tells whether a connection broke.
func broken(err error) bool {
	if err == nil {
		return false
	}
	_, passes := passing(nil, err, 1)
	return passes
}

// Find looks up an image in its registry; found tells whether it is there. A
// registry that refuses to say so may still take the image.
func (p *Pusher) Find(ctx context.Context, text string) (found bool, image Image, err error) {
	reference, err := p.resolver.parse(text)
	if err != nil {
		return false, Image{}, err
	}
	image, err = p.resolver.lookUp(ctx, reference, nil)
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusNotFound, http.StatusUnauthorized, http.StatusForbidden:
			return false, Image{}, nil
		}
	}
	if err != nil {
		return false, Image{}, explain(reference.Context().RegistryStr(), err)
	}
	return true, image, nil
}

// Check asks whether a repository would take a push of ours, before anything is
// built in vain.
func (p *Pusher) Check(ctx context.Context, text string) error {
	reference, err := p.resolver.parse(text)
	if err != nil {
		return err
	}
	err = remote.CheckPushPermission(reference, keychain{p.resolver.settings.Keychain}, within{ctx, p.transport})
	var answer *transport.Error
	if errors.As(err, &answer) && answer.StatusCode == http.StatusNotFound {
		return noPush(reference)
	}
	return explainPush(ctx, reference, err)
}

func noPush(reference name.Reference) error {
	registry := shown(reference.Context().RegistryStr())
	return &Error{
		Registry: registry, Message: "it does not let you push " + reference.Context().RepositoryStr(),
		Fix: "docker login " + registry + ", as somebody who may write there",
	}
}

// Push uploads what is missing of an index and then the index itself under its
// tag: a push that was cut short has changed nothing that anybody sees.
func (p *Pusher) Push(ctx context.Context, text string, index v1.ImageIndex) error {
	reference, err := p.resolver.parse(text)
	if err != nil {
		return err
	}
	return explainPush(ctx, reference, p.pusher.Push(ctx, reference, index))
}

func explainPush(ctx context.Context, reference name.Reference, err error) error {
	if err == nil || ctx.Err() != nil {
		return errors.Join(ctx.Err())
	}
	registry := shown(reference.Context().RegistryStr())
	var answer *transport.Error
	if errors.As(err, &answer) {
		switch answer.StatusCode {
		case http.StatusUnauthorized, http.StatusForbidden:
			return noPush(reference)
		case http.StatusRequestEntityTooLarge:
			return &Error{Registry: registry, Message: "a layer is larger than it takes (413)", Fix: "raise the limit of the registry, or of the proxy before it"}
		case http.StatusInsufficientStorage:
			return &Error{Registry: registry, Message: "it is full (507)", Fix: "make room there, and run the command again: what was uploaded is not uploaded again"}
		case http.StatusInternalServerError, http.StatusNotFound: // the upload of which it has lost
			return &Error{
				Registry: registry, Message: fmt.Sprintf("it answers %d %s to an upload", answer.StatusCode, http.StatusText(answer.StatusCode)),
				Fix: "the trouble is on its side, often a full disk; see its log, and run the command again: what was uploaded is not uploaded again",
			}
		}
	}
	return explain(registry, err)
}

// within gives requests a context, where the library has none.
type within struct {
	ctx   context.Context
	inner http.RoundTripper
}

func (w within) RoundTrip(req *http.Request) (*http.Response, error) {
	return w.inner.RoundTrip(req.WithContext(w.ctx))
}

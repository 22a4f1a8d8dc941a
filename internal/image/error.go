package image

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"

	"github.com/google/go-containerregistry/pkg/v1/remote/transport"
)

// Error is what a registry did wrong, or what kept us from asking it.
type Error struct {
	Registry string // empty when the name itself is wrong
	Message  string
	Fix      string // what to type or write next; may be empty
	silent   bool   // it does not answer: no use to ask it again
}

func (e *Error) Error() string {
	if e.Registry == "" {
		return e.Message
	}
	return e.Registry + ": " + e.Message
}

// Hint says what to do next.
func (e *Error) Hint() string { return e.Fix }

// explain makes an error of the library one that says what to do. What a
// registry answered is not printed: it may hold anything.
func explain(registry string, err error) error {
	registry = shown(registry)
	var known *Error
	if errors.As(err, &known) {
		return known
	}
	if errors.Is(err, context.Canceled) {
		return context.Canceled
	}
	var answer *transport.Error
	if !errors.As(err, &answer) {
		message := clean(err)
		return &Error{Registry: registry, Message: message, Fix: fixFor(registry, message)}
	}
	e := &Error{Registry: registry, Message: fmt.Sprintf("it answers %d %s", answer.StatusCode, http.StatusText(answer.StatusCode))}
	switch answer.StatusCode {
	case http.StatusNotFound:
		e.Message, e.Fix = "it has no such image or tag", "correct the name; some registries say so of images that need: docker login "+registry
	case http.StatusUnauthorized, http.StatusForbidden:
		e.Message = fmt.Sprintf("it refuses access (%d %s)", answer.StatusCode, http.StatusText(answer.StatusCode))
		e.Fix = "correct the name, if there is no such image; if it is private: docker login " + registry
	case http.StatusTooManyRequests:
		e.Message, e.Fix = "too many requests (429), also after waiting", "try again later; docker login gives many registries a higher limit"
	default:
		e.Fix = "the trouble is on its side, or a proxy's in between; try again later"
	}
	return e
}

// fixFor is what to do about errors of the network.
func fixFor(registry, message string) string {
	switch {
	case strings.Contains(message, "server gave HTTP response to HTTPS client"):
		return fmt.Sprintf("it speaks plain http; if that is as it should be, write into fleet.toml: [registry] insecure = [%q]", registry)
	case strings.Contains(message, "certificate"):
		return "if it has a certificate authority of its own, name its file in SSL_CERT_FILE"
	case strings.Contains(message, "invalid character '<'"):
		return "it answers with a web page: correct the name, or see what stands in between, such as a proxy that asks for a login"
	case strings.Contains(message, "dial tcp"):
		return "see whether it can be reached from here, also by way of HTTPS_PROXY"
	}
	return ""
}

// maxMessage bounds the text of others, in bytes.
const maxMessage = 300

// httpsRefused is in the error of a server on this machine, which is tried by
// https and by http: the other half says what is wrong.
const httpsRefused = "http: server gave HTTP response to HTTPS client; "

// requestLine begins an error of net/http.
var requestLine = regexp.MustCompile(`^[A-Z][a-z]+ "[^"]*": `)

// clean makes a text that others wrote fit to be shown: its first line, without
// control characters and not too long. Further lines quote what was answered.
func clean(err error) string {
	text := err.Error()
	if _, byHTTP, both := strings.Cut(text, httpsRefused); both {
		text = byHTTP
	}
	text, _, _ = strings.Cut(strings.TrimSpace(text), "\n")
	text = requestLine.ReplaceAllString(text, "")
	text = strings.Map(func(r rune) rune {
		if unicode.IsPrint(r) {
			return r
		}
		return '?'
	}, text)
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "…"
	}
	return text
}

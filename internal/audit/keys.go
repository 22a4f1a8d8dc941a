package audit

import (
	"strings"

	"golang.org/x/crypto/ssh"

	"pistack/internal/fleet"
	"pistack/secrets"
)

// whoIs tells how headers know a recipient: an ssh public key or "age1…". The
// fingerprint is that of an ssh key.
func whoIs(text string) (who secrets.Who, fingerprint string, ok bool) {
	if r, ok := secrets.AnonymousRecipient(text); ok {
		return secrets.Who{Type: r.Type, Recipient: r.Text}, "", true
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil {
		return secrets.Who{}, "", false
	}
	return secrets.Who{Type: key.Type(), Tag: secrets.KeyTag(key)}, ssh.FingerprintSHA256(key), true
}

// source is a key in a file of the repository.
type source struct {
	who         secrets.Who
	fingerprint string
	file        string // relative to the root
}

// host is the one whose pinned key the file holds; "" for fleet.toml.
func (s source) host() string {
	rest, ok := strings.CutPrefix(s.file, "hosts/")
	host, _, _ := strings.Cut(rest, "/")
	if !ok {
		return ""
	}
	return host
}

// sourcesIn finds the keys in a version of a key file or of fleet.toml.
func sourcesIn(file string, text []byte) []source {
	lines := []string{string(text)}
	if file == fleet.Marker {
		lines = fleet.OperatorsIn(text)
	}
	var found []source
	for _, line := range lines {
		if who, fingerprint, ok := whoIs(line); ok {
			found = append(found, source{who, fingerprint, file})
		}
	}
	return found
}

// keyring follows which key stood where from when to when.
type keyring struct {
	spans map[source]*secrets.Span
	order []source
}

// change takes note of a file's keys before and after a commit.
func (k *keyring) change(at *secrets.Commit, before, after []source) {
	kept := map[source]bool{}
	for _, s := range after {
		kept[s] = true
		k.span(s).Begins(at)
	}
	for _, s := range before {
		if !kept[s] {
			k.span(s).Ends(at)
		}
	}
}

func (k *keyring) span(s source) *secrets.Span {
	span, ok := k.spans[s]
	if !ok {
		span = &secrets.Span{}
		k.spans[s], k.order = span, append(k.order, s)
	}
	return span
}

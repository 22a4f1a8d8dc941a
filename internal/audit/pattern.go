package audit

import (
	"bytes"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/secrets"
)

// minPattern is how many characters of a fingerprint are enough to look for a key:
// those that a header has in full.
const minPattern = 5

// alphabet of fingerprints.
const alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// Pattern names a key: by its tag, by its fingerprint or the beginning of that, or
// by its recipient.
type Pattern struct {
	text      string // base64, unpadded; as much as is known
	recipient string
}

// ParsePattern parses a tag as headers show it, "SHA256:…" as ssh-keygen does, or
// at least 5 characters of either.
func ParsePattern(text string) (Pattern, error) {
	p := strings.TrimRight(strings.TrimPrefix(text, "SHA256:"), "=")
	if len(p) < minPattern || len(p) > 43 || strings.Trim(p, alphabet) != "" {
		return Pattern{}, &secrets.Error{
			Message: fmt.Sprintf("%q is neither a tag nor a fingerprint", text),
			Fix:     `give a tag as "pisec list --json" shows it, or 5 characters or more of what "ssh-keygen -lf KEY.pub" prints`,
		}
	}
	return Pattern{text: p}, nil
}

// String is the pattern as a person may have typed it.
func (p Pattern) String() string {
	switch {
	case p.recipient != "":
		return p.recipient
	case len(p.text) > len("TagTag"):
		return "SHA256:" + p.text
	}
	return p.text
}

// Matches tells whether a key can be the one that is meant. A tag has 32 bits: its
// sixth character shows 2 bits of the fingerprint's.
func (k *Key) Matches(p Pattern) bool {
	if p.recipient != "" || k.Tag == "" {
		return p.recipient != "" && p.recipient == k.Recipient
	}
	if !p.fitsTag(k.Tag) {
		return false
	}
	known := false
	for _, s := range k.Sources {
		fingerprint := strings.TrimPrefix(s.Fingerprint, "SHA256:")
		if p.text == k.Tag || strings.HasPrefix(fingerprint, p.text) {
			return true
		}
		known = known || fingerprint != ""
	}
	return !known // only the tag is known of it
}

func (p Pattern) fitsTag(tag string) bool {
	if len(tag) != 6 || p.text[:5] != tag[:5] {
		return false
	}
	if len(p.text) == 5 {
		return true
	}
	return strings.IndexByte(alphabet, p.text[5])>>4 == strings.IndexByte(alphabet, tag[5])>>4
}

// ParseKey reads a key from the content of a file: an ssh public key, an ssh
// private key, whose file shows the public half, an age recipient or an age
// identity. It keeps nothing of a private key, and no error quotes the file.
func ParseKey(file string, data []byte) (Pattern, error) {
	if r, ok := secrets.AnonymousRecipient(string(data)); ok {
		return Pattern{recipient: r.Text}, nil
	}
	if key, _, _, _, err := ssh.ParseAuthorizedKey(data); err == nil {
		return patternOf(file, key)
	}
	if key, ok := publicHalf(data); ok {
		return patternOf(file, key)
	}
	if ids, err := age.ParseIdentities(bytes.NewReader(data)); err == nil && len(ids) == 1 {
		if x, ok := ids[0].(*age.X25519Identity); ok {
			return Pattern{recipient: x.Recipient().String()}, nil
		}
	}
	return Pattern{}, &secrets.Error{
		Message: file + ": is neither an ssh key nor one age recipient or identity",
		Fix:     "name a public key such as ~/.ssh/id_ed25519.pub, or use --tag",
	}
}

func patternOf(file string, key ssh.PublicKey) (Pattern, error) {
	if key.Type() != ssh.KeyAlgoED25519 {
		return Pattern{}, &secrets.Error{
			Message: fmt.Sprintf("%s: is a key of type %s, which cannot be a reader: secrets are encrypted to ssh-ed25519 keys only", file, key.Type()),
			Fix:     "it can open nothing; a host's key that can is ssh_host_ed25519_key.pub",
		}
	}
	return Pattern{text: strings.TrimPrefix(ssh.FingerprintSHA256(key), "SHA256:")}, nil
}

// publicHalf is that of a private key, also of one with a passphrase: OpenSSH
// writes it in clear.
func publicHalf(data []byte) (ssh.PublicKey, bool) {
	signer, err := ssh.ParsePrivateKey(data)
	if err == nil {
		return signer.PublicKey(), true
	}
	var locked *ssh.PassphraseMissingError
	if errors.As(err, &locked) && locked.PublicKey != nil {
		return locked.PublicKey, true
	}
	return nil, false
}

package secrets

import (
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"fmt"
	"strings"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"
)

// Reader is somebody who can read a secret: a recipient and where it comes
// from. ssh keys are known by their tag in a header; the others are anonymous.
type Reader struct {
	Source    string // for messages: "hosts/x/ssh_host_ed25519_key.pub", "fleet.toml: operators[0]"
	Recipient age.Recipient
	Text      string // "ssh-ed25519 AAAA…" or "age1…", without comment
	Type      string // of its stanza in a header, as Stanza.Type; "" for a plugin's, which says it only when it encrypts
	Tag       string // of ssh keys, as in Stanza.Tag
}

// Plugins makes recipients and identities that age plugins implement
// (https://c2sp.org/age-plugin). A plugin is a program that gets started, so
// whoever implements this decides which names are allowed.
type Plugins interface {
	Recipient(text string) (age.Recipient, error) // of "age1NAME1…"
	Identity(text string) (age.Identity, error)   // of "AGE-PLUGIN-NAME-1…"
}

// noPlugins allows none; it stands in for nil.
type noPlugins struct{}

var errNoPlugins = errors.New("age plugins cannot be used here")

func (noPlugins) Recipient(string) (age.Recipient, error) { return nil, errNoPlugins }
func (noPlugins) Identity(string) (age.Identity, error)   { return nil, errNoPlugins }

// ParseReader parses a recipient: an ssh-ed25519 public key, an age X25519
// recipient, or that of a plugin which plugins allows; nil allows none. The error is an *Error that begins with source.
func ParseReader(source, text string, plugins Plugins) (Reader, error) {
	text = strings.TrimSpace(text)
	r := Reader{Source: source, Text: text}
	switch {
	case strings.HasPrefix(text, "age1pq1"), strings.HasPrefix(text, "age1tagpq1"):
		return r, refuse(source, "is a post-quantum recipient, and age cannot mix those with ssh keys, which every host has",
			`use an X25519 recipient: "age-keygen -o KEYFILE" makes one`)
	case strings.HasPrefix(text, "age1tag1"):
		return r, refuse(source, "is a tagged recipient, which does not work yet", "use the recipient of the key's plugin, such as age1yubikey1…")
	case strings.HasPrefix(text, "age1"):
		return ageReader(r, plugins)
	}
	return sshReader(source, text)
}

// ageReader parses X25519 recipients, and what else begins with "age1" as that
// of a plugin.
func ageReader(r Reader, plugins Plugins) (Reader, error) {
	x, err := age.ParseX25519Recipient(r.Text)
	if err == nil {
		r.Recipient, r.Text, r.Type = x, x.String(), "X25519"
		return r, nil
	}
	if strings.Count(r.Text, "1") < 2 || plugins == nil {
		return r, refuse(r.Source, "is not an age X25519 recipient", `run "age-keygen -y KEYFILE" to print one`)
	}
	r.Recipient, err = plugins.Recipient(r.Text)
	var refused *Error
	if errors.As(err, &refused) {
		return r, &Error{Message: r.Source + ": " + refused.Message, Fix: refused.Fix}
	}
	if err != nil {
		return r, refuse(r.Source, "is neither an age X25519 recipient nor one of a plugin", `run "age-keygen -y KEYFILE" to print one`)
	}
	return r, nil
}

func sshReader(source, text string) (Reader, error) {
	r := Reader{Source: source, Type: ssh.KeyAlgoED25519}
	key, _, _, rest, err := ssh.ParseAuthorizedKey([]byte(text))
	if err != nil || len(rest) > 0 {
		return r, refuse(source, "is neither an age recipient nor an ssh public key", "write age1… or ssh-ed25519 AAAA…")
	}
	if key.Type() != ssh.KeyAlgoED25519 {
		return r, refuse(source, fmt.Sprintf("is a key of type %s, and secrets are encrypted to ssh-ed25519 keys only", key.Type()),
			"make one with: ssh-keygen -t ed25519")
	}
	recipient, err := agessh.NewEd25519Recipient(key)
	if err != nil {
		return r, refuse(source, "is not a usable ssh-ed25519 key", "make one with: ssh-keygen -t ed25519")
	}
	r.Recipient, r.Tag = recipient, KeyTag(key)
	r.Text = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return r, nil
}

// KeyTag is what a header shows of an ssh key: base64 of the first 4 bytes of
// the SHA-256 of its wire form. It is the beginning of the key's fingerprint.
func KeyTag(key ssh.PublicKey) string {
	sum := sha256.Sum256(key.Marshal())
	return base64.RawStdEncoding.EncodeToString(sum[:4])
}

func refuse(source, message, fix string) error {
	return &Error{Message: source + ": " + message, Fix: fix}
}

// distinct drops readers that stand there twice: an operator whose key is also
// the host's would otherwise get two stanzas.
func distinct(readers []Reader) []Reader {
	seen := map[string]bool{}
	var out []Reader
	for _, r := range readers {
		if !seen[r.Text] {
			seen[r.Text] = true
			out = append(out, r)
		}
	}
	return out
}

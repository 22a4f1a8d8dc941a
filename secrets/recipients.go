package secrets

import (
	"crypto/sha256"
	"encoding/base64"
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
	Tag       string // of ssh keys, as in Stanza.Tag
}

// ParseReader parses a recipient of the kinds that both a device and age itself
// can use: ssh-ed25519 public keys and native age X25519 recipients.
func ParseReader(source, text string) (Reader, error) {
	text = strings.TrimSpace(text)
	r := Reader{Source: source}
	if strings.HasPrefix(text, "age1") {
		x, err := age.ParseX25519Recipient(text)
		if err != nil {
			return r, refuse(source, "is not an age X25519 recipient", `run "age-keygen -y KEYFILE" to print one; plugin and post-quantum recipients do not work yet`)
		}
		r.Recipient, r.Text = x, x.String()
		return r, nil
	}
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
	sum := sha256.Sum256(key.Marshal())
	r.Recipient, r.Tag = recipient, base64.RawStdEncoding.EncodeToString(sum[:4])
	r.Text = strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	return r, nil
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

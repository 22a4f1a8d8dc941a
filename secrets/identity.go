package secrets

import (
	"bufio"
	"bytes"
	"crypto/x509"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// maxIdentity bounds an identity file, in bytes.
const maxIdentity = 1 << 20

// maxWork bounds the work of a passphrase, as a power of two: age itself writes
// 18, which takes a second; a file with more could keep us busy for hours.
const maxWork = 22

// Passphrase asks for the passphrase of a key file. It is called once at most
// for each identity file.
type Passphrase func(file string) ([]byte, error)

// LoadIdentity reads a private key: an ssh-ed25519 key, a file of age
// identities as age-keygen and age plugins write them, or such a file encrypted
// with a passphrase. The passphrase of an ssh key is asked for when the key is
// needed, that of an encrypted file at once. plugins may be nil.
func LoadIdentity(file string, ask Passphrase, plugins Plugins) ([]age.Identity, error) {
	data, err := readBounded(file, maxIdentity)
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("identity %s: %v", file, fileReason(err)), Fix: "name a private key with --identity FILE or PISEC_IDENTITY"}
	}
	defer clear(data)
	start := bytes.TrimSpace(data)
	switch {
	case bytes.HasPrefix(start, []byte(armor.Header)), bytes.HasPrefix(start, []byte("age-encryption.org/")):
		return encryptedIdentities(file, data, ask, plugins)
	case bytes.HasPrefix(start, []byte("-----BEGIN ")):
		return sshIdentity(file, data, ask)
	case bytes.HasPrefix(start, []byte("ssh-")), bytes.HasPrefix(start, []byte("age1")):
		return nil, &Error{Message: fmt.Sprintf("identity %s: is a public key", file), Fix: "decrypting needs the private half: name its file"}
	}
	return ageIdentities(file, data, plugins)
}

// encryptedIdentities opens an identity file that "age -p" encrypted.
func encryptedIdentities(file string, data []byte, ask Passphrase, plugins Plugins) ([]age.Identity, error) {
	wrong := func(what string, cause error) error {
		return &Error{Message: fmt.Sprintf("identity %s: %s", file, what), Err: cause, Fix: `only a passphrase can protect an identity file: "age -p"; "age -d FILE" asks for it, too`}
	}
	stanzas, err := binaryStanzas(dearmored(data))
	if err != nil || len(stanzas) != 1 || stanzas[0].Type != "scrypt" {
		return nil, wrong("is encrypted, and not with a passphrase", nil)
	}
	passphrase, err := ask(file)
	if err != nil {
		return nil, notAsked(file, err)
	}
	defer clear(passphrase)
	scrypt, err := age.NewScryptIdentity(string(passphrase))
	if err != nil {
		return nil, wrong("the passphrase is empty", nil)
	}
	scrypt.SetMaxWorkFactor(maxWork)
	plain, err := age.Decrypt(dearmored(data), scrypt)
	if err != nil {
		return nil, wrong("the passphrase is wrong", nil)
	}
	text, err := io.ReadAll(io.LimitReader(plain, maxIdentity))
	if err != nil {
		return nil, wrong("is damaged or truncated", nil)
	}
	defer clear(text)
	return ageIdentities(file, text, plugins)
}

// dearmored reads an age file of either form as a binary one.
func dearmored(data []byte) io.Reader {
	if start := bytes.TrimSpace(data); bytes.HasPrefix(start, []byte(armor.Header)) {
		return armor.NewReader(bytes.NewReader(start))
	}
	return bytes.NewReader(data)
}

// ageIdentities parses a file with one identity a line. No error quotes it.
func ageIdentities(file string, data []byte, plugins Plugins) ([]age.Identity, error) {
	if plugins == nil {
		plugins = noPlugins{}
	}
	var identities []age.Identity
	lines := bufio.NewScanner(bytes.NewReader(data))
	for n := 1; lines.Scan(); n++ {
		line := strings.TrimSpace(lines.Text())
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		id, err := ageIdentity(line, plugins)
		var refused *Error
		if errors.As(err, &refused) {
			return nil, &Error{Message: fmt.Sprintf("identity %s:%d: %s", file, n, refused.Message), Fix: refused.Fix}
		}
		if err != nil {
			identities = nil
			break
		}
		identities = append(identities, id)
	}
	if len(identities) == 0 || lines.Err() != nil {
		return nil, &Error{Message: fmt.Sprintf("identity %s: is neither an ssh-ed25519 private key nor an age identity file", file),
			Fix: "age-keygen -o FILE makes one"}
	}
	return identities, nil
}

func ageIdentity(line string, plugins Plugins) (age.Identity, error) {
	if strings.HasPrefix(line, "AGE-PLUGIN-") {
		return plugins.Identity(line)
	}
	if strings.HasPrefix(line, "AGE-SECRET-KEY-PQ-1") {
		return age.ParseHybridIdentity(line)
	}
	return age.ParseX25519Identity(line)
}

func sshIdentity(file string, text []byte, ask Passphrase) ([]age.Identity, error) {
	id, err := agessh.ParseIdentity(text)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked) && locked.PublicKey != nil && locked.PublicKey.Type() == ssh.KeyAlgoED25519:
		id, err = newLocked(file, locked.PublicKey, text, ask)
	case err == nil:
		if _, ok := id.(*agessh.Ed25519Identity); !ok {
			err = errors.New("wrong type")
		}
	}
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("identity %s: is %s, not an ssh-ed25519 private key", file, kindOfKey(text)),
			Fix: "age reads ssh-ed25519 keys; rsa, ecdsa and security keys cannot be used, and ssh-agent can only sign: ssh-keygen -t ed25519"}
	}
	return []age.Identity{id}, nil
}

// kindOfKey names the type of a private key that cannot be used. The files of
// OpenSSH carry the public key in clear, also those with a passphrase.
func kindOfKey(text []byte) string {
	block, _ := pem.Decode(text)
	if block == nil {
		return "a damaged key"
	}
	defer clear(block.Bytes)
	for _, k := range []struct{ mark, name string }{
		{"sk-ssh-ed25519@openssh.com", "a security key (sk-ssh-ed25519)"},
		{"sk-ecdsa-sha2-", "a security key (sk-ecdsa)"},
		{"ecdsa-sha2-", "an ecdsa key"},
		{"ssh-rsa", "an rsa key"},
		{"ssh-dss", "a dsa key"},
		{"ssh-ed25519", "a damaged key"},
	} {
		if bytes.Contains(block.Bytes, []byte(k.mark)) {
			return k.name
		}
	}
	switch block.Type {
	case "RSA PRIVATE KEY":
		return "an rsa key"
	case "EC PRIVATE KEY":
		return "an ecdsa key"
	}
	return "something else"
}

// lockedIdentity is an ssh key with a passphrase. It is asked for once, and what
// was wrong with it stays wrong.
type lockedIdentity struct {
	mu     sync.Mutex // age's own type unlocks itself at first use
	key    *agessh.EncryptedSSHIdentity
	file   string
	asked  error // of asking for the passphrase: age keeps only its text
	failed error
}

func newLocked(file string, key ssh.PublicKey, pem []byte, ask Passphrase) (age.Identity, error) {
	pem = bytes.Clone(pem) // kept until the key is needed; it is encrypted
	locked := &lockedIdentity{file: file}
	var err error
	locked.key, err = agessh.NewEncryptedSSHIdentity(key, pem, func() (passphrase []byte, err error) {
		passphrase, locked.asked = ask(file)
		return passphrase, locked.asked
	})
	return locked, err
}

// notAsked is that nobody gave the passphrase of a key file. It keeps the reason,
// so that Ctrl-C is told from the rest.
func notAsked(file string, err error) error {
	return &Error{Message: fmt.Sprintf("identity %s: has a passphrase", file), Err: err,
		Fix: "run this at a terminal, or name a key without a passphrase with --identity FILE"}
}

// Unwrap says of a key that could not be unlocked that it is the key's fault,
// not the file's.
func (l *lockedIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.failed != nil {
		return nil, l.failed
	}
	key, err := l.key.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		l.failed = l.explain(err)
		return nil, l.failed
	}
	return key, err
}

func (l *lockedIdentity) explain(err error) error {
	if l.asked != nil {
		return notAsked(l.file, l.asked)
	}
	// age keeps only the text of x509's error.
	if strings.HasSuffix(err.Error(), x509.IncorrectPasswordError.Error()) {
		err = errors.New("the passphrase is wrong")
	}
	return &Error{Message: "identity " + l.file, Err: err, Fix: "the passphrase is that of the key file; ssh-keygen -y -f FILE asks for it, too"}
}

// shareable tells whether an identity may be used by several at once: those of age
// itself, and ours, which see to it. A plugin's may ask somebody for each file.
func shareable(id age.Identity) bool {
	switch id.(type) {
	case *age.X25519Identity, *age.HybridIdentity, *agessh.Ed25519Identity, *lockedIdentity:
		return true
	}
	return false
}

// TrailingNewline tells whether a value ends in a line break, which is seldom
// meant: "echo KEY | pisec add …" brings one.
func TrailingNewline(value []byte) bool { return bytes.HasSuffix(value, []byte("\n")) }

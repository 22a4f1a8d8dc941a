package secrets

import (
	"bytes"
	"errors"
	"fmt"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// maxIdentity bounds an identity file, in bytes.
const maxIdentity = 1 << 20

// Passphrase asks for the passphrase of a key file. It is called once at most
// for each identity, and only when the key is needed.
type Passphrase func(file string) ([]byte, error)

// LoadIdentity reads a private key: an ssh-ed25519 key, also one with a
// passphrase, or a file of age identities as age-keygen writes them.
func LoadIdentity(file string, ask Passphrase) ([]age.Identity, error) {
	data, err := readBounded(file, maxIdentity)
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("identity %s: %v", file, fileReason(err)), Fix: "name a private key with --identity FILE or PISEC_IDENTITY"}
	}
	defer clear(data)
	if start := bytes.TrimSpace(data); bytes.HasPrefix(start, []byte("-----BEGIN ")) && !bytes.HasPrefix(start, []byte(armor.Header)) {
		return sshIdentity(file, data, ask)
	}
	identities, err := age.ParseIdentities(bytes.NewReader(data))
	if err != nil {
		// The parser's error may quote the file.
		return nil, &Error{Message: fmt.Sprintf("identity %s: is neither an ssh-ed25519 private key nor an age identity file", file),
			Fix: "age-keygen -o FILE makes one; plugin and encrypted identity files do not work yet"}
	}
	return identities, nil
}

func sshIdentity(file string, pem []byte, ask Passphrase) ([]age.Identity, error) {
	id, err := agessh.ParseIdentity(pem)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked) && locked.PublicKey != nil && locked.PublicKey.Type() == ssh.KeyAlgoED25519:
		id, err = newLocked(file, locked.PublicKey, pem, ask)
	case err == nil:
		if _, ok := id.(*agessh.Ed25519Identity); !ok {
			err = errors.New("wrong type")
		}
	}
	if err != nil {
		return nil, &Error{Message: fmt.Sprintf("identity %s: is not an ssh-ed25519 private key", file),
			Fix: "age reads ssh-ed25519 keys; rsa, ecdsa and security keys cannot be used, and ssh-agent can only sign: ssh-keygen -t ed25519"}
	}
	return []age.Identity{id}, nil
}

// lockedIdentity is an ssh key with a passphrase.
type lockedIdentity struct {
	*agessh.EncryptedSSHIdentity
	file string
}

func newLocked(file string, key ssh.PublicKey, pem []byte, ask Passphrase) (age.Identity, error) {
	pem = bytes.Clone(pem) // kept until the key is needed; it is encrypted
	id, err := agessh.NewEncryptedSSHIdentity(key, pem, func() ([]byte, error) { return ask(file) })
	return lockedIdentity{id, file}, err
}

// Unwrap says of a key that could not be unlocked that it is the key's fault,
// not the file's.
func (l lockedIdentity) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	key, err := l.EncryptedSSHIdentity.Unwrap(stanzas)
	if err != nil && !errors.Is(err, age.ErrIncorrectIdentity) {
		return nil, &Error{Message: "identity " + l.file, Err: err, Fix: "the passphrase is that of the key file; ssh-keygen -y -f FILE asks for it, too"}
	}
	return key, err
}

// TrailingNewline tells whether a value ends in a line break, which is seldom
// meant: "echo KEY | pisec add …" brings one.
func TrailingNewline(value []byte) bool { return bytes.HasSuffix(value, []byte("\n")) }

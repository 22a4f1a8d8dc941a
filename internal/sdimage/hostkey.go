package sdimage

import (
	"bytes"
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"errors"
	"io"
	"os"

	"golang.org/x/crypto/ssh"
)

// HostKey is a host's ssh-ed25519 key.
type HostKey struct {
	private []byte // OpenSSH's form, as sshd reads it
	Public  ssh.PublicKey
}

// NewHostKey makes a key, in memory.
func NewHostKey(host string) (HostKey, error) {
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		return HostKey{}, err
	}
	block, err := ssh.MarshalPrivateKey(key, "root@"+host)
	if err != nil {
		return HostKey{}, err
	}
	return ParseHostKey(pem.EncodeToMemory(block))
}

// maxKey bounds the file of a key, in bytes.
const maxKey = 64 << 10

// ReadHostKey reads a private key from a file. No error quotes it.
func ReadHostKey(path string) (HostKey, error) {
	refuse := func(message string, err error) (HostKey, error) {
		return HostKey{}, &Error{File: path, Message: message, Err: err, Fix: "name a private key without a passphrase, such as ssh-keygen -t ed25519 -N '' makes"}
	}
	file, err := openRegular(path, os.O_RDONLY)
	if err != nil {
		return HostKey{}, err
	}
	defer file.Close()
	data, err := io.ReadAll(io.LimitReader(file, maxKey+1))
	if err != nil {
		return refuse("cannot be read", err)
	}
	defer clear(data)
	if len(data) > maxKey {
		return refuse("is too large for a key", nil)
	}
	key, err := ParseHostKey(bytes.Clone(data))
	if err != nil {
		return refuse("cannot be a host key", err)
	}
	return key, nil
}

// ParseHostKey takes a private key as OpenSSH writes it. It keeps data. Errors say
// nothing of it.
func ParseHostKey(data []byte) (HostKey, error) {
	signer, err := ssh.ParsePrivateKey(data)
	var locked *ssh.PassphraseMissingError
	switch {
	case errors.As(err, &locked):
		return HostKey{}, errors.New("it has a passphrase, and sshd would start without a host key")
	case err != nil:
		return HostKey{}, errors.New("it is not an ssh private key")
	case signer.PublicKey().Type() != ssh.KeyAlgoED25519:
		return HostKey{}, errors.New("it is a key of type " + signer.PublicKey().Type() + ", and secrets are encrypted to ssh-ed25519 keys only")
	}
	return HostKey{private: data, Public: signer.PublicKey()}, nil
}

// Line is the public half as a line of authorized keys form, with a line break.
func (k HostKey) Line() []byte { return ssh.MarshalAuthorizedKey(k.Public) }

// Fingerprint is what ssh-keygen -l shows.
func (k HostKey) Fingerprint() string { return ssh.FingerprintSHA256(k.Public) }

// Is tells whether two keys are the same.
func (k HostKey) Is(public ssh.PublicKey) bool {
	return k.Public != nil && public != nil && bytes.Equal(k.Public.Marshal(), public.Marshal())
}

// Forget overwrites the private half.
func (k HostKey) Forget() { clear(k.private) }

package install

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os"

	"filippo.io/age"
	"filippo.io/age/agessh"

	"pistack/secrets"
	"pistack/secrets/manifest"
)

// maxKey bounds a private key file, maxCiphertext a secret's file, in bytes.
const (
	maxKey        = 64 << 10
	maxCiphertext = 2*secrets.MaxValue + 64<<10
)

// values are decrypted secrets by name.
type values map[string][]byte

// clear overwrites all plaintext; best effort, since Go may have copied it.
func (v values) clear() {
	for _, value := range v {
		clear(value)
	}
}

// decrypt opens every secret of the manifest. The error names each that failed.
func decrypt(m *manifest.Manifest) (values, error) {
	all := values{}
	if len(m.Secrets) == 0 {
		return all, nil // a host without secrets needs no key
	}
	identities, err := hostIdentities(m.HostKeys)
	if err != nil {
		return all, err
	}
	var problems []error
	read := func(i int) ([]byte, error) { return readFile(m.Secrets[i].File, maxCiphertext) }
	secrets.OpenAll(len(m.Secrets), read, func(i int, opened secrets.Opened, err error) {
		s := m.Secrets[i]
		if err == nil {
			err = checkLabel(m.Host, s, opened.Label)
		}
		if errors.Is(err, secrets.ErrNotAReader) {
			err = errors.New("this host's key cannot read it: it was encrypted to another key")
		}
		if err != nil {
			clear(opened.Value)
			problems = append(problems, fmt.Errorf("secret %s: %w", s.Name, err))
			return
		}
		all[s.Name] = opened.Value
	}, identities...)
	return all, errors.Join(problems...)
}

func checkLabel(host string, s manifest.Secret, got secrets.Label) error {
	want := secrets.Label{Host: host, Name: s.Name, Version: s.Version}
	if got != want {
		return fmt.Errorf("the file holds %s of %s, version %s, instead of %s of %s, version %s",
			got.Name, got.Host, got.Version, want.Name, want.Host, want.Version)
	}
	return nil
}

// hostIdentities reads the host's private keys. One that works is enough; with
// none the error says what is wrong with each.
func hostIdentities(paths []string) ([]age.Identity, error) {
	var identities []age.Identity
	var problems []error
	for _, p := range paths {
		pem, err := readFile(p, maxKey)
		if err != nil {
			problems = append(problems, fmt.Errorf("host key %s: %w", p, err))
			continue
		}
		id, err := agessh.ParseIdentity(pem)
		clear(pem)
		if err != nil {
			problems = append(problems, fmt.Errorf("host key %s: is not an unencrypted ssh-ed25519 private key", p))
			continue
		}
		if _, rsa := id.(*agessh.RSAIdentity); rsa {
			problems = append(problems, fmt.Errorf("host key %s: is an rsa key, and secrets are encrypted to ssh-ed25519 keys only", p))
			continue
		}
		identities = append(identities, id)
	}
	if len(identities) == 0 {
		return nil, errors.Join(problems...)
	}
	return identities, nil
}

func readFile(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, pathReason(err)
	}
	defer f.Close()
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() <= max {
		data.Grow(int(info.Size()) + bytes.MinRead) // one read, no growing
	}
	if _, err := data.ReadFrom(io.LimitReader(f, max+1)); err != nil {
		return nil, pathReason(err)
	}
	if int64(data.Len()) > max {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, max)
	}
	return data.Bytes(), nil
}

// pathReason keeps path and reason of a file error, without the system call.
func pathReason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}

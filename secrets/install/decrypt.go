package install

import (
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
	for _, s := range m.Secrets {
		value, err := decryptOne(m.Host, s, identities)
		if err != nil {
			problems = append(problems, fmt.Errorf("secret %s: %w", s.Name, err))
			continue
		}
		all[s.Name] = value
	}
	return all, errors.Join(problems...)
}

func decryptOne(host string, s manifest.Secret, identities []age.Identity) ([]byte, error) {
	data, err := readFile(s.File, maxCiphertext)
	if err != nil {
		return nil, err
	}
	opened, err := secrets.Open(data, identities...)
	if errors.Is(err, secrets.ErrNotAReader) {
		return nil, errors.New("this host's key cannot read it: it was encrypted to another key")
	}
	if err != nil {
		return nil, err
	}
	want := secrets.Label{Host: host, Name: s.Name, Version: s.Version}
	if opened.Label != want {
		clear(opened.Value)
		return nil, fmt.Errorf("the file holds %s of %s, version %s, instead of %s of %s, version %s",
			opened.Label.Name, opened.Label.Host, opened.Label.Version, want.Name, want.Host, want.Version)
	}
	return opened.Value, nil
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
	data, err := io.ReadAll(io.LimitReader(f, max+1))
	if err != nil {
		return nil, pathReason(err)
	}
	if int64(len(data)) > max {
		return nil, fmt.Errorf("%s is larger than %d bytes", path, max)
	}
	return data, nil
}

// pathReason keeps path and reason of a file error, without the system call.
func pathReason(err error) error {
	var path *os.PathError
	if errors.As(err, &path) {
		return fmt.Errorf("%s: %w", path.Path, path.Err)
	}
	return err
}

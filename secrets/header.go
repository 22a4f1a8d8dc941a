package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"strings"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// Header is what a secret's file tells without any key.
type Header struct {
	Label   Label
	Readers []Stanza // one for each reader, in file order
}

// Stanza describes a reader as far as the header tells.
type Stanza struct {
	Type string // "X25519", "ssh-ed25519", a plugin's type …
	Tag  string // of ssh stanzas: base64 of the first 4 bytes of the key's SHA-256; else empty
}

// ReadHeader reads the header of an armored secret. It needs no key and does
// not read the payload.
func ReadHeader(r io.Reader) (Header, error) {
	stanzas, err := readStanzas(r)
	if err != nil {
		return Header{}, err
	}
	label, err := LabelOf(stanzas)
	if err != nil {
		return Header{}, err
	}
	return Header{Label: label, Readers: readersIn(stanzas)}, nil
}

// readersIn describes the stanzas of readers, which are all but our own.
func readersIn(stanzas []*age.Stanza) []Stanza {
	var readers []Stanza
	for _, s := range stanzas {
		if s.Type == labelType {
			continue
		}
		reader := Stanza{Type: s.Type}
		if strings.HasPrefix(s.Type, "ssh-") && len(s.Args) > 0 {
			reader.Tag = s.Args[0]
		}
		readers = append(readers, reader)
	}
	return readers
}

// readStanzas lists the stanzas of an armored file's header.
func readStanzas(r io.Reader) ([]*age.Stanza, error) {
	stanzas, err := binaryStanzas(armor.NewReader(r))
	if err != nil {
		return nil, errNotAge
	}
	return stanzas, nil
}

// binaryStanzas lists a header's stanzas by offering age an identity that takes
// note of them and opens none.
func binaryStanzas(r io.Reader) ([]*age.Stanza, error) {
	var seen recorder
	_, err := age.Decrypt(r, &seen)
	var noMatch *age.NoIdentityMatchError
	if !errors.As(err, &noMatch) {
		return nil, errNotAge
	}
	return seen.stanzas, nil
}

// recorder is an age.Identity that takes note of the stanzas it is shown and
// lets other identities open them. It is given to age alone: age tries native
// identities first, whatever their order, and stops at the one that fits.
type recorder struct {
	identities []age.Identity
	stanzas    []*age.Stanza
}

func (r *recorder) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	r.stanzas = stanzas
	for _, id := range r.identities {
		key, err := id.Unwrap(stanzas)
		if !errors.Is(err, age.ErrIncorrectIdentity) {
			return key, err
		}
	}
	return nil, age.ErrIncorrectIdentity
}

// Opened is a secret's file opened with a key.
type Opened struct {
	Label Label
	Value []byte
}

// Open decrypts an armored secret. The label it returns is authenticated: age
// has verified the header's MAC before the payload is read. The error never
// carries bytes of the value.
func Open(ciphertext []byte, identities ...age.Identity) (Opened, error) {
	seen := recorder{identities: identities}
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(ciphertext)), &seen)
	if err != nil {
		return Opened{}, openError(err)
	}
	// The payload is authenticated in chunks: only a read to the end proves it.
	value, err := io.ReadAll(io.LimitReader(plain, MaxValue+1))
	if err != nil {
		return Opened{}, errors.New("the payload is damaged or truncated")
	}
	if len(value) > MaxValue {
		clear(value)
		return Opened{}, errors.New("the value is larger than 1 MiB")
	}
	label, err := LabelOf(seen.stanzas)
	if err != nil {
		clear(value)
		return Opened{}, err
	}
	return Opened{Label: label, Value: value}, nil
}

// OpenAll opens n files, several at once, and hands each to use, or what was
// wrong with it, one at a time and in their order. read returns file i. The
// identities must be of native age or ssh keys.
func OpenAll(n int, read func(i int) ([]byte, error), use func(i int, o Opened, err error), identities ...age.Identity) {
	type result struct {
		opened Opened
		err    error
	}
	_ = inOrder(n, 2*cores(), func(i int) result { // use has no error to end it with
		data, err := read(i)
		if err != nil {
			return result{err: err}
		}
		opened, err := Open(data, identities...)
		return result{opened, err}
	}, func(i int, r result) error {
		use(i, r.opened, r.err)
		return nil
	})
}

func openError(err error) error {
	var noMatch *age.NoIdentityMatchError
	if errors.As(err, &noMatch) {
		return ErrNotAReader
	}
	var refused *Error
	if errors.As(err, &refused) {
		return refused // of an identity: the file was not even tried
	}
	return errNotAge
}

// ErrNotAReader says that none of the given keys is among a file's readers.
var ErrNotAReader = errors.New("none of the given keys can read it")

// openSecret opens a secret's file: a regular one, of bounded size. A pipe or a
// device in its place is refused before it is opened, which could block.
func openSecret(repository fs.FS, file string) (fs.File, error) {
	info, err := fs.Lstat(repository, file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, errNotRegular
	}
	if info.Size() > maxFile {
		return nil, fmt.Errorf("is larger than %d bytes", maxFile)
	}
	return repository.Open(file)
}

// readSecret reads a secret's file as a whole.
func readSecret(repository fs.FS, file string) ([]byte, error) {
	f, err := openSecret(repository, file)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readMost(f, maxFile)
}

// readBounded reads a file of at most max bytes.
func readBounded(path string, max int64) ([]byte, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return readMost(f, max)
}

// readMost reads a file to its end, at most max bytes.
func readMost(f fs.File, max int64) ([]byte, error) {
	var data bytes.Buffer
	if info, err := f.Stat(); err == nil && info.Size() <= max {
		data.Grow(int(info.Size()) + bytes.MinRead) // one read, no growing
	}
	if _, err := data.ReadFrom(io.LimitReader(f, max+1)); err != nil {
		return nil, err
	}
	if int64(data.Len()) > max {
		return nil, fmt.Errorf("is larger than %d bytes", max)
	}
	return data.Bytes(), nil
}

package secrets

import (
	"bytes"
	"crypto/hkdf"
	"crypto/hmac"
	"crypto/sha256"
	"encoding/base64"
	"errors"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// rewrap gives a secret other readers and keeps its value: the payload's bytes
// stay as they are, which proves to a reviewer without any key that the value
// did not change. It opens the result before it returns it.
//
// age has no function to write a header for a given file key. It is asked to
// encrypt nothing to recipients that wrap our file key instead of its own, so
// that every stanza is written by age; only the MAC line, which age computes
// with its own key, is replaced (age v1, "Header MAC").
func rewrap(ciphertext []byte, readers []Reader, identities ...age.Identity) ([]byte, error) {
	file, err := io.ReadAll(io.LimitReader(armor.NewReader(bytes.NewReader(ciphertext)), maxFile))
	if err != nil {
		return nil, errNotAge
	}
	return rewrapBinary(file, LabelOf, readers, identities...)
}

// rewrapBinary is rewrap for a file without its armor. The result carries the
// label that labelOf finds among the old stanzas.
func rewrapBinary(file []byte, labelOf func([]*age.Stanza) (Label, error), readers []Reader, identities ...age.Identity) ([]byte, error) {
	old, err := age.ExtractHeader(bytes.NewReader(file))
	if err != nil {
		return nil, errNotAge
	}
	seen := recorder{identities: identities}
	fileKey, err := age.DecryptHeader(old, &seen)
	if err != nil {
		return nil, openError(err)
	}
	defer clear(fileKey)
	label, err := labelOf(seen.stanzas)
	if err != nil {
		return nil, err
	}
	header, err := headerFor(fileKey, label, distinct(readers))
	if err != nil {
		return nil, err
	}
	return seal(header, file[len(old):], fileKey, label)
}

// headerFor writes a whole header for a file key.
func headerFor(fileKey []byte, label Label, readers []Reader) ([]byte, error) {
	if len(readers) == 0 {
		return nil, errors.New("nobody could read it")
	}
	recipients := []age.Recipient{label}
	for _, r := range readers {
		recipients = append(recipients, fixedKey{r.Recipient, fileKey})
	}
	var empty bytes.Buffer
	w, err := age.Encrypt(&empty, recipients...)
	if err != nil {
		return nil, recipientError(err)
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	header, err := age.ExtractHeader(&empty)
	if err != nil {
		return nil, err
	}
	end := bytes.LastIndex(header, []byte("\n---"))
	if end < 0 {
		return nil, errors.New("age wrote a header of an unknown form")
	}
	header = header[:end+len("\n---")]
	mac, err := headerMAC(fileKey, header)
	if err != nil {
		return nil, err
	}
	return append(header, " "+base64.RawStdEncoding.EncodeToString(mac)+"\n"...), nil
}

// headerMAC is HMAC-SHA256 under HKDF-SHA256(file key, no salt, "header"), over
// the header up to and including "---".
func headerMAC(fileKey, header []byte) ([]byte, error) {
	key, err := hkdf.Key(sha256.New, fileKey, nil, "header", sha256.Size)
	if err != nil {
		return nil, err
	}
	h := hmac.New(sha256.New, key)
	h.Write(header)
	return h.Sum(nil), nil
}

// fixedKey is a recipient that wraps its own file key whatever it is given.
type fixedKey struct {
	recipient age.Recipient
	fileKey   []byte
}

func (f fixedKey) Wrap([]byte) ([]*age.Stanza, error) { return f.recipient.Wrap(f.fileKey) }

// WrapWithLabels passes on which other recipients this one may be mixed with.
func (f fixedKey) WrapWithLabels([]byte) ([]*age.Stanza, []string, error) {
	if labeled, ok := f.recipient.(age.RecipientWithLabels); ok {
		return labeled.WrapWithLabels(f.fileKey)
	}
	stanzas, err := f.recipient.Wrap(f.fileKey)
	return stanzas, nil, err
}

// seal joins header and payload, armored, and opens the result: header MAC,
// label and every chunk of the payload are checked before anyone relies on it.
func seal(header, payload, fileKey []byte, label Label) ([]byte, error) {
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	for _, part := range [][]byte{header, payload} {
		if _, err := w.Write(part); err != nil {
			return nil, err
		}
	}
	if err := w.Close(); err != nil {
		return nil, err
	}
	opened, err := Open(out.Bytes(), age.NewInjectedFileKeyIdentity(fileKey))
	if err != nil {
		return nil, err
	}
	clear(opened.Value)
	if opened.Label != label {
		return nil, errors.New("the rewrapped file does not carry the old label")
	}
	return out.Bytes(), nil
}

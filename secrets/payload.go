package secrets

import (
	"errors"
	"io/fs"
)

// SamePayload tells whether a secret's file has the same payload in two
// repositories. A rekey keeps it, which proves to a reviewer without any key
// that the value did not change; every new value has another.
func SamePayload(a, b fs.FS, file string) (bool, error) {
	one, err1 := ciphertextOf(a, file)
	other, err2 := ciphertextOf(b, file)
	if err := errors.Join(err1, err2); err != nil {
		return false, err
	}
	return one.Payload == other.Payload, nil
}

func ciphertextOf(repository fs.FS, file string) (*Ciphertext, error) {
	data, err := readSecret(repository, file)
	if err != nil {
		return nil, fileReason(err)
	}
	return ReadCiphertext(data)
}

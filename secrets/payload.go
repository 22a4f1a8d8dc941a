package secrets

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"io"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// PayloadSum is the SHA-256 of an armored secret's payload: of ciphertext, which
// tells nothing about the value. A rekey keeps it, and a new value never does,
// since it gets a new file key.
func PayloadSum(ciphertext []byte) ([sha256.Size]byte, error) {
	var none [sha256.Size]byte
	file, err := io.ReadAll(io.LimitReader(armor.NewReader(bytes.NewReader(ciphertext)), maxFile))
	if err != nil {
		return none, errors.New("is not an armored age file")
	}
	header, err := age.ExtractHeader(bytes.NewReader(file))
	if err != nil {
		return none, errors.New("is not an age file, or its header is damaged")
	}
	return sha256.Sum256(file[len(header):]), nil
}

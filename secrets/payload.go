package secrets

import (
	"bytes"
	"errors"
	"io"
	"io/fs"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// SamePayload tells whether a secret's file has the same payload in two
// repositories. A rekey keeps it, which proves to a reviewer without any key
// that the value did not change; every new value has another.
func SamePayload(a, b fs.FS, file string) (bool, error) {
	one, err := payloadOf(a, file)
	if err != nil {
		return false, err
	}
	other, err := payloadOf(b, file)
	return err == nil && bytes.Equal(one, other), err
}

func payloadOf(repository fs.FS, file string) ([]byte, error) {
	data, err := readSecret(repository, file)
	if err != nil {
		return nil, fileReason(err)
	}
	binary, err := io.ReadAll(io.LimitReader(armor.NewReader(bytes.NewReader(data)), maxFile))
	if err != nil {
		return nil, errors.New("is not an armored age file")
	}
	header, err := age.ExtractHeader(bytes.NewReader(binary))
	if err != nil {
		return nil, errors.New("is not an age file, or its header is damaged")
	}
	return binary[len(header):], nil
}

package install

import (
	"bytes"
	"errors"
	"fmt"

	"pistack/secrets"
	"pistack/secrets/manifest"
)

// Check tells, without any key, whether a manifest's files are there and are
// the secrets that it says. It can run while a system is built.
func Check(m *manifest.Manifest) error {
	var problems []error
	for _, s := range m.Secrets {
		if err := checkOne(m.Host, s); err != nil {
			problems = append(problems, fmt.Errorf("secret %s: %w", s.Name, err))
		}
	}
	return errors.Join(problems...)
}

func checkOne(host string, s manifest.Secret) error {
	data, err := readFile(s.File, maxCiphertext)
	if err != nil {
		return err
	}
	header, err := secrets.ReadHeader(bytes.NewReader(data))
	if err != nil {
		return err
	}
	// What is cut off behind the header shows in the armor.
	if _, err := secrets.ReadCiphertext(data); err != nil {
		return err
	}
	if want := (secrets.Label{Host: host, Name: s.Name, Version: s.Version}); header.Label != want {
		return fmt.Errorf("the file holds %s of %s, version %s", header.Label.Name, header.Label.Host, header.Label.Version)
	}
	return nil
}

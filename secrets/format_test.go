package secrets

import (
	"os"
	"path/filepath"
	"testing"

	"filippo.io/age"
)

// TestFilesOfTheFirstRelease: what the first release wrote, for an ssh key and an
// age key, is opened and rewrapped, and keeps value, label and payload. The keys
// beside it are for this test alone.
func TestFilesOfTheFirstRelease(t *testing.T) {
	read := func(name string) []byte {
		data, err := os.ReadFile(filepath.Join("testdata/format-v1", name))
		if err != nil {
			t.Fatal(err)
		}
		return data
	}
	file, value := read("KEY.age"), string(read("value"))
	label := Label{Host: "pi", Name: "KEY", Version: "20261124T145538Z-afb97aa9"}
	check := func(what string, file []byte, identities ...age.Identity) {
		opened, err := Open(file, identities...)
		if err != nil || string(opened.Value) != value || opened.Label != label {
			t.Errorf("%s: %q, %+v, %v", what, opened.Value, opened.Label, err)
		}
	}
	for _, key := range []string{"operator", "age.txt"} {
		identities, err := LoadIdentity(filepath.Join("testdata/format-v1", key), nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		check(key, file, identities...)
		reader := newPerson(t, "new")
		rewrapped, err := rewrap(file, []Reader{reader.reader}, identities...)
		if err != nil {
			t.Fatal(err)
		}
		check(key+", rewrapped", rewrapped, reader.identity)
		if string(payload(t, rewrapped)) != string(payload(t, file)) {
			t.Errorf("%s: rewrapping changed the payload", key)
		}
	}
}

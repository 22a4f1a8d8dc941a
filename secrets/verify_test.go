package secrets

import (
	"os"
	"path/filepath"
	"testing"
)

// TestVerifyVersions: a version is known by its form; nobody but pisec writes one.
func TestVerifyVersions(t *testing.T) {
	host := newPerson(t, "host")
	store := Store{Root: t.TempDir()}
	if err := os.MkdirAll(store.path(Dir("pi")), 0o755); err != nil {
		t.Fatal(err)
	}
	for name, version := range map[string]string{"GOOD": "20260101T000000Z-00000000", "BAD": "v2"} {
		data, err := encrypt([]byte("x"), Label{Host: "pi", Name: name, Version: version}, []Reader{host.reader})
		if err == nil {
			err = os.WriteFile(filepath.Join(store.Root, File("pi", name)), data, 0o644)
		}
		if err != nil {
			t.Fatal(err)
		}
	}
	entries, err := store.List("pi")
	if err != nil || len(entries) != 2 {
		t.Fatal(entries, err)
	}
	findings := Verify(Expected{Host: "pi", Readers: []Reader{host.reader}}, entries, nil)
	if len(findings) != 1 || findings[0].Secret != "BAD" || findings[0].Code != CodeFile || findings[0].Fix == "" {
		t.Errorf("%+v", findings)
	}
}

package secrets

import (
	"bytes"
	"testing"
	"time"

	"filippo.io/age"
)

// TestPayloadSum: it stays under rewrap, and the same value written again has
// another one.
func TestPayloadSum(t *testing.T) {
	first, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	second, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	readers := func(ids ...*age.X25519Identity) (all []Reader) {
		for _, id := range ids {
			r, err := ParseReader("test", id.Recipient().String(), nil)
			if err != nil {
				t.Fatal(err)
			}
			all = append(all, r)
		}
		return all
	}
	sum := func(ciphertext []byte) [32]byte {
		t.Helper()
		s, err := PayloadSum(ciphertext)
		if err != nil {
			t.Fatal(err)
		}
		return s
	}
	write := func() []byte {
		a, err := Store{Root: t.TempDir()}.Plan("pi", "KEY", []byte("canary"), readers(first), false, time.Now())
		if err != nil {
			t.Fatal(err)
		}
		return a.ciphertext
	}
	old := write()
	rewrapped, err := rewrap(old, readers(first, second), first)
	if err != nil {
		t.Fatal(err)
	}
	if bytes.Equal(old, rewrapped) || sum(old) != sum(rewrapped) {
		t.Error("a rewrap changed the payload, or nothing")
	}
	if sum(old) == sum(write()) {
		t.Error("two files of the same value have the same payload")
	}
	for _, bad := range []string{"", "x", "-----BEGIN AGE ENCRYPTED FILE-----\n", string(old[:len(old)/2])} {
		if _, err := PayloadSum([]byte(bad)); err == nil {
			t.Errorf("%q has a payload", bad)
		}
	}
}

package audit_test

import (
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"encoding/pem"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/internal/audit"
	"pistack/secrets"
)

const fingerprint = "SHA256:Bf1xYwZZRxiGsAGjcOKYspDyaY4oRurPEcE4j3ZZZhb"

func TestMatches(t *testing.T) {
	// The tag's sixth character shows the first two bits of the fingerprint's.
	known := audit.Key{Who: secrets.Who{Type: "ssh-ed25519", Tag: "Bf1xYw"}, Sources: []audit.Source{{Fingerprint: fingerprint}}}
	tagOnly := audit.Key{Who: secrets.Who{Type: "ssh-ed25519", Tag: "Bf1xYw"}}
	for _, c := range []struct {
		text           string
		known, tagOnly bool
	}{
		{"Bf1xYw", true, true},
		{"Bf1xYw==", true, true},
		{"Bf1xY", true, true},
		{"SHA256:Bf1xY", true, true},
		{"SHA256:Bf1xYw", true, true},
		{"SHA256:Bf1xYwZZR", true, true},
		{fingerprint, true, true},
		{"Bf1xYwAAA", false, true}, // another key with this tag
		{"Bf1xYA", false, false},
		{"Bf1xZ", false, false},
		{"bf1xy", false, false},
	} {
		p := pattern(t, c.text)
		if known.Matches(p) != c.known || tagOnly.Matches(p) != c.tagOnly {
			t.Errorf("%s: %t, %t", c.text, known.Matches(p), tagOnly.Matches(p))
		}
		if (&audit.Key{Who: secrets.Who{Recipient: "age1x"}}).Matches(p) {
			t.Errorf("%s matches an age key", c.text)
		}
	}
	for _, text := range []string{"", "Bf1x", "SHA256:", "MD5:00:11:22", "Bf1xY ", fingerprint + "xx", "==========", "ünicod"} {
		if p, err := audit.ParsePattern(text); err == nil || !strings.Contains(err.Error(), "neither a tag nor a fingerprint") {
			t.Errorf("%q: %v, %v", text, p, err)
		}
	}
}

func TestParseKey(t *testing.T) {
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	plain, err := ssh.MarshalPrivateKey(private, "comment")
	if err != nil {
		t.Fatal(err)
	}
	locked, err := ssh.MarshalPrivateKeyWithPassphrase(private, "comment", []byte("passphrase"))
	if err != nil {
		t.Fatal(err)
	}
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	line := string(ssh.MarshalAuthorizedKey(key))
	for name, c := range map[string]struct{ data, want string }{
		"public key":                   {line, ssh.FingerprintSHA256(key)},
		"with a comment":               {"# mine\n" + strings.TrimSpace(line) + " me@here\n", ssh.FingerprintSHA256(key)},
		"private key":                  {string(pem.EncodeToMemory(plain)), ssh.FingerprintSHA256(key)},
		"private key, with passphrase": {string(pem.EncodeToMemory(locked)), ssh.FingerprintSHA256(key)},
		"age recipient":                {id.Recipient().String() + "\n", id.Recipient().String()},
		"age identity":                 {"# created\n" + id.String() + "\n", id.Recipient().String()},
		"plugin recipient":             {"age1yubikey1qtest", "age1yubikey1qtest"},
	} {
		if p, err := audit.ParseKey("file", []byte(c.data)); err != nil || p.String() != c.want {
			t.Errorf("%s: %s, %v; want %s", name, p, err, c.want)
		}
	}
	for name, data := range map[string]string{"nothing": "", "junk": "\x00junk", "two identities": id.String() + "\n" + id.String(), "half a key": string(pem.EncodeToMemory(plain))[:100]} {
		if p, err := audit.ParseKey("file", []byte(data)); err == nil || strings.Contains(err.Error(), "AGE-SECRET") {
			t.Errorf("%s: %s, %v", name, p, err)
		}
	}
	curve, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	other, err := ssh.NewPublicKey(&curve.PublicKey)
	if err != nil {
		t.Fatal(err)
	}
	if p, err := audit.ParseKey("file", ssh.MarshalAuthorizedKey(other)); err == nil || !strings.Contains(err.Error(), "ecdsa") {
		t.Errorf("ecdsa: %s, %v", p, err)
	}
}

// FuzzPattern: what is read as a pattern finds a key with that very beginning,
// and none with another.
func FuzzPattern(f *testing.F) {
	for _, seed := range []string{fingerprint, "Bf1xYw", "SHA256:Bf1xY", "x"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		p, err := audit.ParsePattern(text)
		if err != nil {
			return
		}
		again, err := audit.ParsePattern(p.String())
		if err != nil || again != p {
			t.Fatalf("%q reads back as %v, %v", p, again, err)
		}
		whole := strings.TrimPrefix(p.String(), "SHA256:")
		whole += strings.Repeat("A", 43-len(whole))
		key := audit.Key{Who: secrets.Who{Tag: whole[:5] + firstBits(whole[5])}, Sources: []audit.Source{{Fingerprint: "SHA256:" + whole}}}
		if !key.Matches(p) {
			t.Fatalf("%v does not match %+v", p, key)
		}
		key.Tag = flip(key.Tag)
		if key.Matches(p) {
			t.Fatalf("%v matches %+v", p, key)
		}
	})
}

const base64Alphabet = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/"

// firstBits is the base64 character of the first two bits of another.
func firstBits(c byte) string {
	return string(base64Alphabet[strings.IndexByte(base64Alphabet, c)&0x30])
}

// flip changes the first character of a tag.
func flip(tag string) string {
	return string(base64Alphabet[(strings.IndexByte(base64Alphabet, tag[0])+1)%64]) + tag[1:]
}

// FuzzParseKey: whatever a file holds, no error shows it.
func FuzzParseKey(f *testing.F) {
	f.Add([]byte("AGE-SECRET-KEY-1QQQQ"))
	f.Add([]byte("-----BEGIN OPENSSH PRIVATE KEY-----\nAAAA\n-----END OPENSSH PRIVATE KEY-----\n"))
	f.Add([]byte("ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIA== x"))
	f.Fuzz(func(t *testing.T, data []byte) {
		p, err := audit.ParseKey("file", data)
		if err == nil && p.String() == "" {
			t.Fatal("neither a key nor an error")
		}
	})
}

package secrets

import (
	"bufio"
	"bytes"
	"compress/zlib"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"io"
	"io/fs"
	"slices"
	"strings"
	"testing"

	agetest "c2sp.org/CCTV/age"
	"filippo.io/age"
	"filippo.io/age/armor"
)

// vector is one of the test vectors that all age implementations share
// (https://c2sp.org/CCTV/age).
type vector struct {
	expect     string
	payload    string // hex of the SHA-256 of what opens
	identities []age.Identity
	armored    bool
	file       []byte
}

func readVector(t *testing.T, name string) vector {
	t.Helper()
	data, err := fs.ReadFile(agetest.Vectors, name)
	if err != nil {
		t.Fatal(err)
	}
	r := bufio.NewReader(bytes.NewReader(data))
	var v vector
	compressed := false
	for {
		line, err := r.ReadString('\n')
		if err != nil {
			t.Fatal(err)
		}
		key, value, _ := strings.Cut(strings.TrimSuffix(line, "\n"), ": ")
		switch key {
		case "expect":
			v.expect = value
		case "payload":
			v.payload = value
		case "identity", "passphrase":
			v.identities = append(v.identities, vectorIdentity(t, value))
		case "armored":
			v.armored = value == "yes"
		case "compressed":
			compressed = value == "zlib"
		case "file key", "comment":
		case "":
			v.file = restOf(t, r, compressed)
			return v
		default:
			t.Fatalf("unknown key %q", key)
		}
	}
}

func vectorIdentity(t *testing.T, text string) age.Identity {
	t.Helper()
	var id age.Identity
	var err error
	switch {
	case strings.HasPrefix(text, "AGE-SECRET-KEY-PQ-"):
		id, err = age.ParseHybridIdentity(text)
	case strings.HasPrefix(text, "AGE-SECRET-KEY-"):
		id, err = age.ParseX25519Identity(text)
	default:
		var scrypt *age.ScryptIdentity
		scrypt, err = age.NewScryptIdentity(text)
		if err == nil {
			scrypt.SetMaxWorkFactor(maxWork)
		}
		id = scrypt
	}
	if err != nil {
		t.Fatal(err)
	}
	return id
}

func restOf(t *testing.T, r io.Reader, compressed bool) []byte {
	t.Helper()
	if compressed {
		z, err := zlib.NewReader(r)
		if err != nil {
			t.Fatal(err)
		}
		r = z
	}
	data, err := io.ReadAll(r)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// binary is the file without its armor.
func (v vector) binary() ([]byte, error) {
	if !v.armored {
		return v.file, nil
	}
	return io.ReadAll(armor.NewReader(bytes.NewReader(v.file)))
}

// TestVectorsRewrap: a file that age opens is opened by age after our rewrap,
// too, by the new reader, with the same payload. One that age refuses, we do.
func TestVectorsRewrap(t *testing.T) {
	label := Label{Host: "pi", Name: "VECTOR", Version: "v"}
	labelOf := func([]*age.Stanza) (Label, error) { return label, nil }
	reader := newPerson(t, "new")
	outcomes := map[string]int{}
	for _, name := range vectorNames(t) {
		t.Run(name, func(t *testing.T) {
			v := readVector(t, name)
			file, err := v.binary()
			if err != nil {
				if v.expect != "armor failure" {
					t.Fatalf("want %s: %v", v.expect, err)
				}
				outcomes[v.expect]++
				return
			}
			got, err := rewrapBinary(file, labelOf, []Reader{reader.reader}, v.identities...)
			if v.expect == "success" && len(file) <= MaxValue {
				if err != nil {
					t.Fatal(err)
				}
				v.assertOpens(t, file, got, reader.identity, label)
				outcomes["success"]++
				return
			}
			if err == nil || got != nil {
				t.Fatalf("want %s, %d bytes: rewrapped", v.expect, len(file))
			}
			if v.expect == "no match" && !errors.Is(err, ErrNotAReader) {
				t.Errorf("want no match: %v", err)
			}
			outcomes[v.expect+" refused"]++
		})
	}
	for _, kind := range []string{"success", "success refused", "no match refused", "HMAC failure refused", "header failure refused", "payload failure refused", "armor failure"} {
		if outcomes[kind] == 0 {
			t.Errorf("no vector with the outcome %q: this test proves less than it says; %v", kind, outcomes)
		}
	}
}

func vectorNames(t *testing.T) []string {
	t.Helper()
	entries, err := fs.ReadDir(agetest.Vectors, ".")
	if err != nil || len(entries) < 100 {
		t.Fatalf("%d vectors, %v", len(entries), err)
	}
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// assertOpens opens the rewrapped file with age alone.
func (v vector) assertOpens(t *testing.T, old, got []byte, id age.Identity, label Label) {
	t.Helper()
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(got)), id)
	if err != nil {
		t.Fatal(err)
	}
	value, err := io.ReadAll(plain)
	if err != nil {
		t.Fatal(err)
	}
	if sum := sha256.Sum256(value); hex.EncodeToString(sum[:]) != v.payload {
		t.Errorf("opens to another payload: %x", sum)
	}
	header, err := age.ExtractHeader(bytes.NewReader(old))
	if err != nil || !bytes.Equal(payload(t, got), old[len(header):]) {
		t.Errorf("the payload's bytes changed, or %v", err)
	}
	h, err := ReadHeader(bytes.NewReader(got))
	if err != nil || h.Label != label || len(h.Readers) != 1 {
		t.Errorf("header %+v, %v", h, err)
	}
}

// TestVectorsHeader: our reader of headers accepts what age does. It also takes
// stanzas that age refuses when it opens them, and does not look for the nonce
// behind the header: it opens none.
func TestVectorsHeader(t *testing.T) {
	opensNone := []string{"x25519", "scrypt", "hybrid", "stream"}
	for _, name := range vectorNames(t) {
		t.Run(name, func(t *testing.T) {
			v := readVector(t, name)
			var stanzas []*age.Stanza
			var err error
			if v.armored {
				stanzas, err = readStanzas(bytes.NewReader(v.file))
			} else {
				stanzas, err = binaryStanzas(bytes.NewReader(v.file))
			}
			if err != nil && stanzas != nil {
				t.Errorf("%d stanzas beside an error", len(stanzas))
			}
			kind, _, _ := strings.Cut(name, "_")
			switch v.expect {
			case "success", "no match", "HMAC failure", "payload failure":
				if err != nil || len(stanzas) == 0 {
					t.Errorf("want %s: %d stanzas, %v", v.expect, len(stanzas), err)
				}
			case "header failure":
				if err == nil && !slices.Contains(opensNone, kind) {
					t.Errorf("want a refusal, got %d stanzas", len(stanzas))
				}
			}
			if h, err := ReadHeader(bytes.NewReader(v.file)); err == nil {
				t.Errorf("a vector has no label, and ReadHeader found %+v", h)
			}
		})
	}
}

package secrets

import (
	"bytes"
	"crypto/sha256"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"
)

// sealed encrypts a value as add does, with a label of its own version.
func sealed(t testing.TB, value string, readers ...Reader) []byte {
	t.Helper()
	version, err := NewVersion(time.Unix(1e9, 0))
	if err != nil {
		t.Fatal(err)
	}
	data, err := encrypt([]byte(value), Label{Host: "pi", Name: "A", Version: version}, readers)
	if err != nil {
		t.Fatal(err)
	}
	return data
}

// TestPayload: rewrapping keeps the payload, and nothing else does.
func TestPayload(t *testing.T) {
	op, host, next := newPerson(t, "key"), newPerson(t, "key"), newPerson(t, "key")
	old := sealed(t, "value", host.reader, op.reader)
	rewrapped, err := rewrap(old, []Reader{next.reader, op.reader}, op.identity)
	if err != nil {
		t.Fatal(err)
	}
	a, b, c := read(t, old), read(t, rewrapped), read(t, sealed(t, "value", host.reader, op.reader))
	if a.Payload != b.Payload || a.Payload == c.Payload {
		t.Errorf("payloads %x, rewrapped %x, encrypted again %x", a.Payload, b.Payload, c.Payload)
	}
	if a.Label != b.Label || a.Label.Name != "A" {
		t.Errorf("labels %+v, %+v", a.Label, b.Label)
	}
	if want := []Stanza{{Type: "ssh-ed25519", Tag: next.reader.Tag}, {Type: "ssh-ed25519", Tag: op.reader.Tag}}; !slices.Equal(b.Readers, want) {
		t.Errorf("readers %v, want %v", b.Readers, want)
	}
	raw := new(bytes.Buffer)
	if _, err := raw.ReadFrom(armor.NewReader(bytes.NewReader(old))); err != nil {
		t.Fatal(err)
	}
	if binary := read(t, raw.Bytes()); binary.Payload != a.Payload {
		t.Errorf("not armored: payload %x, want %x", binary.Payload, a.Payload)
	}
}

func read(t testing.TB, data []byte) *Ciphertext {
	t.Helper()
	c, err := ReadCiphertext(data)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func TestReadCiphertextErrors(t *testing.T) {
	good := string(sealed(t, "value", newPerson(t, "key").reader))
	for name, data := range map[string]string{
		"empty":         "",
		"binary junk":   "\x00\xff\x7fELF",
		"text":          "hello\n",
		"cut in header": good[:100],
		"cut in body":   good[:len(good)-60],
		"two files":     good + good,
	} {
		if c, err := ReadCiphertext([]byte(data)); err == nil {
			t.Errorf("%s: read as %+v", name, c)
		}
	}
	foreign := new(bytes.Buffer)
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	w, err := age.Encrypt(foreign, x.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	c := read(t, foreign.Bytes())
	if c.Label != (Label{}) || !slices.Equal(c.Anonymous(), []string{"X25519"}) {
		t.Errorf("an age file of somebody else: %+v", c)
	}
}

func TestAnonymousRecipient(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		text, kind string
		ok         bool
	}{
		{x.Recipient().String(), "X25519", true},
		{" " + x.Recipient().String() + "\n", "X25519", true},
		{"age1yubikey1qtest", "", true},
		{"age1", "", false},
		{"", "", false},
		{newPerson(t, "key").reader.Text, "", false},
	} {
		if r, ok := AnonymousRecipient(c.text); ok != c.ok || ok && r.Type != c.kind {
			t.Errorf("%q: %+v, %t", c.text, r, ok)
		}
	}
}

// story is a history in short: versions of files are made up, since Trace looks
// at nothing but what Ciphertext tells.
type story struct {
	changes []Change
	now     map[string]*Ciphertext
	commits map[string]*Commit
}

// version makes up a Ciphertext from "PAYLOAD VERSION READER…"; a version "-" has
// no label. The reader "x" is an age key, others are tags.
func version(text string) *Ciphertext {
	words := strings.Fields(text)
	c := &Ciphertext{Payload: sha256.Sum256([]byte(words[0]))}
	if words[1] != "-" {
		c.Label = Label{Host: "pi", Name: "A", Version: words[1]}
	}
	for _, w := range words[2:] {
		if w == "x" {
			c.Readers = append(c.Readers, Stanza{Type: "X25519"})
			continue
		}
		c.Readers = append(c.Readers, Stanza{Type: "ssh-ed25519", Tag: w})
	}
	return c
}

// tell makes a story of lines "COMMIT FILE BEFORE AFTER [RECIPIENT…]", where
// BEFORE and AFTER name versions, "-" is none and the commit "now" is the work tree.
func tell(versions map[string]*Ciphertext, lines ...string) story {
	s := story{now: map[string]*Ciphertext{}, commits: map[string]*Commit{"now": {}}}
	for _, line := range lines {
		words := strings.Fields(line)
		if s.commits[words[0]] == nil {
			s.commits[words[0]] = &Commit{Hash: words[0]}
		}
		c := Change{At: s.commits[words[0]], File: words[1], Before: versions[words[2]], After: versions[words[3]]}
		for _, r := range words[4:] {
			c.Listed = append(c.Listed, Recipient{Text: r, Type: "X25519"})
		}
		s.changes = append(s.changes, c)
	}
	return s
}

// summary is what Trace found, a line for each value: "HOST/NAME STATE FILES:
// WHO FROM..UNTIL".
func summary(values []*Value) string {
	var lines []string
	for _, v := range values {
		var parts []string
		for _, a := range v.Access {
			until := "?"
			if a.Until != nil {
				until = a.Until.Hash
			}
			if a.Now {
				until = "now"
			}
			from := "?"
			if a.From != nil {
				from = a.From.Hash
			}
			parts = append(parts, fmt.Sprintf("%s%s %s..%s", a.Tag, a.Recipient, from, until))
		}
		lines = append(lines, strings.TrimSpace(fmt.Sprintf("%s/%s %s %s: %s", v.Host, v.Name, v.State, strings.Join(v.Files, ","), strings.Join(parts, ", "))))
	}
	return strings.Join(lines, "\n")
}

func TestTrace(t *testing.T) {
	const a, b, other = "hosts/pi/secrets/A.age", "hosts/pi/secrets/B.age", "hosts/new/secrets/A.age"
	v := map[string]*Ciphertext{
		"v1":     version("p1 20200101T000000Z-00000001 old op"),
		"v1re":   version("p1 20200101T000000Z-00000001 new op"), // rewrapped
		"v1same": version("p9 20200101T000000Z-00000001 new op"), // the same version, encrypted again
		"v2":     version("p2 20200101T000000Z-00000002 new op"),
		"hand":   version("p3 handmade old"),
		"hand2":  version("p4 handmade new"),
		"bare":   version("p5 - old"),
		"bare2":  version("p6 - old"),
		"x1":     version("p7 20200101T000000Z-00000007 old x"),
		"x1re":   version("p7 20200101T000000Z-00000007 old x"),
		"x2":     version("p8 20200101T000000Z-00000008 old"),
	}
	for _, c := range []struct {
		name  string
		lines []string
		now   map[string]string
		want  string
	}{
		{"nothing", nil, nil, ""},
		{"added", []string{"c1 " + a + " - v1"}, map[string]string{a: "v1"},
			"pi/A current " + a + ": old c1..now, op c1..now"},
		{"rekeyed", []string{"c1 " + a + " - v1", "c2 " + a + " v1 v1re"}, map[string]string{a: "v1re"},
			"pi/A current " + a + ": old c1..c2, op c1..now, new c2..now"},
		{"rekeyed in the work tree", []string{"c1 " + a + " - v1", "now " + a + " v1 v1re"}, map[string]string{a: "v1re"},
			"pi/A current " + a + ": old c1.., op c1..now, new ..now"},
		{"the same version encrypted again", []string{"c1 " + a + " - v1", "c2 " + a + " v1 v1same"}, map[string]string{a: "v1same"},
			"pi/A current " + a + ": old c1..c2, op c1..now, new c2..now"},
		{"rekeyed, then a new value", []string{"c1 " + a + " - v1", "c2 " + a + " v1 v1re", "c3 " + a + " v1re v2"}, map[string]string{a: "v2"},
			"pi/A replaced : old c1..c2, op c1..c3, new c2..c3\npi/A current " + a + ": new c3..now, op c3..now"},
		{"a new value in the work tree", []string{"c1 " + a + " - v1", "now " + a + " v1 v2"}, map[string]string{a: "v2"},
			"pi/A replaced : old c1.., op c1..\npi/A current " + a + ": new ..now, op ..now"},
		{"the old value is back", []string{"c1 " + a + " - v1", "c2 " + a + " v1 v2", "c3 " + a + " v2 v1"}, map[string]string{a: "v1"},
			"pi/A current " + a + ": old c1..now, op c1..now\npi/A replaced : new c2..c3, op c2..c3"},
		{"deleted", []string{"c1 " + a + " - v1", "c2 " + a + " v1 -"}, nil,
			"pi/A gone : old c1..c2, op c1..c2"},
		{"deleted and added anew", []string{"c1 " + a + " - v1", "c2 " + a + " v1 -", "c3 " + a + " - v2"}, map[string]string{a: "v2"},
			"pi/A replaced : old c1..c2, op c1..c2\npi/A current " + a + ": new c3..now, op c3..now"},
		{"renamed", []string{"c1 " + a + " - v1", "c2 " + a + " v1 -", "c2 " + b + " - v1"}, map[string]string{b: "v1"},
			"pi/A current " + b + ": old c1..now, op c1..now"},
		{"host renamed, then a new value", []string{"c1 " + a + " - v1", "c2 " + a + " v1 -", "c2 " + other + " - v1", "c3 " + other + " v1 v2"}, map[string]string{other: "v2"},
			"pi/A replaced : old c1..c3, op c1..c3\npi/A current " + other + ": new c3..now, op c3..now"},
		{"copied", []string{"c1 " + a + " - v1", "c2 " + other + " - v1re", "c3 " + a + " v1 v2"}, map[string]string{a: "v2", other: "v1re"},
			"pi/A current " + other + ": old c1..c3, op c1..now, new c2..now\npi/A current " + a + ": new c3..now, op c3..now"},
		{"unreadable now", []string{"c1 " + a + " - v1"}, map[string]string{a: "none"},
			"pi/A unknown : old c1..?, op c1..?"},
		{"both sides of a merge", []string{"c1 " + a + " - v1", "c2 " + a + " v1 v1re", "c3 " + a + " v1 v2", "m " + a + " v1re v2"}, map[string]string{a: "v2"},
			"pi/A replaced : old c1..c3, op c1..m, new c2..m\npi/A current " + a + ": new c3..now, op c3..now"},
		{"only on another branch", []string{"c1 " + a + " - v1"}, map[string]string{a: "v2"},
			"pi/A replaced : old c1..?, op c1..?\npi/A current " + a + ": new ?..now, op ?..now"},
		{"versions by hand", []string{"c1 " + a + " - hand", "c2 " + a + " hand hand2"}, map[string]string{a: "hand2"},
			"pi/A current " + a + ": old c1..c2, new c2..now"},
		{"without label", []string{"c1 " + other + " - bare", "c2 " + other + " bare bare2"}, map[string]string{other: "bare2"},
			"new/A replaced : old c1..c2\nnew/A current " + other + ": old c2..now"},
		{"an operator's age key", []string{"c1 " + a + " - x1 age1one", "c2 " + a + " x1 x1re age1two", "c3 " + a + " x1re x2 age1two"}, map[string]string{a: "x2"},
			"pi/A replaced : old c1..c3, age1one c1..c2, age1two c2..c3\npi/A current " + a + ": old c3..now"},
		{"a merge is no new version", []string{"c1 " + a + " - x1 age1one", "m " + a + " - x1 age1one age1two"}, map[string]string{a: "x1"},
			"pi/A current " + a + ": old c1..now, age1one c1..now"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := tell(v, c.lines...)
			for file, name := range c.now {
				s.now[file] = v[name]
			}
			got := summary(Trace(s.changes, s.now))
			if got != c.want {
				t.Errorf("got\n%s\nwant\n%s", got, c.want)
			}
		})
	}
}

// FuzzReadCiphertext: what is read as a version is an age file, and what the
// header reader says of it is the same.
func FuzzReadCiphertext(f *testing.F) {
	good := sealed(f, "value", newPerson(f, "key").reader)
	f.Add(good)
	f.Add(good[:len(good)/2])
	f.Add([]byte("age-encryption.org/v1\n-> X25519 a\n\n--- a\n"))
	f.Fuzz(func(t *testing.T, data []byte) {
		c, err := ReadCiphertext(data)
		if err != nil {
			return
		}
		again, err := ReadCiphertext(data)
		if err != nil || again.Payload != c.Payload || !slices.Equal(again.Readers, c.Readers) {
			t.Fatalf("read again: %+v, %v; want %+v", again, err, c)
		}
		if h, err := ReadHeader(bytes.NewReader(data)); err == nil && (h.Label != c.Label || !slices.Equal(h.Readers, c.Readers)) {
			t.Fatalf("header %+v, version %+v", h, c)
		}
		for _, v := range Trace([]Change{{At: &Commit{Hash: "c"}, File: "hosts/pi/secrets/A.age", After: c}}, nil) {
			if v.State != StateGone {
				t.Fatalf("value %+v", v)
			}
		}
	})
}

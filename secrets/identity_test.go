package secrets_test

import (
	"bytes"
	"context"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"filippo.io/age/armor"

	"pistack/secrets"
)

func encryptTo(text string, recipients ...age.Recipient) ([]byte, error) {
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return nil, err
	}
	if _, err := w.Write([]byte(text)); err != nil {
		return nil, err
	}
	err = errors.Join(w.Close(), armored.Close())
	return out.Bytes(), err
}

// TestLockedIdentity: the passphrase of an ssh key is asked for once, and only
// when the key is needed.
func TestLockedIdentity(t *testing.T) {
	const passphrase = "correct horse"
	locked, other := newSSH(t, passphrase), newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	add(t, s, "MINE", value, readersOf(locked), false)
	add(t, s, "MINE_TOO", value+"2", readersOf(locked), false)
	add(t, s, "OTHERS", value, readersOf(other), false)
	asked := 0
	answer := func(text string, err error) secrets.Passphrase {
		asked = 0
		return func(file string) ([]byte, error) {
			if asked++; file != locked.file {
				t.Errorf("asked for the passphrase of %s", file)
			}
			return []byte(text), err
		}
	}
	load := func(ask secrets.Passphrase) []age.Identity {
		t.Helper()
		ids, err := secrets.LoadIdentity(locked.file, ask, nil)
		if err != nil {
			t.Fatal(err)
		}
		return ids
	}
	t.Run("right", func(t *testing.T) {
		ids := load(answer(passphrase, nil))
		if asked != 0 {
			t.Error("asked before the key was needed")
		}
		if _, err := s.Show(host, "OTHERS", ids...); !errors.Is(err, secrets.ErrNotAReader) || asked != 0 {
			t.Errorf("a secret of others: %v, asked %d times", err, asked)
		}
		for name, want := range map[string]string{"MINE": value, "MINE_TOO": value + "2"} {
			if got, err := s.Show(host, name, ids...); err != nil || string(got) != want {
				t.Errorf("%s is %q, %v", name, got, err)
			}
		}
		if asked != 1 {
			t.Errorf("asked %d times", asked)
		}
	})
	for _, c := range []struct {
		name, text string
		err        error
		want       string
	}{
		{"wrong", "battery staple", nil, "the passphrase is wrong"},
		{"no terminal", "", errors.New("there is no terminal to ask at"), "has a passphrase: there is no terminal to ask at"},
		{"interrupted", "", context.Canceled, "context canceled"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Show(host, "MINE", load(answer(c.text, c.err))...)
			var refused *secrets.Error
			if !errors.As(err, &refused) || !strings.Contains(err.Error(), "identity "+locked.file+": ") || !strings.HasSuffix(err.Error(), c.want) || refused.Hint() == "" {
				t.Errorf("error %v, want one of the identity that ends in %q", err, c.want)
			}
			if c.err != nil && (!errors.Is(err, c.err) || !strings.Contains(refused.Hint(), "--identity")) {
				t.Errorf("%v does not keep %v, or its hint %q does not say what to do", err, c.err, refused.Hint())
			}
			if strings.Contains(err.Error(), "battery") {
				t.Errorf("%v shows the passphrase", err)
			}
		})
	}
}

func TestLoadIdentity(t *testing.T) {
	_, edKey, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	rsaKey, err := rsa.GenerateKey(rand.Reader, 2048)
	if err != nil {
		t.Fatal(err)
	}
	ecKey, err := ecdsa.GenerateKey(elliptic.P256(), rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	sealed, err := encryptTo(x.String(), x.Recipient())
	if err != nil {
		t.Fatal(err)
	}
	const notSSH, notAge = ", not an ssh-ed25519 private key", "is neither an ssh-ed25519 private key nor an age identity file"
	const public = "is a public key"
	for _, c := range []struct {
		name string
		data []byte
		n    int // identities
		want string
	}{
		{"ssh-ed25519", sshKey(t, edKey, ""), 1, ""},
		{"ssh-ed25519 with a passphrase", sshKey(t, edKey, "p"), 1, ""},
		{"age", []byte(x.String() + "\n"), 1, ""},
		{"two of age, with comments", []byte("# one\n" + x.String() + "\n\n# two\n" + x.String()), 2, ""},
		{"rsa", sshKey(t, rsaKey, ""), 0, "is an rsa key" + notSSH},
		{"rsa with a passphrase", sshKey(t, rsaKey, "p"), 0, "is an rsa key" + notSSH},
		{"ecdsa", sshKey(t, ecKey, ""), 0, "is an ecdsa key" + notSSH},
		{"ecdsa with a passphrase", sshKey(t, ecKey, "p"), 0, "is an ecdsa key" + notSSH},
		{"half an ssh key", sshKey(t, edKey, "")[:100], 0, "is a damaged key" + notSSH},
		{"a certificate", []byte("-----BEGIN CERTIFICATE-----\nAAAA\n-----END CERTIFICATE-----\n"), 0, "is something else" + notSSH},
		{"half an age key", []byte(x.String()[:40]), 0, notAge},
		{"age key and garbage", []byte(x.String() + "\nhunter2\n"), 0, notAge},
		{"encrypted to a key", sealed, 0, "is encrypted, and not with a passphrase"},
		{"a plugin's identity", []byte("AGE-PLUGIN-YUBIKEY-1QQQQ\n"), 0, notAge},
		{"a public key", []byte(authorized(t, edKey.Public())), 0, public},
		{"a recipient", []byte(x.Recipient().String()), 0, public},
		{"garbage", []byte("hunter2"), 0, notAge},
		{"binary", []byte{0, 0xff, 1}, 0, notAge},
		{"empty", nil, 0, notAge},
		{"too large", bytes.Repeat([]byte{'#'}, 1<<20+1), 0, "is larger than 1048576 bytes"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file := writeFile(t, "key", c.data)
			ids, err := secrets.LoadIdentity(file, noPassphrase(t), nil)
			if len(ids) != c.n {
				t.Errorf("%d identities, want %d", len(ids), c.n)
			}
			if c.want == "" {
				if err != nil {
					t.Error(err)
				}
				return
			}
			var refused *secrets.Error
			if !errors.As(err, &refused) || err.Error() != "identity "+file+": "+c.want || refused.Hint() == "" {
				t.Errorf("error %v, want %s", err, c.want)
			}
			if text := err.Error() + refused.Hint(); strings.Contains(text, "AGE-SECRET") || strings.Contains(text, "hunter2") {
				t.Errorf("%s shows the file", text)
			}
		})
	}
	for _, c := range []struct{ name, file, want string }{
		{"missing", filepath.Join(t.TempDir(), "none"), "no such file or directory"},
		{"folder", t.TempDir(), "is a directory"},
		{"device", os.DevNull, "is neither an ssh-ed25519 private key nor an age identity file"},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := secrets.LoadIdentity(c.file, noPassphrase(t), nil)
			if err == nil || err.Error() != "identity "+c.file+": "+c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// TestEncryptedIdentity: an identity file that "age -p" made, in both forms.
func TestEncryptedIdentity(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	scrypt, err := age.NewScryptRecipient("correct horse")
	if err != nil {
		t.Fatal(err)
	}
	scrypt.SetWorkFactor(10)
	armored, err := encryptTo("# mine\n"+x.String()+"\n", scrypt)
	if err != nil {
		t.Fatal(err)
	}
	binary, err := io.ReadAll(armor.NewReader(bytes.NewReader(armored)))
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range []struct {
		name     string
		data     []byte
		answer   string
		noAnswer error
		want     string // error; empty for none
	}{
		{"armored", armored, "correct horse", nil, ""},
		{"binary", binary, "correct horse", nil, ""},
		{"wrong passphrase", armored, "battery staple", nil, "the passphrase is wrong"},
		{"empty passphrase", armored, "", nil, "the passphrase is empty"},
		{"no terminal", armored, "", errors.New("no terminal"), "has a passphrase: no terminal"},
		{"truncated", binary[:len(binary)-1], "correct horse", nil, "is damaged or truncated"},
	} {
		t.Run(c.name, func(t *testing.T) {
			file, asked := writeFile(t, "key", c.data), 0
			ids, err := secrets.LoadIdentity(file, func(string) ([]byte, error) {
				asked++
				return []byte(c.answer), c.noAnswer
			}, nil)
			if asked != 1 {
				t.Errorf("asked %d times", asked)
			}
			if c.want == "" {
				if err != nil || len(ids) != 1 || ids[0].(*age.X25519Identity).String() != x.String() {
					t.Errorf("%v, %v", ids, err)
				}
				return
			}
			if c.noAnswer != nil && !errors.Is(err, c.noAnswer) {
				t.Errorf("%v does not keep %v", err, c.noAnswer)
			}
			if err == nil || err.Error() != "identity "+file+": "+c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// fakePlugins allow "mine" alone.
type fakePlugins struct{ x *age.X25519Identity }

func (f fakePlugins) Recipient(text string) (age.Recipient, error) {
	if !strings.HasPrefix(text, "age1mine1") {
		return nil, &secrets.Error{Message: "not allowed", Fix: "allow it"}
	}
	return f.x.Recipient(), nil
}

func (f fakePlugins) Identity(text string) (age.Identity, error) {
	if !strings.HasPrefix(text, "AGE-PLUGIN-MINE-1") {
		return nil, &secrets.Error{Message: "not allowed", Fix: "allow it"}
	}
	return f.x, nil
}

func TestPlugins(t *testing.T) {
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	allowed := fakePlugins{x}
	if r, err := secrets.ParseReader("op", "age1mine1qqq", allowed); err != nil || r.Type != "" || r.Recipient == nil {
		t.Errorf("%+v, %v", r, err)
	}
	if _, err := secrets.ParseReader("op", "age1other1qqq", allowed); err == nil || err.Error() != "op: not allowed" {
		t.Error(err)
	}
	for text, want := range map[string]string{
		"AGE-PLUGIN-MINE-1QQQ\n":                        "",
		"# c\n" + x.String() + "\nAGE-PLUGIN-MINE-1QQQ": "",
		"\n\nAGE-PLUGIN-OTHER-1QQQ":                     ":3: not allowed",
	} {
		file := writeFile(t, "key", []byte(text))
		ids, err := secrets.LoadIdentity(file, noPassphrase(t), allowed)
		if (want == "") != (err == nil && len(ids) > 0) || (want != "" && err.Error() != "identity "+file+want) {
			t.Errorf("%q: %v, %v", text, ids, err)
		}
	}
}

func TestCheckValue(t *testing.T) {
	for _, c := range []struct {
		size int
		ok   bool
	}{{0, false}, {1, true}, {secrets.MaxValue, true}, {secrets.MaxValue + 1, false}} {
		if err := secrets.CheckValue(make([]byte, c.size)); (err == nil) != c.ok {
			t.Errorf("%d bytes: %v", c.size, err)
		}
	}
}

func TestTrailingNewline(t *testing.T) {
	for text, want := range map[string]bool{"": false, "a": false, "a\n": true, "a\r\n": true, "\n": true, "a\nb": false} {
		if secrets.TrailingNewline([]byte(text)) != want {
			t.Errorf("%q: not %t", text, want)
		}
	}
}

func TestLabelOf(t *testing.T) {
	ours := func(args ...string) *age.Stanza { return &age.Stanza{Type: "pisec", Args: args} }
	for _, c := range []struct {
		name    string
		stanzas []*age.Stanza
		want    string // error; empty for none
	}{
		{"one", []*age.Stanza{{Type: "X25519"}, ours("v1", "pi", "KEY", "v")}, ""},
		{"none", []*age.Stanza{{Type: "X25519"}}, "the header has 0 pisec stanzas instead of 1: the file was not written by pisec"},
		{"two", []*age.Stanza{ours("v1", "pi", "KEY", "v"), ours("v1", "pi", "KEY", "v")}, "the header has 2 pisec stanzas instead of 1: the file was not written by pisec"},
		{"newer", []*age.Stanza{ours("v2", "pi", "KEY", "v")}, "the header's pisec stanza is of a newer or unknown form: 4 arguments"},
		{"short", []*age.Stanza{ours("v1", "pi")}, "the header's pisec stanza is of a newer or unknown form: 2 arguments"},
	} {
		t.Run(c.name, func(t *testing.T) {
			label, err := secrets.LabelOf(c.stanzas)
			if c.want == "" {
				if err != nil || label != (secrets.Label{Host: "pi", Name: "KEY", Version: "v"}) {
					t.Errorf("%+v, %v", label, err)
				}
			} else if err == nil || err.Error() != c.want {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
}

// FuzzReadHeader and FuzzOpen start from a real file, so that mutations reach
// past the armor.
func FuzzReadHeader(f *testing.F) {
	seedFuzz(f, func(file []byte, _ age.Identity) { f.Add(file) })
	f.Fuzz(func(t *testing.T, data []byte) {
		h, err := secrets.ReadHeader(bytes.NewReader(data))
		if err != nil && (h.Readers != nil || h.Label != secrets.Label{}) {
			t.Errorf("header %+v beside an error", h)
		}
		refuseValue(t, err)
	})
}

func FuzzOpen(f *testing.F) {
	var id age.Identity
	seedFuzz(f, func(file []byte, identity age.Identity) {
		f.Add(file)
		id = identity
	})
	f.Fuzz(func(t *testing.T, data []byte) {
		opened, err := secrets.Open(data, id)
		if err == nil && string(opened.Value) != value {
			t.Errorf("another value was opened: %q", opened.Value)
		}
		if err != nil && opened.Value != nil {
			t.Error("a value beside an error")
		}
		refuseValue(t, err)
	})
}

func refuseValue(t *testing.T, err error) {
	if err != nil && strings.Contains(err.Error(), value) {
		t.Errorf("%v carries the value", err)
	}
}

// seedFuzz encrypts the value to a key that is the same in every process: the
// fuzzer's workers are processes of their own.
func seedFuzz(f *testing.F, use func(file []byte, id age.Identity)) {
	f.Helper()
	id, err := age.ParseX25519Identity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	if err != nil {
		f.Fatal(err)
	}
	file, err := encryptTo(value, secrets.Label{Host: host, Name: "KEY", Version: "v"}, id.Recipient())
	if err != nil {
		f.Fatal(err)
	}
	use(file, id)
	use(file[:len(file)/2], id)
	use([]byte("-----BEGIN AGE ENCRYPTED FILE-----\n"), id)
	use([]byte(value), id)
}

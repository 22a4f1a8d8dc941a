package secrets_test

import (
	"bytes"
	"crypto/ecdsa"
	"crypto/ed25519"
	"crypto/elliptic"
	"crypto/rand"
	"crypto/rsa"
	"encoding/pem"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/secrets"
)

const (
	host  = "pi"
	value = "hunter2-canary-value"
)

var now = time.Date(2026, 1, 2, 3, 4, 5, 6, time.FixedZone("east", 7200))

// party is somebody with a key: its public half as a reader, its private half
// as a file.
type party struct {
	reader secrets.Reader
	file   string
}

func (p party) identities(t *testing.T) []age.Identity {
	t.Helper()
	ids, err := secrets.LoadIdentity(p.file, noPassphrase(t), nil)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

func noPassphrase(t *testing.T) secrets.Passphrase {
	return func(file string) ([]byte, error) {
		t.Errorf("asked for the passphrase of %s", file)
		return nil, errors.New("asked")
	}
}

func writeFile(t *testing.T, name string, data []byte) string {
	t.Helper()
	file := filepath.Join(t.TempDir(), name)
	if err := os.WriteFile(file, data, 0o600); err != nil {
		t.Fatal(err)
	}
	return file
}

// sshKey marshals a private key as ssh-keygen writes it.
func sshKey(t *testing.T, key any, passphrase string) []byte {
	t.Helper()
	block, err := ssh.MarshalPrivateKey(key, "comment")
	if passphrase != "" {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "comment", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return pem.EncodeToMemory(block)
}

func authorized(t *testing.T, public any) string {
	t.Helper()
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

func parseReader(t *testing.T, source, text string) secrets.Reader {
	t.Helper()
	r, err := secrets.ParseReader(source, text, nil)
	if err != nil {
		t.Fatal(err)
	}
	return r
}

func newSSH(t *testing.T, passphrase string) party {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	return party{parseReader(t, "ssh", authorized(t, public)+" comment"), writeFile(t, "id_ed25519", sshKey(t, private, passphrase))}
}

func newAge(t *testing.T) party {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return party{parseReader(t, "age", id.Recipient().String()), writeFile(t, "key.txt", []byte("# created: now\n"+id.String()+"\n"))}
}

func readersOf(parties ...party) []secrets.Reader {
	var all []secrets.Reader
	for _, p := range parties {
		all = append(all, p.reader)
	}
	return all
}

func add(t *testing.T, s secrets.Store, name, value string, readers []secrets.Reader, replace bool) *secrets.Addition {
	t.Helper()
	a, err := s.Plan(host, name, []byte(value), readers, replace, now)
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Apply(a); err != nil {
		t.Fatal(err)
	}
	return a
}

// mustList lists a store that has nothing wrong.
func mustList(t *testing.T, s secrets.Store) []secrets.Entry {
	t.Helper()
	entries, err := s.List(host)
	if err != nil {
		t.Fatal(err)
	}
	return entries
}

// TestRoundTrip: every reader gets the very value, nobody else does, and the
// header tells who they are.
func TestRoundTrip(t *testing.T) {
	device, first, second, stranger := newSSH(t, ""), newSSH(t, ""), newAge(t), newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	for _, c := range []struct{ name, value string }{
		{"TEXT", value},
		{"LINES", "a\nb\n\n"},
		{"BINARY", "\x00\xff\x80\r\n"},
		{"ONE", "x"},
		{"LARGEST", strings.Repeat("y", secrets.MaxValue)},
	} {
		t.Run(c.name, func(t *testing.T) {
			a := add(t, s, c.name, c.value, readersOf(device, first, second), false)
			if a.File != "hosts/pi/secrets/"+c.name+".age" || a.Replaces || len(a.Readers) != 3 {
				t.Errorf("addition %+v", a)
			}
			for name, p := range map[string]party{"device": device, "ssh operator": first, "age operator": second} {
				got, err := s.Show(host, c.name, p.identities(t)...)
				if err != nil || string(got) != c.value {
					t.Errorf("%s reads %d bytes, error %v", name, len(got), err)
				}
			}
			if got, err := s.Show(host, c.name, stranger.identities(t)...); !errors.Is(err, secrets.ErrNotAReader) || got != nil {
				t.Errorf("a stranger reads %d bytes, error %v", len(got), err)
			}
			if got, err := s.Show(host, c.name, append(stranger.identities(t), second.identities(t)...)...); err != nil || string(got) != c.value {
				t.Errorf("one of two keys fits: %d bytes, error %v", len(got), err)
			}
		})
	}
	entries := mustList(t, s)
	var names []string
	for _, e := range entries {
		names = append(names, e.Name)
		if e.Host != host || e.File != secrets.File(host, e.Name) || e.Header.Label.Name != e.Name || !strings.HasPrefix(e.Header.Label.Version, "20260102T010405Z-") {
			t.Errorf("entry %+v", e)
		}
		want := []secrets.Stanza{{Type: "ssh-ed25519", Tag: device.reader.Tag}, {Type: "ssh-ed25519", Tag: first.reader.Tag}, {Type: "X25519"}}
		if !slices.Equal(e.Header.Readers, want) {
			t.Errorf("readers %v, want %v", e.Header.Readers, want)
		}
		if at, err := e.Header.Label.SetAt(); err != nil || !at.Equal(now.Truncate(time.Second)) {
			t.Errorf("set at %v, %v", at, err)
		}
	}
	if !slices.IsSorted(names) || len(names) != 5 {
		t.Errorf("names %v", names)
	}
}

func TestVersionsDiffer(t *testing.T) {
	device := newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	seen := map[string]bool{}
	for range 20 {
		a, err := s.Plan(host, "KEY", []byte(value), readersOf(device), false, now)
		if err != nil {
			t.Fatal(err)
		}
		seen[a.Label.Version] = true
	}
	if len(seen) != 20 {
		t.Errorf("%d versions of 20 values set within a second", len(seen))
	}
	if entries := mustList(t, s); len(entries) != 0 {
		t.Errorf("Plan wrote %v", entries)
	}
}

func TestReplace(t *testing.T) {
	device := newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	old := add(t, s, "KEY", "old", readersOf(device), false)
	_, err := s.Plan(host, "KEY", []byte("new"), readersOf(device), false, now)
	var refused *secrets.Error
	if !errors.As(err, &refused) || refused.Error() != "hosts/pi/secrets/KEY.age: pi already has a secret KEY" || refused.Hint() != "to give it a new value: pisec add --replace pi KEY" {
		t.Errorf("error %v", err)
	}
	if err := s.CheckAbsent(host, "KEY", false); err == nil {
		t.Error("CheckAbsent says nothing")
	}
	if err := errors.Join(s.CheckAbsent(host, "KEY", true), s.CheckAbsent(host, "OTHER", false), s.CheckAbsent("other", "KEY", false)); err != nil {
		t.Error(err)
	}
	replaced := add(t, s, "KEY", "new", readersOf(device), true)
	if !replaced.Replaces || replaced.Label.Version == old.Label.Version {
		t.Errorf("addition %+v", replaced)
	}
	if got, err := s.Show(host, "KEY", device.identities(t)...); err != nil || string(got) != "new" {
		t.Errorf("value %q, %v", got, err)
	}
	if entries := mustList(t, s); len(entries) != 1 {
		t.Errorf("entries %v", entries)
	}
	left, err := os.ReadDir(filepath.Join(s.Root, "hosts/pi/secrets"))
	if err != nil || len(left) != 1 {
		t.Errorf("the folder holds %v, %v", left, err)
	}
}

func TestPlanRefuses(t *testing.T) {
	device := newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	for _, c := range []struct {
		name, secret, value string
		readers             []secrets.Reader
		want                string
	}{
		{"empty value", "KEY", "", readersOf(device), "the value is empty"},
		{"large value", "KEY", strings.Repeat("y", secrets.MaxValue+1), readersOf(device), "the value is larger than 1 MiB"},
		{"name with a dash", "A-B", value, readersOf(device), `"A-B" cannot be a secret's name`},
		{"name that climbs", "../KEY", value, readersOf(device), `"../KEY" cannot be a secret's name`},
		{"name with a line break", "KEY\n", value, readersOf(device), `"KEY\n" cannot be a secret's name`},
		{"name with a digit first", "1KEY", value, readersOf(device), `"1KEY" cannot be a secret's name`},
		{"empty name", "", value, readersOf(device), `"" cannot be a secret's name`},
		{"long name", strings.Repeat("A", 129), value, readersOf(device), `"AAAAAAAAAAAAAAAAAAAA"… cannot be a secret's name: it has 129 bytes`},
		{"nobody to read it", "KEY", value, nil, "nobody could read the secret: it has no readers"},
	} {
		t.Run(c.name, func(t *testing.T) {
			a, err := s.Plan(host, c.secret, []byte(c.value), c.readers, false, now)
			if err == nil || err.Error() != c.want || a != nil {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	if entries, err := os.ReadDir(s.Root); err != nil || len(entries) != 0 {
		t.Errorf("something was written: %v, %v", entries, err)
	}
}

// TestDistinctReaders: an operator whose key is also the host's gets one stanza.
func TestDistinctReaders(t *testing.T) {
	device, operator := newSSH(t, ""), newAge(t)
	again := parseReader(t, "fleet.toml: operators[0]", device.reader.Text+" other comment")
	s := secrets.Store{Root: t.TempDir()}
	a := add(t, s, "KEY", value, append(readersOf(device, operator, operator), again), false)
	if len(a.Readers) != 2 || a.Readers[0].Source != "ssh" || a.Readers[1].Source != "age" {
		t.Errorf("readers %+v", a.Readers)
	}
	if n := len(mustList(t, s)[0].Header.Readers); n != 2 {
		t.Errorf("%d stanzas", n)
	}
}

// TestAgeOpens: the file is plain age, whatever becomes of pisec.
func TestAgeOpens(t *testing.T) {
	tool, err := exec.LookPath("age")
	if err != nil {
		t.Skip("age not on PATH")
	}
	device, operator := newSSH(t, ""), newAge(t)
	s := secrets.Store{Root: t.TempDir()}
	a := add(t, s, "KEY", value, readersOf(device, operator), false)
	for _, p := range []party{device, operator} {
		out, err := exec.Command(tool, "-d", "-i", p.file, filepath.Join(s.Root, a.File)).CombinedOutput()
		if err != nil || string(out) != value {
			t.Errorf("age says %q, %v", out, err)
		}
	}
}

// TestMoved: a file under another name or host is refused, with and without a
// key.
func TestMoved(t *testing.T) {
	device := newSSH(t, "")
	for _, c := range []struct{ name, host, secret, want string }{
		{"other name", host, "OTHER", "hosts/pi/secrets/OTHER.age: holds secret KEY of pi: the file was moved or copied"},
		{"other host", "vps", "KEY", "hosts/vps/secrets/KEY.age: holds secret KEY of pi: the file was moved or copied"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := secrets.Store{Root: t.TempDir()}
			a := add(t, s, "KEY", value, readersOf(device), false)
			to := filepath.Join(s.Root, secrets.File(c.host, c.secret))
			if err := os.MkdirAll(filepath.Dir(to), 0o755); err != nil {
				t.Fatal(err)
			}
			if err := os.Rename(filepath.Join(s.Root, a.File), to); err != nil {
				t.Fatal(err)
			}
			if entries, err := s.List(c.host); err == nil || err.Error() != c.want || len(entries) != 0 {
				t.Errorf("List: %v, error %v", entries, err)
			}
			if got, err := s.Show(c.host, c.secret, device.identities(t)...); err == nil || err.Error() != c.want || got != nil {
				t.Errorf("Show: %q, error %v", got, err)
			}
		})
	}
}

// TestDamaged: no damage goes unnoticed, and no error tells of the value.
func TestDamaged(t *testing.T) {
	device := newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	a := add(t, s, "KEY", value, readersOf(device), false)
	file := filepath.Join(s.Root, a.File)
	whole, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	identities := device.identities(t)
	check := func(what string, data []byte) {
		t.Helper()
		opened, err := secrets.Open(data, identities...)
		if err == nil {
			t.Errorf("%s: opened", what)
		} else if strings.Contains(err.Error(), value[:4]) || opened.Value != nil {
			t.Errorf("%s: %v carries the value", what, err)
		}
	}
	for n := range len(whole) - 1 { // without its last line break a file is still whole
		check("truncated", whole[:n])
	}
	for i := range whole {
		damaged := bytes.Clone(whole)
		damaged[i] ^= 1
		if i < len(whole)-1 {
			check("one bit flipped", damaged)
		}
	}
	for _, c := range []struct {
		name string
		data []byte
		list string // error of List; empty for none, since the header is whole
	}{
		{"empty", nil, "hosts/pi/secrets/KEY.age: is not an armored age file, or is damaged"},
		{"text", []byte(value + "\n"), "hosts/pi/secrets/KEY.age: is not an armored age file, or is damaged"},
		{"half", whole[:len(whole)/2], "hosts/pi/secrets/KEY.age: is not an armored age file, or is damaged"},
		{"too large", bytes.Repeat([]byte{'x'}, 4<<20), "hosts/pi/secrets/KEY.age: is larger than 2162688 bytes"},
		{"written by age", ageFile(t, device), "hosts/pi/secrets/KEY.age: the header has 0 pisec stanzas instead of 1: the file was not written by pisec"},
	} {
		t.Run(c.name, func(t *testing.T) {
			if err := os.WriteFile(file, c.data, 0o644); err != nil {
				t.Fatal(err)
			}
			if _, err := s.List(host); err == nil || err.Error() != c.list {
				t.Errorf("List: %v, want %s", err, c.list)
			}
			if got, err := s.Show(host, "KEY", identities...); err == nil || !strings.HasPrefix(err.Error(), a.File+": ") || strings.Contains(err.Error(), value) || got != nil {
				t.Errorf("Show: %q, %v", got, err)
			}
		})
	}
}

// ageFile is what "age -a -r KEY" makes: no stanza of ours.
func ageFile(t *testing.T, p party) []byte {
	t.Helper()
	file, err := encryptTo(value, p.reader.Recipient)
	if err != nil {
		t.Fatal(err)
	}
	return file
}

func TestList(t *testing.T) {
	device := newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	if entries, err := s.List(host); entries != nil || err != nil {
		t.Errorf("no folder: %v, %v", entries, err)
	}
	add(t, s, "B", value, readersOf(device), false)
	add(t, s, "A", value, readersOf(device), false)
	dir := filepath.Join(s.Root, secrets.Dir(host))
	for name, data := range map[string]string{".gitkeep": "", ".B.age123": "half", "note.txt": "x", "not-a-name.age": "x", "C.age": "x"} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(data), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	if err := os.Mkdir(filepath.Join(dir, "D.age"), 0o755); err != nil {
		t.Fatal(err)
	}
	entries, err := s.List(host)
	want := `hosts/pi/secrets/C.age: is not an armored age file, or is damaged
hosts/pi/secrets/D.age: is not a regular file
hosts/pi/secrets/not-a-name.age: is not a secret
hosts/pi/secrets/note.txt: is not a secret`
	if err == nil || err.Error() != want {
		t.Errorf("error:\n%v\nwant:\n%s", err, want)
	}
	if len(entries) != 2 || entries[0].Name != "A" || entries[1].Name != "B" {
		t.Errorf("entries %v", entries)
	}
}

func TestShowErrors(t *testing.T) {
	device := newSSH(t, "")
	s := secrets.Store{Root: t.TempDir()}
	for _, c := range []struct{ name, secret, want string }{
		{"not there", "KEY", "hosts/pi/secrets/KEY.age: pi has no secret KEY"},
		{"not a name", "../../KEY", `"../../KEY" cannot be a secret's name`},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, err := s.Show(host, c.secret, device.identities(t)...)
			var refused *secrets.Error
			if !errors.As(err, &refused) || refused.Error() != c.want || refused.Hint() == "" {
				t.Errorf("error %v, want %s", err, c.want)
			}
		})
	}
	add(t, s, "KEY", value, readersOf(device), false)
	_, err := s.Show(host, "KEY", newAge(t).identities(t)...)
	var refused *secrets.Error
	if !errors.As(err, &refused) || err.Error() != "hosts/pi/secrets/KEY.age: none of the given keys can read it" || refused.Hint() == "" {
		t.Errorf("stranger: %v", err)
	}
}

func TestParseReader(t *testing.T) {
	public, _, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	good := authorized(t, public)
	id, err := age.GenerateX25519Identity()
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
	for _, c := range []struct{ name, text, wantText, wrong string }{
		{"ssh", good, good, ""},
		{"ssh with a comment", good + " me@home", good, ""},
		{"ssh with a line break", good + "\n", good, ""},
		{"age", id.Recipient().String(), id.Recipient().String(), ""},
		{"age with spaces", "  " + id.Recipient().String() + "\n", id.Recipient().String(), ""},
		{"rsa", authorized(t, rsaKey.Public()), "", "x: is a key of type ssh-rsa, and secrets are encrypted to ssh-ed25519 keys only"},
		{"ecdsa", authorized(t, ecKey.Public()), "", "x: is a key of type ecdsa-sha2-nistp256, and secrets are encrypted to ssh-ed25519 keys only"},
		{"two ssh keys", good + "\n" + good, "", "x: is neither an age recipient nor an ssh public key"},
		{"half an age recipient", id.Recipient().String()[:20], "", "x: is not an age X25519 recipient"},
		{"plugin", "age1yubikey1qwerty", "", "x: is not an age X25519 recipient"},
		{"post-quantum", "age1pq1qwerty", "", "x: is a post-quantum recipient, and age cannot mix those with ssh keys, which every host has"},
		{"tagged", "age1tag1qwerty", "", "x: is a tagged recipient, which does not work yet"},
		{"two age recipients", id.Recipient().String() + " " + id.Recipient().String(), "", "x: is not an age X25519 recipient"},
		{"private age key", id.String(), "", "x: is neither an age recipient nor an ssh public key"},
		{"empty", "", "", "x: is neither an age recipient nor an ssh public key"},
		{"comment", "# " + good, "", "x: is neither an age recipient nor an ssh public key"},
		{"ed25519 point that is none", authorized(t, append(ed25519.PublicKey{2}, make([]byte, 31)...)), "", "x: is not a usable ssh-ed25519 key"},
	} {
		t.Run(c.name, func(t *testing.T) {
			r, err := secrets.ParseReader("x", c.text, nil)
			if c.wrong == "" {
				if err != nil || r.Text != c.wantText || r.Recipient == nil || r.Source != "x" {
					t.Errorf("%+v, %v", r, err)
				}
				return
			}
			var refused *secrets.Error
			if !errors.As(err, &refused) || err.Error() != c.wrong || refused.Hint() == "" {
				t.Errorf("error %v, want %s", err, c.wrong)
			}
			if strings.Contains(err.Error()+refused.Hint(), "AGE-SECRET") {
				t.Error("the error shows the key")
			}
		})
	}
}

package secrets

import (
	"bytes"
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"os/exec"
	"path/filepath"
	"runtime"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"
)

// person is a key pair.
type person struct {
	identity age.Identity
	reader   Reader
}

func newPerson(t testing.TB, source string) person {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	id, err := agessh.NewEd25519Identity(private)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	r, err := ParseReader(source, string(ssh.MarshalAuthorizedKey(key)), nil)
	if err != nil {
		t.Fatal(err)
	}
	return person{id, r}
}

// payload is what follows the header of an armored file.
func payload(t testing.TB, file []byte) []byte {
	t.Helper()
	var plain bytes.Buffer
	if _, err := plain.ReadFrom(armor.NewReader(bytes.NewReader(file))); err != nil {
		t.Fatal(err)
	}
	header, err := age.ExtractHeader(bytes.NewReader(plain.Bytes()))
	if err != nil {
		t.Fatal(err)
	}
	return plain.Bytes()[len(header):]
}

// FuzzRewrap: whatever the value and the number of readers, age itself opens
// the result for the new readers and nobody else, with the old value, label and
// payload.
func FuzzRewrap(f *testing.F) {
	f.Add([]byte("value"), 1, 2)
	f.Add(bytes.Repeat([]byte("x"), 64<<10), 3, 1)
	f.Add([]byte{0}, 2, 5)
	f.Fuzz(func(t *testing.T, value []byte, before, after int) {
		if len(value) == 0 || len(value) > MaxValue || before < 1 || before > 5 || after < 1 || after > 5 {
			t.Skip()
		}
		label := Label{Host: "pi", Name: "KEY", Version: "20260101T000000Z-00000000"}
		people := func(n int) (ids []age.Identity, readers []Reader) {
			for i := range n {
				p := newPerson(t, fmt.Sprint(i))
				ids, readers = append(ids, p.identity), append(readers, p.reader)
			}
			return ids, readers
		}
		oldIDs, oldReaders := people(before)
		newIDs, newReaders := people(after)
		old, err := encrypt(value, label, oldReaders)
		if err != nil {
			t.Fatal(err)
		}
		got, err := rewrap(old, newReaders, oldIDs[before-1])
		if err != nil {
			t.Fatal(err)
		}
		for _, id := range newIDs {
			opened, err := Open(got, id)
			if err != nil || !bytes.Equal(opened.Value, value) || opened.Label != label {
				t.Fatalf("a new reader: %v, %+v", err, opened.Label)
			}
			if plain, err := ageOpen(got, id); err != nil || !bytes.Equal(plain, value) {
				t.Fatalf("a new reader, by age alone: %v", err)
			}
		}
		for _, id := range oldIDs {
			if _, err := Open(got, id); !errors.Is(err, ErrNotAReader) {
				t.Fatalf("an old reader: %v", err)
			}
		}
		if !bytes.Equal(payload(t, old), payload(t, got)) {
			t.Fatal("the payload changed")
		}
	})
}

// ageOpen opens an armored file as any program over age would.
func ageOpen(file []byte, id age.Identity) ([]byte, error) {
	plain, err := age.Decrypt(armor.NewReader(bytes.NewReader(file)), id)
	if err != nil {
		return nil, err
	}
	return io.ReadAll(plain)
}

// FuzzRewrapDamaged starts from a real file. Whatever bytes are in its place,
// rewrap does what age does with them: it refuses the file, or the value is the
// same before and after.
func FuzzRewrapDamaged(f *testing.F) {
	// The same in every process: the fuzzer's workers are processes of their own.
	old, err := age.ParseX25519Identity("AGE-SECRET-KEY-1GFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPYYSJZGFPQ4EGAEX")
	if err != nil {
		f.Fatal(err)
	}
	reader, err := ParseReader("old", old.Recipient().String(), nil)
	if err != nil {
		f.Fatal(err)
	}
	file, err := encrypt([]byte("value"), Label{"pi", "KEY", "v"}, []Reader{reader, newPerson(f, "other").reader})
	if err != nil {
		f.Fatal(err)
	}
	f.Add(file)
	f.Add(bytes.ReplaceAll(file, []byte("\n"), []byte("\r\n")))
	f.Add(file[:len(file)/2])
	fresh := newPerson(f, "new")
	f.Fuzz(func(t *testing.T, data []byte) {
		got, err := rewrap(data, []Reader{fresh.reader}, old)
		if err != nil {
			if got != nil {
				t.Error("a file beside an error")
			}
			return
		}
		before, err1 := ageOpen(data, old)
		after, err2 := ageOpen(got, fresh.identity)
		if err1 != nil || err2 != nil || !bytes.Equal(before, after) {
			t.Errorf("before %q, %v; after %q, %v", before, err1, after, err2)
		}
	})
}

// TestRewrapOpensWithAge hands the result to the real command.
func TestRewrapOpensWithAge(t *testing.T) {
	command, err := exec.LookPath("age")
	if err != nil {
		t.Skip("age not on PATH")
	}
	x, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	operator, err := ParseReader("operator", x.Recipient().String(), nil)
	if err != nil {
		t.Fatal(err)
	}
	host := newPerson(t, "host")
	old, err := encrypt([]byte("the value"), Label{"pi", "KEY", "v"}, []Reader{host.reader})
	if err != nil {
		t.Fatal(err)
	}
	got, err := rewrap(old, []Reader{operator, host.reader}, host.identity)
	if err != nil {
		t.Fatal(err)
	}
	key := filepath.Join(t.TempDir(), "key")
	if err := os.WriteFile(key, []byte(x.String()+"\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := exec.Command(command, "-d", "-i", key)
	cmd.Stdin = bytes.NewReader(got)
	out, err := cmd.CombinedOutput()
	if err != nil || string(out) != "the value" {
		t.Fatalf("%v: %s", err, out)
	}
}

// rekeyCase is a store of secrets for two hosts, to be rekeyed from one host
// key to another.
type rekeyCase struct {
	store                Store
	operator, old, fresh person
}

const rekeyFiles = 3 // secrets a host

func newRekeyCase(t *testing.T) rekeyCase {
	t.Helper()
	return newRekeyCaseIn(t, t.TempDir())
}

func newRekeyCaseIn(t *testing.T, root string) rekeyCase {
	t.Helper()
	c := rekeyCase{Store{Root: root}, newPerson(t, "operator"), newPerson(t, "old"), newPerson(t, "new")}
	if err := os.WriteFile(c.store.path("fleet.toml"), []byte("old"), 0o644); err != nil {
		t.Fatal(err)
	}
	for _, host := range []string{"a", "b"} {
		for i := range rekeyFiles {
			name := fmt.Sprintf("S%d", i)
			a, err := c.store.Plan(host, name, []byte(host+name), []Reader{c.old.reader, c.operator.reader}, false, time.Now())
			if err != nil {
				t.Fatal(err)
			}
			if err := c.store.Apply(a); err != nil {
				t.Fatal(err)
			}
		}
	}
	return c
}

func (c rekeyCase) wanted() []Wanted {
	readers := []Reader{c.fresh.reader, c.operator.reader}
	return []Wanted{{"a", readers}, {"b", readers}}
}

func (c rekeyCase) plan(t *testing.T) *Rekey {
	t.Helper()
	plan, err := c.store.PlanRekey(c.wanted(), false)
	if err != nil {
		t.Fatal(err)
	}
	return plan
}

// state counts which files the old and the new key can open, and checks every
// value and that nothing else is below hosts/.
func (c rekeyCase) state(t *testing.T) (old, fresh int) {
	t.Helper()
	for _, host := range []string{"a", "b"} {
		for i := range rekeyFiles {
			name := fmt.Sprintf("S%d", i)
			for n, id := range []age.Identity{c.old.identity, c.fresh.identity} {
				value, err := c.store.Show(host, name, id)
				if errors.Is(err, ErrNotAReader) {
					continue
				}
				if err != nil || string(value) != host+name {
					t.Fatalf("%s of %s: %q, %v", name, host, value, err)
				}
				if n == 0 {
					old++
				} else {
					fresh++
				}
			}
		}
	}
	return old, fresh
}

// list is what fleet.toml, which a rekey can replace too, says.
func (c rekeyCase) list(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile(c.store.path("fleet.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func (c rekeyCase) assertClean(t *testing.T) {
	t.Helper()
	for _, pattern := range []string{"hosts/.*", "hosts/*/.*", "hosts/*/secrets/.*"} {
		left, err := filepath.Glob(filepath.Join(c.store.Root, pattern))
		if err != nil || len(left) > 0 {
			t.Errorf("left over: %v %v", left, err)
		}
	}
}

func TestRekey(t *testing.T) {
	c := newRekeyCase(t)
	plan := c.plan(t)
	if len(plan.Changes) != 2*rekeyFiles || plan.Unchanged != 0 {
		t.Fatalf("%d changes, %d unchanged", len(plan.Changes), plan.Unchanged)
	}
	d := plan.Changes[0].Difference
	if len(d.Gains) != 1 || d.Gains[0] != "new" || len(d.Loses) != 1 || !strings.Contains(d.Loses[0], c.old.reader.Tag) {
		t.Fatalf("difference %v", d)
	}
	before := plan.Changes[0].Entry.Header.Label
	if err := c.store.ApplyRekey(plan, c.operator.identity); err != nil {
		t.Fatal(err)
	}
	if old, fresh := c.state(t); old != 0 || fresh != 2*rekeyFiles {
		t.Fatalf("the old key opens %d, the new %d", old, fresh)
	}
	entries, err := c.store.List("a")
	if err != nil || entries[0].Header.Label != before {
		t.Fatalf("%v, label %+v", err, entries[0].Header.Label)
	}
	if again := c.plan(t); len(again.Changes) != 0 || again.Unchanged != 2*rekeyFiles {
		t.Fatalf("a second plan has %d changes", len(again.Changes))
	}
	c.assertClean(t)
}

func TestRekeyWithAWrongKeyChangesNothing(t *testing.T) {
	c := newRekeyCase(t)
	err := c.store.ApplyRekey(c.plan(t), newPerson(t, "stranger").identity)
	if err == nil || strings.Count(err.Error(), "none of the given keys") != 2*rekeyFiles {
		t.Fatalf("want every file named, got %v", err)
	}
	if old, fresh := c.state(t); old != 2*rekeyFiles || fresh != 0 {
		t.Fatalf("the old key opens %d, the new %d", old, fresh)
	}
	c.assertClean(t)
}

var errCrash = errors.New("crash")

// TestRekeyCrashesAtEveryStep ends a rekey at each of its effects, in turn, as
// a crash would. What it leaves is completed by the next run: all files are old
// or all are new, never some, and nothing else is left.
func TestRekeyCrashesAtEveryStep(t *testing.T) {
	for at := 0; ; at++ {
		c := newRekeyCase(t)
		plan := c.plan(t)
		plan.Also("fleet.toml", func() ([]byte, error) { return []byte("new"), nil })
		steps, name := 0, ""
		c.store.step = func(s string) error {
			if steps++; steps > at {
				name = s
				return errCrash
			}
			return nil
		}
		err := c.store.ApplyRekey(plan, c.operator.identity)
		c.store.step = nil
		if name == "" {
			if err != nil || at < 2*rekeyFiles+5 || c.list(t) != "new" {
				t.Fatalf("ended after %d steps: %v", at, err)
			}
			return // every step has had its crash
		}
		if !errors.Is(err, errCrash) {
			t.Fatalf("crash at %q: %v", name, err)
		}
		if _, err := c.store.Recover(); err != nil {
			t.Fatalf("after a crash at %q: %v", name, err)
		}
		if old, fresh := c.state(t); old+fresh != 2*rekeyFiles || (old != 0 && fresh != 0) {
			t.Fatalf("after a crash at %q: the old key opens %d files, the new %d", name, old, fresh)
		} else if want := map[bool]string{true: "new", false: "old"}[fresh > 0]; c.list(t) != want {
			t.Fatalf("after a crash at %q: the new key opens %d files, and fleet.toml is %s", name, fresh, c.list(t))
		}
		c.assertClean(t)
	}
}

// TestJournalThatCannotBeWritten: what keeps the journal from being written leaves
// all files old, and no staged ones; where a journal may be, what it may name
// stays.
func TestJournalThatCannotBeWritten(t *testing.T) {
	atJournal := func(do func() error) func(string) error {
		return func(step string) error {
			if step == "journal" {
				return do()
			}
			return nil
		}
	}
	c := newRekeyCase(t)
	c.store.step = atJournal(func() error { return os.RemoveAll(c.store.path(staging)) })
	if err := c.store.ApplyRekey(c.plan(t), c.operator.identity); !errors.Is(err, fs.ErrNotExist) {
		t.Fatalf("error %v", err)
	}
	c.assertClean(t)
	if old, fresh := c.state(t); old != 2*rekeyFiles || fresh != 0 {
		t.Fatalf("the old key opens %d, the new %d", old, fresh)
	}

	journal := filepath.Join(c.store.path(staging), journalName)
	c.store.step = atJournal(func() error { return os.Mkdir(journal, 0o700) })
	if err := c.store.ApplyRekey(c.plan(t), c.operator.identity); err == nil {
		t.Fatal("a folder became the journal")
	}
	if _, err := os.Stat(filepath.Join(c.store.path(staging), staged(0))); err != nil {
		t.Fatalf("staged files are gone, and there may be a journal: %v", err)
	}
}

// TestRecoveryCrashesToo crashes the recovery of a crash after the journal: the
// next one still ends with all new.
func TestRecoveryCrashesToo(t *testing.T) {
	for at := 0; at < 2*rekeyFiles; at++ {
		c := newRekeyCase(t)
		crash := func(limit int) func(string) error {
			renames := 0
			return func(s string) error {
				if strings.HasPrefix(s, "rename") {
					if renames++; renames > limit {
						return errCrash
					}
				}
				return nil
			}
		}
		c.store.step = crash(at / 2)
		if err := c.store.ApplyRekey(c.plan(t), c.operator.identity); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		c.store.step = crash(at)
		if _, err := c.store.Recover(); !errors.Is(err, errCrash) {
			t.Fatal(err)
		}
		c.store.step = nil
		if _, err := c.store.Recover(); err != nil {
			t.Fatal(err)
		}
		if old, fresh := c.state(t); old != 0 || fresh != 2*rekeyFiles {
			t.Fatalf("the old key opens %d, the new %d", old, fresh)
		}
		c.assertClean(t)
	}
}

// TestAddAfterACrash gives a secret a new value where a rekey was cut short
// after its journal: the rekey is completed first, so that it cannot put back
// the older value.
func TestAddAfterACrash(t *testing.T) {
	c := newRekeyCase(t)
	c.store.step = func(s string) error {
		if strings.HasPrefix(s, "rename") {
			return errCrash
		}
		return nil
	}
	if err := c.store.ApplyRekey(c.plan(t), c.operator.identity); !errors.Is(err, errCrash) {
		t.Fatal(err)
	}
	c.store.step = nil
	a, err := c.store.Plan("a", "S0", []byte("newer"), []Reader{c.fresh.reader}, true, time.Now())
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.Apply(a); err != nil {
		t.Fatal(err)
	}
	if value, err := c.store.Show("a", "S0", c.fresh.identity); err != nil || string(value) != "newer" {
		t.Fatalf("%q, %v", value, err)
	}
	if value, err := c.store.Show("b", "S0", c.fresh.identity); err != nil || string(value) != "bS0" {
		t.Fatalf("the rekey was not completed: %q, %v", value, err)
	}
	c.assertClean(t)
}

// TestRekeyWithoutSecrets: the other file alone is a transaction, too, and a
// symlink in its place is left alone.
func TestRekeyWithoutSecrets(t *testing.T) {
	c := newRekeyCase(t)
	plan := &Rekey{}
	plan.Also("fleet.toml", func() ([]byte, error) { return []byte("new"), nil })
	if err := c.store.ApplyRekey(plan); err != nil || c.list(t) != "new" {
		t.Fatalf("%v, fleet.toml is %q", err, c.list(t))
	}
	if err := errors.Join(os.Remove(c.store.path("fleet.toml")), os.Symlink("elsewhere", c.store.path("fleet.toml"))); err != nil {
		t.Fatal(err)
	}
	if err := c.store.ApplyRekey(plan); err == nil || !strings.Contains(err.Error(), "fleet.toml: is not a regular file") {
		t.Errorf("a symlink: %v", err)
	}
	c.assertClean(t)
}

// TestRekeyLast: what comes last is called once, when every new file is there and
// none is in place; when it fails, none gets there.
func TestRekeyLast(t *testing.T) {
	c := newRekeyCase(t)
	calls := 0
	for _, refused := range []error{errCrash, nil} {
		plan := c.plan(t)
		plan.Also("fleet.toml", func() ([]byte, error) { return []byte("new"), nil })
		plan.Last(func() error {
			calls++
			staged, err := filepath.Glob(c.store.path("hosts/.pisec/*.age"))
			if err != nil || len(staged) != 2*rekeyFiles+1 || c.list(t) != "old" {
				t.Errorf("staged: %q, %v; fleet.toml is %q", staged, err, c.list(t))
			}
			return refused
		})
		if err := c.store.ApplyRekey(plan, c.operator.identity); !errors.Is(err, refused) {
			t.Fatal(err)
		}
		c.assertClean(t)
		if old, fresh := c.state(t); refused != nil && (fresh != 0 || c.list(t) != "old") || refused == nil && (old != 0 || c.list(t) != "new") {
			t.Errorf("after %v: the old key opens %d files, the new %d; fleet.toml is %q", refused, old, fresh, c.list(t))
		}
	}
	if calls != 2 {
		t.Errorf("called %d times", calls)
	}
}

func TestSecondWriterIsRefused(t *testing.T) {
	c := newRekeyCase(t)
	unlock, err := c.store.lock()
	if err != nil {
		t.Fatal(err)
	}
	err = c.store.ApplyRekey(c.plan(t), c.operator.identity)
	if want := fmt.Sprintf("being changed by process %d", os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Fatalf("want %q, got %v", want, err)
	}
	unlock()
	if err := c.store.ApplyRekey(c.plan(t), c.operator.identity); err != nil {
		t.Fatal(err)
	}
}

func TestJournalThatNamesOtherFiles(t *testing.T) {
	for _, file := range []string{"flake.nix", "hosts/a/../ssh_host_ed25519_key.pub", "hosts/../ssh_host_ed25519_key.pub", "../x", "hosts/a/secrets/../../../fleet.toml", "hosts/a/host.toml", "hosts/../secrets/S.age", "hosts/a/secrets/S"} {
		c := newRekeyCase(t)
		if err := os.MkdirAll(c.store.path(staging), 0o700); err != nil {
			t.Fatal(err)
		}
		journal := fmt.Sprintf(`{"schema": 1, "files": [%q]}`, file)
		if err := os.WriteFile(filepath.Join(c.store.path(staging), journalName), []byte(journal), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := c.store.Recover(); err == nil || !strings.Contains(err.Error(), "which is no secret") {
			t.Errorf("%s: %v", file, err)
		}
	}
}

// oneByOne is an identity, or a recipient, that must not be used by two at once,
// as those of plugins must not.
type oneByOne struct {
	t    *testing.T
	id   age.Identity
	to   age.Recipient
	busy *atomic.Int32
	used *atomic.Int32
}

func (o oneByOne) enter() func() {
	if o.busy.Add(1) > 1 {
		o.t.Error("used by two at once")
	}
	o.used.Add(1)
	runtime.Gosched()
	return func() { o.busy.Add(-1) }
}

func (o oneByOne) Unwrap(stanzas []*age.Stanza) ([]byte, error) {
	defer o.enter()()
	return o.id.Unwrap(stanzas)
}

func (o oneByOne) Wrap(key []byte) ([]*age.Stanza, error) {
	defer o.enter()()
	return o.to.Wrap(key)
}

// TestRekeyAsksOneByOne: a plugin, as a key or as a reader, gets one file after
// another, because it may want somebody to touch a device for each.
func TestRekeyAsksOneByOne(t *testing.T) {
	c := newRekeyCase(t)
	plugin := oneByOne{t, c.operator.identity, c.fresh.reader.Recipient, new(atomic.Int32), new(atomic.Int32)}
	if err := c.store.ApplyRekey(c.plan(t), plugin); err != nil {
		t.Fatal(err)
	}
	readers := []Reader{c.operator.reader, {Source: "plugin", Text: "age1plugin1x", Recipient: plugin}}
	plan, err := c.store.PlanRekey([]Wanted{{"a", readers}, {"b", readers}}, true)
	if err != nil {
		t.Fatal(err)
	}
	if err := c.store.ApplyRekey(plan, c.operator.identity); err != nil {
		t.Fatal(err)
	}
	if n := plugin.used.Load(); n != 4*rekeyFiles {
		t.Errorf("asked %d times instead of once a file", n)
	}
	if old, fresh := c.state(t); old != 0 || fresh != 2*rekeyFiles {
		t.Fatalf("the old key opens %d, the new %d", old, fresh)
	}
}

// TestRekeyAsksForThePassphraseOnce, whether it is the right one or not, however
// many files want the key at once.
func TestRekeyAsksForThePassphraseOnce(t *testing.T) {
	for _, c := range []struct{ typed, want string }{{"right", ""}, {"wrong", "identity "}} {
		t.Run(c.typed, func(t *testing.T) {
			k := newRekeyCase(t)
			public, private, err := ed25519.GenerateKey(nil)
			if err != nil {
				t.Fatal(err)
			}
			block, err := ssh.MarshalPrivateKeyWithPassphrase(private, "", []byte("right"))
			if err != nil {
				t.Fatal(err)
			}
			file := filepath.Join(t.TempDir(), "key")
			if err := os.WriteFile(file, pem.EncodeToMemory(block), 0o600); err != nil {
				t.Fatal(err)
			}
			key, err := ssh.NewPublicKey(public)
			if err != nil {
				t.Fatal(err)
			}
			reader, err := ParseReader("locked", string(ssh.MarshalAuthorizedKey(key)), nil)
			if err != nil {
				t.Fatal(err)
			}
			locked := []Reader{reader}
			first, err := k.store.PlanRekey([]Wanted{{"a", locked}, {"b", locked}}, false)
			if err != nil {
				t.Fatal(err)
			}
			if err := k.store.ApplyRekey(first, k.operator.identity); err != nil {
				t.Fatal(err)
			}
			var asked atomic.Int32
			ids, err := LoadIdentity(file, func(string) ([]byte, error) { asked.Add(1); return []byte(c.typed), nil }, nil)
			if err != nil {
				t.Fatal(err)
			}
			err = k.store.ApplyRekey(k.plan(t), ids...)
			if (c.want == "") != (err == nil) || (err != nil && (!strings.HasPrefix(err.Error(), c.want) || strings.Count(err.Error(), c.want) != 1)) {
				t.Errorf("error %v", err)
			}
			if n := asked.Load(); n != 1 {
				t.Errorf("asked %d times", n)
			}
			k.assertClean(t)
		})
	}
}

func BenchmarkRekey1000(b *testing.B) {
	host, operator := newPerson(b, "host"), newPerson(b, "operator")
	store := Store{Root: b.TempDir()}
	for i := range 1000 {
		label := Label{"pi", fmt.Sprintf("S%d", i), "v"}
		data, err := encrypt([]byte("value"), label, []Reader{host.reader, operator.reader})
		if err != nil {
			b.Fatal(err)
		}
		path := store.path(File("pi", label.Name))
		if err := errors.Join(os.MkdirAll(filepath.Dir(path), 0o755), os.WriteFile(path, data, 0o644)); err != nil {
			b.Fatal(err)
		}
	}
	for b.Loop() {
		plan, err := store.PlanRekey([]Wanted{{"pi", []Reader{host.reader, operator.reader, newPerson(b, "new").reader}}}, true)
		if err != nil {
			b.Fatal(err)
		}
		if err := store.ApplyRekey(plan, operator.identity); err != nil {
			b.Fatal(err)
		}
	}
}

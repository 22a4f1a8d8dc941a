package readers_test

import (
	"crypto/ed25519"
	"encoding/pem"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/internal/fleet"
	"pistack/internal/plugin"
	"pistack/internal/readers"
	"pistack/secrets"
)

// key is a key pair; its private half is in a file.
type key struct {
	public ssh.PublicKey
	line   string
	file   string
}

func newKey(t *testing.T) key {
	t.Helper()
	pub, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(private, "")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(pub)
	if err != nil {
		t.Fatal(err)
	}
	k := key{public: public, line: strings.TrimSpace(string(ssh.MarshalAuthorizedKey(public))), file: filepath.Join(t.TempDir(), "key")}
	if err := os.WriteFile(k.file, pem.EncodeToMemory(block), 0o600); err != nil {
		t.Fatal(err)
	}
	return k
}

func (k key) identities(t *testing.T) []age.Identity {
	t.Helper()
	ids, err := secrets.LoadIdentity(k.file, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	return ids
}

// newFleet is a fleet of one host with two secrets.
func newFleet(t *testing.T, operator, host key) *fleet.Fleet {
	t.Helper()
	root := t.TempDir()
	for file, text := range map[string]string{
		"fleet.toml":                        "operators = [\"" + operator.line + "\"]\n",
		"hosts/pi/host.toml":                "address = \"pi\"\nsystem = \"aarch64-linux\"\n",
		"hosts/pi/ssh_host_ed25519_key.pub": host.line + " a comment\n",
	} {
		path := filepath.Join(root, file)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	f, err := fleet.Load(root)
	if err != nil {
		t.Fatal(err)
	}
	all, err := readers.Of(f, f.Hosts[0], plugin.Allowed{})
	if err != nil {
		t.Fatal(err)
	}
	store := secrets.Store{Root: root}
	for _, name := range []string{"A", "B"} {
		a, err := store.PlanVersion(secrets.Label{Host: "pi", Name: name, Version: "20260101T000000Z-00000000"}, []byte("value"), all, false)
		if err != nil {
			t.Fatal(err)
		}
		if err := store.Apply(a); err != nil {
			t.Fatal(err)
		}
	}
	return f
}

// wantKey wants a key to be pinned, and to open every secret; another must not.
func wantKey(t *testing.T, f *fleet.Fleet, is, not key) {
	t.Helper()
	if got, err := f.Hosts[0].PublicKey(); err != nil || !readers.SameKey(got, is.line) {
		t.Errorf("pinned is %q (%v)", got, err)
	}
	store := secrets.Store{Root: f.Root}
	for _, name := range []string{"A", "B"} {
		if _, err := store.Show("pi", name, is.identities(t)...); err != nil {
			t.Errorf("%s: %v", name, err)
		}
		if _, err := store.Show("pi", name, not.identities(t)...); err == nil {
			t.Errorf("%s opens with the other key", name)
		}
	}
}

// TestKeyChange: pin and secrets change together, or not at all, and back.
func TestKeyChange(t *testing.T) {
	operator, old, next := newKey(t), newKey(t), newKey(t)
	f := newFleet(t, operator, old)
	plan := func() *readers.KeyChange {
		t.Helper()
		c, err := readers.PlanKey(f, f.Hosts[0], next.public, plugin.Allowed{})
		if err != nil || !c.Needed() || len(c.Rekey.Changes) != 2 {
			t.Fatalf("%+v, %v", c, err)
		}
		return c
	}
	failed := errors.New("the last step failed")
	if err := plan().Apply(func() error { wantKey(t, f, old, next); return failed }, operator.identities(t)...); err == nil {
		t.Error("the last step failed, and the change did not")
	}
	if (secrets.Store{Root: f.Root}).Unfinished() {
		t.Error("a transaction is left")
	}
	wantKey(t, f, old, next)
	if err := plan().Apply(func() error { t.Error("the last step was run"); return nil }, next.identities(t)...); err == nil {
		t.Error("applied with a key that opens nothing")
	}
	wantKey(t, f, old, next)

	change := plan()
	if err := change.Apply(nil, operator.identities(t)...); err != nil {
		t.Fatal(err)
	}
	wantKey(t, f, next, old)
	if again, err := readers.PlanKey(f, f.Hosts[0], next.public, plugin.Allowed{}); err != nil || again.Needed() {
		t.Errorf("%+v, %v", again, err)
	}
	back, err := change.Back()
	if err != nil {
		t.Fatal(err)
	}
	if err := back.Apply(nil, operator.identities(t)...); err != nil {
		t.Fatal(err)
	}
	wantKey(t, f, old, next)
}

// TestOwned: no key is that of two hosts, or of a host and an operator.
func TestOwned(t *testing.T) {
	operator, host, next := newKey(t), newKey(t), newKey(t)
	f := newFleet(t, operator, host)
	for name, c := range map[string]struct {
		key  key
		want string
	}{
		"another host's": {host, "is that of the host pi, and cannot be that of pi2, too"},
		"an operator's":  {operator, "is that of fleet.toml"},
		"nobody's":       {next, ""},
	} {
		err := readers.RefuseOwned(f, "pi2", c.key.public)
		if c.want == "" && err != nil || c.want != "" && (err == nil || !strings.Contains(err.Error(), c.want)) {
			t.Errorf("%s: %v", name, err)
		}
	}
	if _, err := readers.PlanKey(f, f.Hosts[0], operator.public, plugin.Allowed{}); err == nil {
		t.Error("planned to pin the operator's key")
	}
	if _, err := readers.PlanKey(f, f.Hosts[0], host.public, plugin.Allowed{}); err != nil {
		t.Errorf("its own key: %v", err)
	}
}

// TestMeanwhile: what changed since it was planned is not overwritten.
func TestMeanwhile(t *testing.T) {
	operator, old, next, third := newKey(t), newKey(t), newKey(t), newKey(t)
	for name, change := range map[string]struct{ file, text string }{
		"another key was pinned": {"hosts/pi/ssh_host_ed25519_key.pub", third.line + "\n"},
		"an operator came":       {"fleet.toml", "operators = [\"" + operator.line + "\", \"" + third.line + "\"]\n"},
	} {
		t.Run(name, func(t *testing.T) {
			f := newFleet(t, operator, old)
			c, err := readers.PlanKey(f, f.Hosts[0], next.public, plugin.Allowed{})
			if err != nil {
				t.Fatal(err)
			}
			if err := os.WriteFile(filepath.Join(f.Root, change.file), []byte(change.text), 0o644); err != nil {
				t.Fatal(err)
			}
			err = c.Apply(func() error { t.Error("the last step was run"); return nil }, operator.identities(t)...)
			if err == nil || !strings.Contains(err.Error(), "have changed meanwhile") {
				t.Errorf("error %v", err)
			}
			if got, err := os.ReadFile(filepath.Join(f.Root, change.file)); err != nil || string(got) != change.text {
				t.Errorf("%q, %v", got, err)
			}
		})
	}
}

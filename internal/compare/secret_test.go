package compare

import (
	"bytes"
	"crypto/ed25519"
	"errors"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"filippo.io/age/armor"
	"golang.org/x/crypto/ssh"

	"pistack/secrets"
)

// sshKey makes a public key, the same one for the same letter.
func sshKey(t *testing.T, letter string) string {
	t.Helper()
	seed := bytes.Repeat([]byte(letter), ed25519.SeedSize)
	key, err := ssh.NewPublicKey(ed25519.NewKeyFromSeed(seed).Public())
	if err != nil {
		t.Fatal(err)
	}
	return strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
}

// encrypt writes a secret of host a for the given recipients.
func (r repository) encrypt(name, value string, recipients ...string) {
	r.t.Helper()
	var readers []secrets.Reader
	for _, text := range recipients {
		reader, err := secrets.ParseReader("test", text, nil)
		if err != nil {
			r.t.Fatal(err)
		}
		readers = append(readers, reader)
	}
	store := secrets.Store{Root: r.root}
	a, err := store.Plan("a", name, []byte(value), readers, true, time.Unix(0, 0))
	if err == nil {
		err = store.Apply(a)
	}
	if err != nil {
		r.t.Fatal(err)
	}
}

// relabel gives a secret's file another version, as nobody with a key would.
func (r repository) relabel(name string, version func(old string) string) {
	r.t.Helper()
	path := filepath.Join(r.root, secrets.File("a", name))
	data, err := os.ReadFile(path)
	if err != nil {
		r.t.Fatal(err)
	}
	header, err := secrets.ReadHeader(bytes.NewReader(data))
	if err != nil {
		r.t.Fatal(err)
	}
	binary, err := io.ReadAll(armor.NewReader(bytes.NewReader(data)))
	if err != nil {
		r.t.Fatal(err)
	}
	old := header.Label.Version
	binary = bytes.Replace(binary, []byte(old), []byte(version(old)), 1)
	var out bytes.Buffer
	w := armor.NewWriter(&out)
	_, err = w.Write(binary)
	if err := errors.Join(err, w.Close(), os.WriteFile(path, out.Bytes(), 0o644)); err != nil {
		r.t.Fatal(err)
	}
}

// TestSecrets: who gained and who lost, by name where a header or fleet.toml
// tells, and what no command of ours writes.
func TestSecrets(t *testing.T) {
	alice, bob, box, stranger := sshKey(t, "a"), sshKey(t, "b"), sshKey(t, "h"), sshKey(t, "s")
	const other = "age1lggyhqrw2nlhcxprm67z43rta597azn8gknawjehu9d9dl0jq3yqqvfafg"
	r := newRepository(t, map[string]string{
		"hosts/a/host.toml": host("one"), "stacks/one/compose.yaml": image("1"),
		"hosts/a/ssh_host_ed25519_key.pub": box + "\n",
		"fleet.toml":                       `operators = ["` + alice + ` alice@laptop", "` + operator + `"]`,
	})
	for _, name := range []string{"VALUE", "READERS", "FORGED", "GONE", "SAME", "UNKNOWN", "AGE"} {
		r.encrypt(name, "old", box, alice, operator)
	}
	r.commit()
	old := map[string]string{}
	for _, name := range []string{"READERS", "FORGED", "UNKNOWN", "AGE"} {
		entries, err := secrets.ListFS(os.DirFS(r.root), "a")
		if err != nil {
			t.Fatal(err)
		}
		old[name] = entries[slices.IndexFunc(entries, func(e secrets.Entry) bool { return e.Name == name })].Header.Label.Version
	}
	r.write("fleet.toml", `operators = ["`+bob+` bob@desk", "`+operator+`", "`+other+`"]`)
	r.encrypt("VALUE", "new", box, alice, operator)
	r.encrypt("READERS", "new", box, bob, operator)
	r.encrypt("FORGED", "new", box, alice, operator)
	r.encrypt("UNKNOWN", "new", box, stranger, operator)
	r.encrypt("AGE", "new", box, alice, operator, other)
	r.encrypt("NEW", "new", box)
	for name, version := range old {
		r.relabel(name, func(string) string { return version })
	}
	r.write(secrets.File("a", "GONE"), "")
	report, _ := r.compare()
	if len(report.Hosts) != 1 || len(report.Findings) > 0 {
		t.Fatalf("%+v", report)
	}
	var got []string
	for _, s := range report.Hosts[0].Secrets {
		got = append(got, s.Name+" "+string(s.Change)+" +"+strings.Join(s.Gained, ",")+" -"+strings.Join(s.Lost, ","))
	}
	want := []string{
		"AGE readers +operator age1lggyhqrw2nlh… -",
		"FORGED rekeyed + -",
		"GONE removed + -",
		"NEW added + -",
		"READERS readers +operator bob@desk -operator alice@laptop",
		"UNKNOWN readers +" + stanza(t, stranger) + " -operator alice@laptop",
		"VALUE new value + -",
	}
	if !slices.Equal(got, want) {
		t.Errorf("got\n%s\nwant\n%s", strings.Join(got, "\n"), strings.Join(want, "\n"))
	}
	var dangers []string
	for _, d := range report.Hosts[0].Dangers {
		dangers = append(dangers, string(d.Code)+" "+strings.Fields(d.Message)[1])
	}
	// All four were encrypted anew under the old version: only the new readers
	// of a rekey are legal, so each is called forged.
	want = []string{"secret-readers AGE", "secret-forged AGE", "secret-forged FORGED", "secret-readers READERS", "secret-forged READERS", "secret-readers UNKNOWN", "secret-forged UNKNOWN"}
	if !slices.Equal(dangers, want) {
		t.Errorf("dangers %q, want %q", dangers, want)
	}
}

// stanza is how a key of nobody is called.
func stanza(t *testing.T, key string) string {
	t.Helper()
	r, err := secrets.ParseReader("test", key, nil)
	if err != nil {
		t.Fatal(err)
	}
	return "an unknown ssh-ed25519 key with tag " + r.Tag
}

// TestPinnedKey: another host key is a danger.
func TestPinnedKey(t *testing.T) {
	r := example(t)
	r.write("hosts/a/ssh_host_ed25519_key.pub", sshKey(t, "a"))
	r.commit()
	r.write("hosts/a/ssh_host_ed25519_key.pub", sshKey(t, "b"))
	report, _ := r.compare()
	if got := lines(report); !slices.Equal(got, []string{"! a host-key", "a ssh_host_ed25519_key.pub"}) {
		t.Errorf("got %q", got)
	}
}

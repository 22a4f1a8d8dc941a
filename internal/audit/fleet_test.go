package audit_test

import (
	"crypto/ed25519"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"filippo.io/age"
	"filippo.io/age/agessh"
	"golang.org/x/crypto/ssh"

	"pistack/internal/audit"
	"pistack/internal/fleet"
	"pistack/secrets"
)

// person is a key pair: of a machine, or of an operator.
type person struct {
	text     string // recipient
	tag      string // of an ssh key
	identity age.Identity
}

func sshPerson(t testing.TB) person {
	t.Helper()
	public, private, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	id, err := agessh.NewEd25519Identity(private)
	if err != nil {
		t.Fatal(err)
	}
	return person{strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), secrets.KeyTag(key), id}
}

func agePerson(t testing.TB) person {
	t.Helper()
	id, err := age.GenerateX25519Identity()
	if err != nil {
		t.Fatal(err)
	}
	return person{text: id.Recipient().String(), identity: id}
}

// world is a fleet in a Git repository, and the people that it is about.
type world struct {
	t      testing.TB
	root   string
	people map[string]person
}

// newWorld makes hosts pi and box with a key each, and an operator op.
func newWorld(t testing.TB) *world {
	t.Helper()
	if _, err := exec.LookPath("git"); err != nil {
		t.Skip("git not on PATH")
	}
	for name, value := range map[string]string{
		"GIT_CONFIG_GLOBAL": os.DevNull, "GIT_CONFIG_SYSTEM": os.DevNull, "GIT_CEILING_DIRECTORIES": os.TempDir(),
		"GIT_AUTHOR_NAME": "Ann", "GIT_AUTHOR_EMAIL": "ann@example.org", "GIT_COMMITTER_NAME": "Ann", "GIT_COMMITTER_EMAIL": "ann@example.org",
	} {
		t.Setenv(name, value)
	}
	w := &world{t: t, root: t.TempDir(), people: map[string]person{}}
	for _, name := range []string{"op", "op2", "pi", "pi2", "box"} {
		w.people[name] = sshPerson(t)
	}
	w.people["age"], w.people["age2"] = agePerson(t), agePerson(t)
	w.git("init", "--quiet", "--initial-branch=main")
	w.operators("op")
	w.pin("pi", "pi")
	w.pin("box", "box")
	return w
}

func (w *world) git(args ...string) {
	w.t.Helper()
	if out, err := exec.Command("git", append([]string{"-C", w.root}, args...)...).CombinedOutput(); err != nil {
		w.t.Fatalf("git %s: %v\n%s", strings.Join(args, " "), err, out)
	}
}

func (w *world) write(name, content string) {
	w.t.Helper()
	file := filepath.Join(w.root, name)
	if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(content), 0o644)); err != nil {
		w.t.Fatal(err)
	}
}

// commit commits everything, a minute after the last time, under a subject by
// which commits are told apart.
func (w *world) commit(subject string) {
	w.t.Helper()
	minutes, _ := strconv.Atoi(os.Getenv("MINUTES"))
	w.t.Setenv("MINUTES", strconv.Itoa(minutes+1))
	for _, name := range []string{"GIT_AUTHOR_DATE", "GIT_COMMITTER_DATE"} {
		w.t.Setenv(name, fmt.Sprintf("@%d +0000", 1_700_000_000+60*minutes))
	}
	w.git("add", "--all")
	w.git("commit", "--quiet", "--allow-empty", "--message", subject)
}

func (w *world) operators(names ...string) {
	w.t.Helper()
	var texts []string
	for _, n := range names {
		texts = append(texts, strconv.Quote(w.people[n].text))
	}
	w.write("fleet.toml", "operators = ["+strings.Join(texts, ", ")+"]\n")
}

func (w *world) pin(host, name string) {
	w.t.Helper()
	w.write("hosts/"+host+"/host.toml", fmt.Sprintf("address = %q\nsystem = \"aarch64-linux\"\n", host+".local"))
	w.write("hosts/"+host+"/"+fleet.KeyFile, w.people[name].text+" root@"+host+"\n")
}

func (w *world) load() *fleet.Fleet {
	w.t.Helper()
	f, err := fleet.Load(w.root)
	if err != nil {
		w.t.Fatal(err)
	}
	return f
}

// readers are those that the work tree wants.
func (w *world) readers(host string) []secrets.Reader {
	w.t.Helper()
	f := w.load()
	h, err := f.Host(host)
	if err != nil {
		w.t.Fatal(err)
	}
	key, err := h.PublicKey()
	if err != nil {
		w.t.Fatal(err)
	}
	var readers []secrets.Reader
	for _, text := range append([]string{key}, f.Operators...) {
		r, err := secrets.ParseReader(text[:8], text, nil)
		if err != nil {
			w.t.Fatal(err)
		}
		readers = append(readers, r)
	}
	return readers
}

// set gives a secret a new value.
func (w *world) set(host, name string) {
	w.t.Helper()
	store := secrets.Store{Root: w.root}
	a, err := store.Plan(host, name, []byte("sk-canary"), w.readers(host), true, time.Now())
	if err == nil {
		err = store.Apply(a)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

// rekey gives all secrets of a host the readers of now.
func (w *world) rekey(host string) {
	w.t.Helper()
	store := secrets.Store{Root: w.root}
	plan, err := store.PlanRekey([]secrets.Wanted{{Host: host, Readers: w.readers(host)}}, true)
	if err == nil {
		err = store.ApplyRekey(plan, w.people["op"].identity, w.people["age"].identity)
	}
	if err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) audit(all bool) *audit.Audit {
	w.t.Helper()
	a, err := audit.Of(w.t.Context(), w.load(), all)
	if err != nil {
		w.t.Fatal(err)
	}
	return a
}

// asked shows a view in short: for each key a line
// "KEY knows HOST/NAME STATE FROM..UNTIL, …"; what it knows and shall not, in
// use, ends with a "!".
func (w *world) asked(a *audit.Audit, q audit.Query) string {
	var lines []string
	for _, s := range a.View(q) {
		var parts []string
		for _, k := range s.Knows {
			alarm := map[bool]string{true: "!"}[k.Alarm()]
			parts = append(parts, fmt.Sprintf("%s/%s %s %s..%s%s", k.Value.Host, k.Value.Name, k.Value.State, w.subject(k.From), w.until(k.Span), alarm))
		}
		line := w.name(s.Who) + " knows " + strings.Join(parts, ", ")
		if s.Wanted > 0 {
			line += fmt.Sprintf(" and %d more", s.Wanted)
		}
		lines = append(lines, line)
	}
	return strings.Join(lines, "\n")
}

func (w *world) name(who secrets.Who) string {
	for name, p := range w.people {
		if who.Tag != "" && who.Tag == p.tag || who.Recipient == p.text {
			return name
		}
	}
	return fmt.Sprintf("%+v", who)
}

func (w *world) subject(c *secrets.Commit) string {
	switch {
	case c == nil:
		return "?"
	case c.Hash == "":
		return "uncommitted"
	}
	out, err := exec.Command("git", "-C", w.root, "log", "-1", "--format=%s", c.Hash).Output()
	if err != nil {
		w.t.Fatal(err)
	}
	return strings.TrimSpace(string(out))
}

func (w *world) until(s secrets.Span) string {
	if s.Now {
		return "now"
	}
	return w.subject(s.Until)
}

// want compares what a view says.
func (w *world) want(when string, q audit.Query, lines ...string) {
	w.t.Helper()
	if got := w.asked(w.audit(false), q); got != strings.Join(lines, "\n") {
		w.t.Errorf("%s:\n%s\nwant\n%s", when, got, strings.Join(lines, "\n"))
	}
}

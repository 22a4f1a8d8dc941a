package audit_test

import (
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"pistack/internal/audit"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/secrets"
)

var rotation audit.Query // what is asked without arguments

// TestReplacedPi: from the moment that a key is replaced, what it knows is listed
// until each has a new value, whether or not that is committed.
func TestReplacedPi(t *testing.T) {
	w := newWorld(t)
	w.set("pi", "A")
	w.set("pi", "B")
	w.set("box", "C")
	w.commit("first")
	w.want("nothing is lost", rotation)
	w.pin("pi", "pi2")
	w.want("pinned, not rekeyed", rotation, "pi knows pi/A current first..now!, pi/B current first..now!")
	w.rekey("pi")
	w.want("rekeyed", rotation, "pi knows pi/A current first..uncommitted!, pi/B current first..uncommitted!")
	w.commit("rekeyed")
	w.want("committed", rotation, "pi knows pi/A current first..rekeyed!, pi/B current first..rekeyed!")
	w.set("pi", "A")
	w.want("A is new", rotation, "pi knows pi/A replaced first..rekeyed, pi/B current first..rekeyed!")
	w.commit("new A")
	w.want("that is committed", rotation, "pi knows pi/A replaced first..rekeyed, pi/B current first..rekeyed!")
	w.rekey("pi")
	w.commit("rekeyed once more")
	w.want("rekeying is no new value", rotation, "pi knows pi/A replaced first..rekeyed, pi/B current first..rekeyed!")
	w.want("of the host", audit.Query{Hosts: []string{"pi"}},
		"pi knows pi/A replaced first..rekeyed, pi/B current first..rekeyed!", "pi2 knows  and 3 more")
	w.want("of another host", audit.Query{Hosts: []string{"box"}}, "box knows  and 1 more")
	w.set("pi", "B")
	w.want("all are new", rotation)
	w.want("by its tag", audit.Query{Named: []audit.Pattern{pattern(t, w.people["pi"].tag)}},
		"pi knows pi/A replaced first..rekeyed, pi/B replaced first..rekeyed")
	if keys, values := audit.Alarms(w.audit(false).View(rotation)); keys != 0 || values != 0 {
		t.Errorf("%d keys, %d values", keys, values)
	}
}

func pattern(t *testing.T, text string) audit.Pattern {
	t.Helper()
	p, err := audit.ParsePattern(text)
	if err != nil {
		t.Fatal(err)
	}
	return p
}

// TestRemovedOperator: an ssh key is named by headers.
func TestRemovedOperator(t *testing.T) {
	w := newWorld(t)
	w.operators("op", "op2")
	w.set("pi", "A")
	w.commit("first")
	w.operators("op")
	w.rekey("pi")
	w.set("box", "C")
	w.commit("removed")
	w.want("removed", rotation, "op2 knows pi/A current first..removed!")
	w.want("of the host, too", audit.Query{Hosts: []string{"pi"}}, "op2 knows pi/A current first..removed!", "pi knows  and 1 more")
	w.operators("op", "op2")
	w.want("again an operator", rotation)
}

// TestRemovedAgeOperator: what an age key could read is inferred from fleet.toml.
func TestRemovedAgeOperator(t *testing.T) {
	w := newWorld(t)
	w.set("pi", "BEFORE")
	w.commit("before")
	w.operators("op", "age")
	w.set("pi", "A")
	w.commit("with")
	w.commit("nothing")
	w.operators("op", "age2")
	w.commit("settings")
	w.want("not rekeyed", rotation, "age knows pi/A current with..now!")
	w.rekey("pi")
	w.commit("rekeyed")
	w.want("rekeyed", rotation, "age knows pi/A current with..rekeyed!")
	k := w.audit(false).View(rotation)[0]
	if !k.Inferred() || !k.Lost() || len(k.Sources) != 1 || w.subject(k.Sources[0].From) != "with" || w.subject(k.Sources[0].Until) != "settings" {
		t.Errorf("key %+v", k)
	}
	if a := w.audit(false); a.Anonymous != 3 || a.Types["X25519"] != 3 {
		t.Errorf("%d anonymous, %v", a.Anonymous, a.Types)
	}
	named, err := audit.ParseKey("key.pub", []byte(w.people["age"].text+"\n"))
	if err != nil {
		t.Fatal(err)
	}
	w.want("by its recipient", audit.Query{Named: []audit.Pattern{named}}, "age knows pi/A current with..rekeyed!")
	w.set("pi", "A")
	w.want("a new value", rotation)
}

// TestForeignReader: a machine that could read another one's secret is lost for
// that secret, although its key is in use.
func TestForeignReader(t *testing.T) {
	w := newWorld(t)
	w.pin("box", "pi")
	w.set("box", "C")
	w.set("pi", "A")
	w.commit("same key")
	w.pin("box", "box")
	w.rekey("box")
	w.commit("own key")
	w.want("of the fleet", rotation, "pi knows box/C current same key..own key! and 1 more")
	w.want("with what it shall read", audit.Query{Hosts: []string{"pi"}}, "pi knows box/C current same key..own key! and 1 more")
	if s := w.audit(false).View(rotation)[0]; s.Lost() {
		t.Error("the key itself is not lost")
	}
}

// TestRenames: the value counts, not the path.
func TestRenames(t *testing.T) {
	w := newWorld(t)
	w.set("pi", "A")
	w.commit("first")
	w.git("mv", "hosts/pi", "hosts/new")
	w.commit("renamed")
	w.want("renamed", audit.Query{Wanted: true}, "op knows pi/A current first..now", "pi knows pi/A current first..now")
	w.pin("new", "pi2")
	w.want("replaced, too", rotation, "pi knows pi/A current first..now!")
	w.set("new", "A")
	w.commit("set")
	w.want("a new value", rotation)
	a := w.audit(false)
	for selector, want := range map[string][]string{"pi": {"pi"}, "*": {"box", "new", "pi"}, "n*": {"new"}} {
		if got, err := a.Select(w.load(), []string{selector}); err != nil || !slices.Equal(got, want) {
			t.Errorf("%s selects %q, %v", selector, got, err)
		}
	}
	if _, err := a.Select(w.load(), []string{"none"}); err == nil || !strings.Contains(err.Error(), `no host "none"`) {
		t.Errorf("error %v", err)
	}
	w.want("of the old name", audit.Query{Hosts: []string{"pi"}}, "pi knows pi/A replaced first..set")
}

// TestDeleted: a deleted secret is nothing to replace, and is not forgotten.
func TestDeleted(t *testing.T) {
	w := newWorld(t)
	w.set("pi", "A")
	w.commit("first")
	w.pin("pi", "pi2")
	w.git("rm", "--quiet", "hosts/pi/secrets/A.age")
	w.commit("deleted")
	w.want("deleted", rotation, "pi knows pi/A gone first..deleted")
	w.git("rm", "--quiet", "-r", "hosts/pi")
	w.commit("host deleted")
	w.want("host deleted", audit.Query{Hosts: []string{"pi"}}, "pi knows pi/A gone first..deleted", "pi2 knows ")
}

// TestMerges: a value that only ever was on a side branch, or lost a merge, was
// readable all the same.
func TestMerges(t *testing.T) {
	w := newWorld(t)
	w.operators("op", "op2")
	w.set("pi", "A")
	w.commit("first")
	w.git("checkout", "--quiet", "-b", "side")
	w.set("pi", "A")
	w.set("pi", "SIDE")
	w.commit("side")
	w.git("checkout", "--quiet", "main")
	w.operators("op")
	w.rekey("pi")
	w.commit("main")
	w.git("merge", "--quiet", "--strategy=ours", "--message=merge", "side")
	w.want("merged", audit.Query{Named: []audit.Pattern{pattern(t, w.people["op2"].tag)}},
		"op2 knows pi/A current first..side!, pi/A replaced side..merge, pi/SIDE gone side..merge")
}

// TestBranches: other branches count when they are asked for.
func TestBranches(t *testing.T) {
	w := newWorld(t)
	w.commit("empty")
	w.git("checkout", "--quiet", "-b", "side")
	w.operators("op", "op2")
	w.set("pi", "A")
	w.commit("side")
	w.git("checkout", "--quiet", "main")
	w.want("of HEAD", rotation)
	if got, want := w.asked(w.audit(true), rotation), "op2 knows pi/A gone side..?"; !strings.Contains(got, want) {
		t.Errorf("of all branches: %s", got)
	}
}

func TestNoHistory(t *testing.T) {
	w := newWorld(t)
	w.set("pi", "A")
	w.want("no commits", audit.Query{Wanted: true}, "op knows pi/A current uncommitted..now", "pi knows pi/A current uncommitted..now")
	if a := w.audit(true); a.Clone.Head != "" || a.Commits != 0 || a.Files != 1 {
		t.Errorf("%+v", a)
	}
	if err := os.RemoveAll(filepath.Join(w.root, ".git")); err != nil {
		t.Fatal(err)
	}
	var none *git.NotARepository
	if _, err := audit.Of(t.Context(), w.load(), false); !errors.As(err, &none) {
		t.Errorf("error %v", err)
	}
}

func TestShallow(t *testing.T) {
	w := newWorld(t)
	w.set("pi", "A")
	w.commit("first")
	w.pin("pi", "pi2")
	w.rekey("pi")
	w.commit("rekeyed")
	from := w.root
	w.root = filepath.Join(t.TempDir(), "shallow")
	if out, err := exec.Command("git", "clone", "--quiet", "--depth=1", "file://"+from, w.root).CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if a := w.audit(false); !a.Clone.Shallow || a.Commits != 1 {
		t.Errorf("%+v", a.Clone)
	}
	w.want("what is left", audit.Query{Named: []audit.Pattern{pattern(t, w.people["pi2"].tag)}}, "pi2 knows pi/A current rekeyed..now")
}

// TestJunk: what is no secret is passed over in the history and an error in the
// work tree; what stood there before stays listed.
func TestJunk(t *testing.T) {
	w := newWorld(t)
	w.operators("op", "op2")
	w.set("pi", "A")
	w.commit("first")
	w.operators("op")
	w.rekey("pi")
	w.write("hosts/pi/secrets/B.age", "\x00\xff\x7fELF")
	w.write("hosts/pi/secrets/README", "no secret")
	w.write("hosts/pi/secrets/not a name.age", "-----BEGIN AGE ENCRYPTED FILE-----\n")
	w.write("hosts/pi/"+fleet.KeyFile+".bak", "not a key")
	w.commit("junk")
	w.git("rm", "--quiet", "hosts/pi/secrets/B.age", "hosts/pi/secrets/not a name.age")
	w.commit("no junk")
	a := w.audit(false)
	if a.Skipped != 2 || a.Problems != nil {
		t.Errorf("%d passed over, %v", a.Skipped, a.Problems)
	}
	w.want("after junk", rotation, "op2 knows pi/A current first..junk!")
	w.write("hosts/pi/secrets/A.age", "junk")
	w.want("unreadable", rotation, "op2 knows pi/A unknown first..junk!")
	if err := w.audit(false).Problems; err == nil || !strings.HasPrefix(err.Error(), "hosts/pi/secrets/A.age: is not an armored age file, or is damaged") {
		t.Errorf("error %v", err)
	}
	w.write("fleet.toml", "operators = [\n")
	w.commit("broken settings")
	w.operators("op")
	w.want("settings that nobody could read", rotation, "op2 knows pi/A unknown first..junk!")
}

func TestTrail(t *testing.T) {
	w := newWorld(t)
	w.set("pi", "A")
	w.commit("first")
	w.pin("pi", "pi2")
	w.set("pi", "NEW")
	trail, err := audit.TrailOf(t.Context(), w.load())
	if err != nil {
		t.Fatal(err)
	}
	s, ok := trail.Source(secrets.Stanza{Type: "ssh-ed25519", Tag: w.people["pi"].tag})
	if !ok || s.File != "hosts/pi/"+fleet.KeyFile || s.Now || w.subject(s.From) != "first" || w.subject(s.Until) != "uncommitted" {
		t.Errorf("%+v, %t", s, ok)
	}
	for _, stanza := range []secrets.Stanza{{Type: "X25519"}, {Type: "ssh-ed25519", Tag: w.people["op2"].tag}} {
		if s, ok := trail.Source(stanza); ok {
			t.Errorf("%+v is known as %+v", stanza, s)
		}
	}
	entries, err := secrets.Store{Root: w.root}.List("pi")
	if err != nil || len(entries) != 2 {
		t.Fatalf("%v, %v", entries, err)
	}
	a, added := entries[0], entries[1]
	before, now := secrets.Stanza{Type: "ssh-ed25519", Tag: w.people["pi"].tag}, secrets.Stanza{Type: "ssh-ed25519", Tag: w.people["pi2"].tag}
	if !trail.Committed(a, before) || trail.Committed(added, now) {
		t.Error("committed files are mistaken")
	}
	if trail.Committed(secrets.Entry{File: a.File, Header: secrets.Header{Label: a.Header.Label, Readers: []secrets.Stanza{now}}}, now) {
		t.Error("a reader that no commit has is taken for committed")
	}
	another := a
	another.Header.Label.Version = "20260101T000000Z-00000000"
	if trail.Committed(another, before) {
		t.Error("a value that no commit has is taken for committed")
	}
	if _, ok := (*audit.Trail)(nil).Source(secrets.Stanza{Tag: "x"}); ok {
		t.Error("no trail knows a key")
	}
}

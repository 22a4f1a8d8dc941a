package secrets

import (
	"path"
	"slices"
	"strings"
)

// Who is a reader as far as history can tell. An ssh key is known by type and tag.
// The others are known by Recipient, and that they could read something is
// inferred: the fleet's settings named them when it was written.
type Who struct {
	Type      string
	Tag       string
	Recipient string
}

// Inferred tells that no header says so.
func (w Who) Inferred() bool { return w.Recipient != "" }

// Span is from when to when something held.
type Span struct {
	From  *Commit
	Until *Commit // nil when it holds, or ended on no branch that was looked at
	Now   bool    // it holds in the work tree
}

// Begins takes note of a commit since which it holds. Commits come in order.
func (s *Span) Begins(at *Commit) {
	if s.From == nil {
		s.From = at
	}
}

// UntilText says when it ended.
func (s Span) UntilText() string {
	switch {
	case s.Now:
		return "now"
	case s.Until == nil:
		return "another branch"
	}
	return s.Until.String()
}

// Ends takes note of a commit since which it does not.
func (s *Span) Ends(at *Commit) { s.Until = at }

// Holds takes note that it does so in the work tree.
func (s *Span) Holds() { s.Now, s.Until = true, nil }

// States of a value.
const (
	StateCurrent  = "current"  // a file of the work tree holds it
	StateUnknown  = "unknown"  // its file cannot be read
	StateReplaced = "replaced" // its file holds another value
	StateGone     = "gone"     // its file was deleted; whatever the value opens may still take it
)

// Value is one value that a secret once had. Files hold the same value when
// their payloads are the same, bytes that only somebody who knows the file's key
// can make, or when their labels carry the same version.
type Value struct {
	Host, Name string
	Version    string // "" when it was not written by pisec
	State      string
	Files      []string // of the work tree that hold it, sorted
	Access     []Access // in order of their beginnings
}

// Access is that somebody could read a value.
type Access struct {
	Who
	Span
}

// Trace computes who could read which value from when to when. Changes come with
// parents before children, those of the work tree last; now is the work tree, as
// WorkFiles gives it. The same version of a file has to be the same pointer.
// Values come in order of their beginnings.
func Trace(changes []Change, now map[string]*Ciphertext) []*Value {
	t := trace{readers: map[*Ciphertext][]Who{}, same: newSameness()}
	for _, c := range changes {
		t.meet(c.File, c.After, c.Listed)
		t.meet(c.File, c.Before, nil)
	}
	files := sortedFiles(now)
	for _, file := range files {
		t.meet(file, now[file], nil)
	}
	t.spans = make(map[access]*Span)
	for _, c := range changes {
		t.follow(c)
	}
	for _, file := range files {
		t.holds(file, now[file])
	}
	return t.values(now)
}

// trace is a Trace that is being computed.
type trace struct {
	readers map[*Ciphertext][]Who
	same    sameness
	met     []meeting // each version of a file, with the path where it was met
	spans   map[access]*Span
	order   []access // of spans, as they began
	now     []meeting
}

// access is who could read a value; value is a number of sameness, final.
type access struct {
	value int
	who   Who
}

// meeting is a version of a file at a path.
type meeting struct {
	file string
	c    *Ciphertext
}

// meet takes note of a version of a file. Who is inferred to read it follows from
// the settings in the commit that wrote it first.
func (t *trace) meet(file string, c *Ciphertext, listed []Recipient) {
	if c == nil {
		return
	}
	t.met = append(t.met, meeting{file, c})
	if _, known := t.readers[c]; known {
		return
	}
	who := []Who{}
	for _, s := range c.Readers {
		if w := (Who{Type: s.Type, Tag: s.Tag}); s.Tag != "" && !slices.Contains(who, w) {
			who = append(who, w)
		}
	}
	for _, r := range listed {
		if r.mayRead(c) {
			who = append(who, Who{Type: r.Type, Recipient: r.Text})
		}
	}
	t.readers[c] = who
	t.same.add(c)
}

// follow adds a change to the spans: what a file no longer says ends, what it
// says begins. A rekey that keeps a reader ends nothing.
func (t *trace) follow(c Change) {
	before, after := t.accesses(c.Before), t.accesses(c.After)
	for _, a := range before {
		if !slices.Contains(after, a) {
			t.span(a).Ends(c.At)
		}
	}
	for _, a := range after {
		t.span(a).Begins(c.At)
	}
}

func (t *trace) accesses(c *Ciphertext) []access {
	if c == nil {
		return nil
	}
	var list []access
	for _, who := range t.readers[c] {
		list = append(list, access{t.same.of(c), who})
	}
	return list
}

func (t *trace) span(a access) *Span {
	s, ok := t.spans[a]
	if !ok {
		s = &Span{}
		t.spans[a], t.order = s, append(t.order, a)
	}
	return s
}

func (t *trace) holds(file string, c *Ciphertext) {
	t.now = append(t.now, meeting{file, c})
	for _, a := range t.accesses(c) {
		t.span(a).Holds()
	}
}

// values puts together what was found.
func (t *trace) values(now map[string]*Ciphertext) []*Value {
	byNumber := map[int]*Value{}
	paths := map[*Value][]string{}
	var all []*Value
	for _, m := range t.met {
		number := t.same.of(m.c)
		v, ok := byNumber[number]
		if !ok {
			l := labelAt(m)
			v = &Value{Host: l.Host, Name: l.Name, Version: l.Version}
			byNumber[number], all = v, append(all, v)
			paths[v] = append(paths[v], File(l.Host, l.Name))
		}
		paths[v] = append(paths[v], m.file)
	}
	for _, m := range t.now {
		if m.c != nil {
			v := byNumber[t.same.of(m.c)]
			v.Files = append(v.Files, m.file)
		}
	}
	for _, a := range t.order {
		v := byNumber[a.value]
		v.Access = append(v.Access, Access{Who: a.who, Span: *t.spans[a]})
	}
	for _, v := range all {
		v.State = stateOf(v.Files, paths[v], now)
	}
	return all
}

// stateOf tells what became of a value that once stood at some paths.
func stateOf(files, paths []string, now map[string]*Ciphertext) string {
	if len(files) > 0 {
		return StateCurrent
	}
	state := StateGone
	for _, file := range paths {
		c, exists := now[file]
		switch {
		case exists && c == nil:
			return StateUnknown
		case exists:
			state = StateReplaced
		}
	}
	return state
}

// labelAt is the label of a version or, without one, what its path says.
func labelAt(m meeting) Label {
	if m.c.Label.Name != "" {
		return m.c.Label
	}
	host, name := SecretAt(m.file)
	return Label{Host: host, Name: name}
}

// SecretAt tells of which host and of which name the secret at a path is.
func SecretAt(file string) (host, name string) {
	host, _, _ = strings.Cut(strings.TrimPrefix(file, "hosts/"), "/")
	return host, strings.TrimSuffix(path.Base(file), ".age")
}

func sortedFiles(now map[string]*Ciphertext) []string {
	files := make([]string, 0, len(now))
	for file := range now {
		files = append(files, file)
	}
	slices.Sort(files)
	return files
}

package audit

import (
	"context"
	"slices"

	"pistack/internal/fleet"
	"pistack/secrets"
)

// Trail is the part of an audit that a rekey needs to name those who lost access:
// where keys stood, and what is committed.
type Trail struct {
	sources []Source
	who     []secrets.Who
	head    map[string]*secrets.Ciphertext // secrets of the last commit, by file
}

// TrailOf reads it; of secrets, only the versions of the last commit are looked at.
func TrailOf(ctx context.Context, f *fleet.Fleet) (*Trail, error) {
	h, err := readHistory(ctx, f.Root, false, keyPaths())
	if err != nil {
		return nil, err
	}
	h.addWorkKeys(&secrets.Commit{}, f.Root)
	t := &Trail{head: map[string]*secrets.Ciphertext{}}
	for file, object := range h.head {
		t.head[file] = h.objects.secrets[object] // nil for other files
	}
	for _, s := range h.keys.order {
		t.who = append(t.who, s.who)
		t.sources = append(t.sources, Source{File: s.file, Host: s.host(), Fingerprint: s.fingerprint, Span: *h.keys.spans[s]})
	}
	return t, nil
}

// Source tells where the key of a stanza stood first. Without a trail nothing is
// known.
func (t *Trail) Source(s secrets.Stanza) (Source, bool) {
	if t == nil {
		return Source{}, false
	}
	at := slices.Index(t.who, secrets.Who{Type: s.Type, Tag: s.Tag})
	if s.Tag == "" || at < 0 {
		return Source{}, false
	}
	return t.sources[at], true
}

// Committed tells whether the last commit has this value of a secret with such a
// reader: only then an audit sees that he could read it. Readers whom a header does
// not name are counted.
func (t *Trail) Committed(e secrets.Entry, reader secrets.Stanza) bool {
	if t == nil || t.head[e.File] == nil {
		return false
	}
	c := t.head[e.File]
	return c.Label == e.Header.Label && count(c.Readers, reader) >= count(e.Header.Readers, reader)
}

func count(readers []secrets.Stanza, reader secrets.Stanza) int {
	n := 0
	for _, r := range readers {
		if r == reader {
			n++
		}
	}
	return n
}

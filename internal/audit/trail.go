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
	head    map[string]string
}

// TrailOf reads it; secrets themselves are not looked at.
func TrailOf(ctx context.Context, f *fleet.Fleet) (*Trail, error) {
	h, err := readHistory(ctx, f.Root, false, keyPaths())
	if err != nil {
		return nil, err
	}
	h.addWorkKeys(&secrets.Commit{}, f.Root)
	t := &Trail{head: h.head}
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

// Committed tells whether the last commit has a file: only then an audit sees who
// could read it before.
func (t *Trail) Committed(file string) bool { return t != nil && t.head[file] != "" }

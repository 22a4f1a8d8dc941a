package main

import (
	"time"

	"pistack/internal/audit"
	"pistack/secrets"
)

// auditReport is the JSON form of "pisec audit"; it is only ever extended.
type auditReport struct {
	Schema     int            `json:"schema"`
	Head       string         `json:"head,omitempty"` // none before the first commit
	Shallow    bool           `json:"shallow"`
	Commits    int            `json:"commits"`
	Versions   int            `json:"versions"`  // of secrets' files
	Anonymous  map[string]int `json:"anonymous"` // type of stanza to versions that have such a reader
	Notes      []string       `json:"notes"`
	LostKeys   int            `json:"lostKeys"` // those that know values in use
	LostValues int            `json:"valuesToReplace"`
	Keys       []auditedKey   `json:"keys"`
}

type auditedKey struct {
	Type      string          `json:"type,omitempty"`
	Tag       string          `json:"tag,omitempty"`
	Recipient string          `json:"recipient,omitempty"`
	Inferred  bool            `json:"inferred"` // no header says so, fleet.toml does
	Lost      bool            `json:"lost"`     // it shall read nothing any more
	Sources   []auditedSource `json:"sources"`
	Knows     []auditedValue  `json:"knows"`
}

type auditedSource struct {
	File        string         `json:"file"`
	Host        string         `json:"host,omitempty"`
	Fingerprint string         `json:"fingerprint,omitempty"`
	From        *auditedCommit `json:"from"`
	Until       *auditedCommit `json:"until"` // null when it stands there
	Now         bool           `json:"now"`
}

type auditedValue struct {
	Host    string         `json:"host"`
	Name    string         `json:"name"`
	Version string         `json:"version,omitempty"`
	State   string         `json:"state"` // "current", "unknown", "replaced", "gone"
	Files   []string       `json:"files"` // of the work tree that hold it
	From    *auditedCommit `json:"from"`
	Until   *auditedCommit `json:"until"` // null when the key can read it still, or on another branch
	Now     bool           `json:"now"`   // a file of the work tree is encrypted to the key
	Lost    bool           `json:"lost"`  // the key shall not read it
	Fix     []string       `json:"fix"`
}

// auditedCommit is empty for a change that is not committed.
type auditedCommit struct {
	Hash   string `json:"hash,omitempty"`
	At     string `json:"at,omitempty"` // RFC 3339, UTC
	Author string `json:"author,omitempty"`
}

func auditJSON(a *audit.Audit, shown []audit.Shown) auditReport {
	out := auditReport{
		Schema: 1, Head: a.Clone.Head, Shallow: a.Clone.Shallow, Commits: a.Commits, Versions: a.Files, Anonymous: a.Types,
		Notes: append([]string{}, notesOf(a)...), Keys: []auditedKey{},
	}
	out.LostKeys, out.LostValues = audit.Alarms(shown)
	for _, s := range shown {
		k := auditedKey{Type: s.Type, Tag: s.Tag, Recipient: s.Recipient, Inferred: s.Inferred(), Lost: s.Lost(), Sources: []auditedSource{}, Knows: []auditedValue{}}
		for _, source := range s.Sources {
			k.Sources = append(k.Sources, auditedSource{
				File: source.File, Host: source.Host, Fingerprint: source.Fingerprint,
				From: commitJSON(source.From), Until: commitJSON(source.Until), Now: source.Now,
			})
		}
		for _, known := range s.Knows {
			k.Knows = append(k.Knows, valueJSON(known))
		}
		out.Keys = append(out.Keys, k)
	}
	return out
}

func valueJSON(k audit.Knowledge) auditedValue {
	host, name := placeOf(k.Value)
	return auditedValue{
		Host: host, Name: name, Version: k.Value.Version, State: k.Value.State, Files: append([]string{}, k.Value.Files...),
		From: commitJSON(k.From), Until: commitJSON(k.Until), Now: k.Now, Lost: k.Lost, Fix: append([]string{}, nextFor(k)...),
	}
}

func commitJSON(c *secrets.Commit) *auditedCommit {
	if c == nil {
		return nil
	}
	if c.Hash == "" {
		return &auditedCommit{}
	}
	return &auditedCommit{Hash: c.Hash, At: c.At.Format(time.RFC3339), Author: c.Author}
}

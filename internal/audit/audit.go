// Package audit tells from a fleet's Git history which keys could ever read
// which secrets, and which of these values are still in use.
//
// It needs no private key. What it knows stands in the headers of the files: they
// name ssh keys by a tag, and say of the others only that there are some. Which
// age key that was is inferred from fleet.toml as it stood beside. All of it finds
// what was forgotten after a key was replaced; it is no proof against somebody
// who forges headers or rewrites history.
package audit

import (
	"context"
	"maps"
	"slices"

	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/secrets"
)

// Audit is what the history and the work tree tell.
type Audit struct {
	Clone     git.Clone
	Commits   int            // that were looked at
	Files     int            // distinct versions of secrets' files
	Anonymous int            // of these, such that have a reader whom the header does not name
	Types     map[string]int // of those readers: type of stanza to number of files
	Skipped   int            // versions that are no age file
	Absent    int            // versions whose content is not in this clone, or too large
	Values    []*secrets.Value
	Keys      []*Key // those with a known source first, in order of their appearance
	Problems  error  // files of the work tree that cannot be read
	hosts     []string
}

// Key is a key that could ever read something, or that was ever pinned or listed.
type Key struct {
	secrets.Who
	Sources []Source
	Knows   []Knowledge
}

// Source is where a key stood in the repository, from when to when.
type Source struct {
	File        string // relative to the root
	Host        string // whose host key it was; "" for an operator
	Fingerprint string // of an ssh key, "SHA256:…"
	secrets.Span
}

// Knowledge is that a key could read a value.
type Knowledge struct {
	Value *secrets.Value
	secrets.Span
	Lost bool // it shall not read it now
}

// Alarm tells of a value in use that is known to a key which shall not read it.
func (k Knowledge) Alarm() bool {
	return k.Lost && (k.Value.State == secrets.StateCurrent || k.Value.State == secrets.StateUnknown)
}

// Of audits a fleet: what HEAD has behind it, or every ref with all, and the
// work tree.
func Of(ctx context.Context, f *fleet.Fleet, all bool) (*Audit, error) {
	h, err := readHistory(ctx, f.Root, all, allPaths())
	if err != nil {
		return nil, err
	}
	now, problems := secrets.Store{Root: f.Root}.WorkFiles()
	h.addWorkTree(f, now)
	a := &Audit{Clone: h.clone, Commits: h.commits, Types: map[string]int{}, Problems: problems, Skipped: h.skipped, Absent: h.absent}
	a.Values = secrets.Trace(h.secrets, now)
	a.count(h)
	a.addKeys(h, wantedOf(f))
	a.hosts = hostsIn(f, h)
	return a, nil
}

// count takes the numbers that the reader of a report wants to know.
func (a *Audit) count(h *history) {
	seen := map[*secrets.Ciphertext]bool{}
	for _, c := range h.secrets {
		if c.After == nil || seen[c.After] {
			continue
		}
		seen[c.After] = true
		a.Files++
		types := c.After.Anonymous()
		slices.Sort(types)
		for _, t := range slices.Compact(types) {
			a.Types[t]++
		}
		if len(types) > 0 {
			a.Anonymous++
		}
	}
}

// addKeys brings together where keys stood and what they could read.
func (a *Audit) addKeys(h *history, w wanted) {
	byWho := map[secrets.Who]*Key{}
	key := func(who secrets.Who) *Key {
		k, ok := byWho[who]
		if !ok {
			k = &Key{Who: who}
			byWho[who], a.Keys = k, append(a.Keys, k)
		}
		return k
	}
	for _, s := range h.keys.order {
		k := key(s.who)
		k.Sources = append(k.Sources, Source{File: s.file, Host: s.host(), Fingerprint: s.fingerprint, Span: *h.keys.spans[s]})
	}
	for _, v := range a.Values {
		for _, access := range v.Access {
			k := key(access.Who)
			k.Knows = append(k.Knows, Knowledge{Value: v, Span: access.Span, Lost: !w.wants(access.Who, v)})
		}
	}
}

// hostsIn lists every host that ever was.
func hostsIn(f *fleet.Fleet, h *history) []string {
	names := map[string]bool{}
	for _, host := range f.Hosts {
		names[host.Name] = true
	}
	for _, s := range h.keys.order {
		if host := s.host(); host != "" {
			names[host] = true
		}
	}
	for _, c := range h.secrets {
		host, _ := secrets.SecretAt(c.File)
		names[host] = true
	}
	return slices.Sorted(maps.Keys(names))
}

// wanted says who shall read what, by the work tree.
type wanted struct {
	hosts     map[string]secrets.Who
	operators map[secrets.Who]bool
}

func wantedOf(f *fleet.Fleet) wanted {
	w := wanted{hosts: map[string]secrets.Who{}, operators: map[secrets.Who]bool{}}
	for _, h := range f.Hosts {
		line, err := h.PublicKey()
		if err != nil {
			continue // nothing is wanted for it, then; pisec verify says so
		}
		if who, _, ok := whoIs(line); ok {
			w.hosts[h.Name] = who
		}
	}
	for _, text := range f.Operators {
		if who, _, ok := whoIs(text); ok {
			w.operators[who] = true
		}
	}
	return w
}

// wants tells whether a key shall read a value: one of the files that hold it, or
// of one that none holds any more, the host's that it was of.
func (w wanted) wants(who secrets.Who, v *secrets.Value) bool {
	if w.operators[who] {
		return true
	}
	for _, file := range v.Files {
		host, _ := secrets.SecretAt(file)
		if w.hosts[host] == who {
			return true
		}
	}
	return len(v.Files) == 0 && w.hosts[v.Host] == who
}

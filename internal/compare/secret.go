package compare

import (
	"bytes"
	"fmt"
	"io/fs"
	"slices"
	"strings"

	"pistack/compose/changes"
	"pistack/internal/fleet"
	"pistack/secrets"
)

// SecretChange is what happened to a secret.
type SecretChange string

// A secret came, went, got a new value, got other readers, or was encrypted
// again for the same ones. That is all that can be told without a key.
const (
	SecretAdded   SecretChange = "added"
	SecretRemoved SecretChange = "removed"
	SecretValue   SecretChange = "new value"
	SecretReader  SecretChange = "readers"
	SecretRekeyed SecretChange = "rekeyed"
)

// Secret is what happened to one secret of a host.
type Secret struct {
	Name   string       `json:"name"`
	Change SecretChange `json:"change"`
	Gained []string     `json:"gained"` // who can read it now, and could not
	Lost   []string     `json:"lost"`   // who could, and cannot read the new file; Git keeps the old one
	forged bool         // another payload under the version of the old one
}

// compareSecrets compares a host's secrets by their headers.
func (w *work) compareSecrets(host string, s *bothSecrets) []Secret {
	before, after := byName(s.before), byName(s.after)
	var found []Secret
	for _, name := range namesOf(s.before, s.after) {
		old, had := before[name]
		now, has := after[name]
		switch {
		case !had && there(w.Base, host, name), !has && there(w.Head, host, name):
			// It is there and cannot be read: a finding says so.
		case !had:
			found = append(found, Secret{Name: name, Change: SecretAdded, Gained: []string{}, Lost: []string{}})
		case !has:
			found = append(found, Secret{Name: name, Change: SecretRemoved, Gained: []string{}, Lost: []string{}})
		case w.differ.Has(old.File) && !w.sameFile(old.File):
			found = append(found, w.compareSecret(old, now))
		}
	}
	return found
}

func there(s *Side, host, name string) bool {
	_, err := fs.Lstat(s.Files, secrets.File(host, name))
	return err == nil
}

// sameFile tells of a path that Git listed as different for its mode or time.
func (w *work) sameFile(file string) bool {
	one, err := fs.ReadFile(w.Base.Files, file)
	other, otherErr := fs.ReadFile(w.Head.Files, file)
	return err == nil && otherErr == nil && bytes.Equal(one, other)
}

func (w *work) compareSecret(old, now secrets.Entry) Secret {
	r := Secret{Name: now.Name, Change: SecretRekeyed, Gained: []string{}, Lost: []string{}}
	gained, lost := difference(old.Header.Readers, now.Header.Readers)
	r.Gained = append(r.Gained, name(gained, w.Head, w.Base)...)
	r.Lost = append(r.Lost, name(lost, w.Base, w.Head)...)
	switch {
	case old.Header.Label.Version != now.Header.Label.Version:
		r.Change = SecretValue
		return r
	case len(gained)+len(lost) > 0:
		r.Change = SecretReader
	}
	same, err := secrets.SamePayload(w.Base.Files, w.Head.Files, now.File)
	r.forged = err == nil && !same
	return r
}

// difference tells which stanzas are only in one of two headers.
func difference(old, now []secrets.Stanza) (gained, lost []secrets.Stanza) {
	lost = slices.Clone(old)
	for _, s := range now {
		if at := slices.Index(lost, s); at >= 0 {
			lost = slices.Delete(lost, at, at+1)
			continue
		}
		gained = append(gained, s)
	}
	return gained, lost
}

// name says whose the stanzas are: an ssh key has a tag, any other is known only
// if as many operators of its type are on one side alone.
func name(stanzas []secrets.Stanza, theirs, other *Side) []string {
	var names []string
	anonymous := map[string]int{}
	for _, s := range stanzas {
		if s.Tag == "" {
			anonymous[s.Type]++
			continue
		}
		names = append(names, tagged(s, theirs, other))
	}
	for kind, n := range anonymous {
		var only []string
		known := readers(other.Fleet)
		for _, r := range readers(theirs.Fleet) {
			if r.Type == kind && !slices.ContainsFunc(known, func(k reader) bool { return k.Text == r.Text }) {
				only = append(only, r.name)
			}
		}
		if len(only) != n {
			only = []string{fmt.Sprintf("%d of type %s without a name", n, kind)}
		}
		names = append(names, only...)
	}
	slices.Sort(names)
	return names
}

// tagged names the ssh key of a stanza.
func tagged(s secrets.Stanza, sides ...*Side) string {
	for _, side := range sides {
		for _, r := range append(readers(side.Fleet), hostKeys(side.Fleet)...) {
			if r.Tag == s.Tag {
				return r.name
			}
		}
	}
	return fmt.Sprintf("an unknown %s key with tag %s", s.Type, s.Tag)
}

// reader is a key of the fleet, with a name for people.
type reader struct {
	secrets.Reader
	name string
}

// readers are the operators of a fleet. Keys that age plugins implement are left
// out: a plugin would have to be started to parse them.
func readers(f *fleet.Fleet) []reader {
	var all []reader
	names := operatorNames(f)
	for i, text := range f.Operators {
		if r, err := secrets.ParseReader(fleet.OperatorSource(i), text, nil); err == nil {
			all = append(all, reader{r, names[i]})
		}
	}
	return all
}

func hostKeys(f *fleet.Fleet) []reader {
	var all []reader
	for _, h := range f.Hosts {
		key, err := h.PublicKey()
		if err != nil {
			continue
		}
		if r, err := secrets.ParseReader(h.Dir(), key, nil); err == nil {
			all = append(all, reader{r, "host " + h.Name})
		}
	}
	return all
}

// operatorNames tells operators apart for people: by the comment of an ssh key,
// or by the beginning of the key.
func operatorNames(f *fleet.Fleet) []string {
	names := make([]string, len(f.Operators))
	for i, text := range f.Operators {
		words := strings.Fields(text)
		switch {
		case len(words) > 2 && strings.HasPrefix(text, "ssh-"):
			names[i] = "operator " + strings.Join(words[2:], " ")
		case len(words) > 1:
			names[i] = "operator …" + words[1][max(0, len(words[1])-8):]
		case len(words) == 1:
			names[i] = "operator " + words[0][:min(16, len(words[0]))] + "…"
		}
	}
	return names
}

// secretDangers warns of new readers, and of what no command of ours writes.
func secretDangers(all []Secret) []changes.Danger {
	var dangers []changes.Danger
	for _, s := range all {
		if len(s.Gained) > 0 {
			dangers = append(dangers, changes.Danger{Code: SecretReaders, Message: fmt.Sprintf("secret %s can be read by %s", s.Name, strings.Join(s.Gained, ", "))})
		}
		if s.forged {
			dangers = append(dangers, changes.Danger{Code: SecretForged, Message: fmt.Sprintf("secret %s has another payload under the old version: pisec did not write this", s.Name)})
		}
	}
	return dangers
}

func byName(entries []secrets.Entry) map[string]secrets.Entry {
	all := map[string]secrets.Entry{}
	for _, e := range entries {
		all[e.Name] = e
	}
	return all
}

func namesOf(one, other []secrets.Entry) []string {
	var names []string
	for _, e := range slices.Concat(one, other) {
		names = append(names, e.Name)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

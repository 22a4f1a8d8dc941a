package audit

import (
	"path"
	"slices"

	"pistack/internal/fleet"
	"pistack/secrets"
)

// Query says what somebody wants to know. The zero Query asks for what keys know
// that shall not.
type Query struct {
	Hosts  []string  // the keys that these ever had, and what lost keys know of their secrets
	Named  []Pattern // these keys, whatever they know
	Wanted bool      // also what keys know that shall
}

// Shown is a key with what a Query wants to know of it.
type Shown struct {
	*Key
	Knows  []Knowledge
	Wanted int // values left out, since the key shall read them
}

// View answers a query, in the order of the keys.
func (a *Audit) View(q Query) []Shown {
	var shown []Shown
	for _, k := range a.Keys {
		s := Shown{Key: k}
		named := slices.ContainsFunc(q.Named, k.Matches)
		pinned := slices.ContainsFunc(k.Sources, func(s Source) bool { return slices.Contains(q.Hosts, s.Host) })
		for _, known := range k.Knows {
			switch {
			case !named && !pinned && !q.covers(known.Value):
			case named || known.Lost || q.Wanted:
				s.Knows = append(s.Knows, known)
			default:
				s.Wanted++
			}
		}
		if named || pinned || s.worth() {
			shown = append(shown, s)
		}
	}
	return shown
}

// covers tells whether a value is one of the hosts that were asked for.
func (q Query) covers(v *secrets.Value) bool {
	if len(q.Named) > 0 {
		return false
	}
	if len(q.Hosts) == 0 || slices.Contains(q.Hosts, v.Host) {
		return true
	}
	return slices.ContainsFunc(v.Files, func(file string) bool {
		host, _ := secrets.SecretAt(file)
		return slices.Contains(q.Hosts, host)
	})
}

// worth tells of a key that nobody asked for and that still has to be shown: it
// knows something that was not replaced.
func (s Shown) worth() bool {
	return slices.ContainsFunc(s.Knows, func(k Knowledge) bool { return k.Value.State != secrets.StateReplaced })
}

// Lost tells of a key that shall read nothing of what it knows.
func (s Shown) Lost() bool {
	return len(s.Key.Knows) > 0 && !slices.ContainsFunc(s.Key.Knows, func(k Knowledge) bool { return !k.Lost }) && !s.listed()
}

// listed tells of a key that is pinned or an operator's now.
func (s Shown) listed() bool {
	return slices.ContainsFunc(s.Sources, func(s Source) bool { return s.Now })
}

// Alarms counts the keys that know values in use which they shall not, and these
// values.
func Alarms(shown []Shown) (keys, values int) {
	distinct := map[*secrets.Value]bool{}
	for _, s := range shown {
		alarmed := false
		for _, k := range s.Knows {
			if k.Alarm() {
				distinct[k.Value], alarmed = true, true
			}
		}
		if alarmed {
			keys++
		}
	}
	return keys, len(distinct)
}

// Select lists the hosts that arguments mean: those of the fleet, as everywhere,
// and by name or glob also those that are only in the history.
func (a *Audit) Select(f *fleet.Fleet, selectors []string) ([]string, error) {
	var names []string
	for _, s := range selectors {
		found := false
		for _, name := range a.hosts {
			if match, err := path.Match(s, name); err == nil && match {
				names, found = append(names, name), true
			}
		}
		hosts, err := f.Select([]string{s})
		if err != nil && !found {
			return nil, err
		}
		for _, h := range hosts {
			names = append(names, h.Name)
		}
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

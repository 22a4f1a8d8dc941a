package secrets

import (
	"fmt"
	"slices"
	"strings"
)

// Difference tells how a file's readers differ from the wanted ones, as far as
// a header shows: ssh keys by their tag, others by their number. An age key
// that took another one's place cannot be seen.
type Difference struct {
	Gains []string // sources of readers that the file lacks
	Loses []string // stanzas that nobody wants, such as "ssh-ed25519 (tag Bf1xYw)"
}

// None tells that the readers are the wanted ones.
func (d Difference) None() bool { return len(d.Gains)+len(d.Loses) == 0 }

func (d Difference) String() string {
	var parts []string
	for _, g := range d.Gains {
		parts = append(parts, "+ "+g)
	}
	for _, l := range d.Loses {
		parts = append(parts, "- "+l)
	}
	return strings.Join(parts, ", ")
}

// Compare tells how a header's readers differ from the wanted ones.
func (h Header) Compare(wanted []Reader) Difference {
	left := slices.Clone(h.Readers)
	var d Difference
	take := func(r Reader) {
		at := slices.IndexFunc(left, r.mayBe)
		if at < 0 {
			d.Gains = append(d.Gains, r.Source)
			return
		}
		left = slices.Delete(left, at, at+1)
	}
	// Those that a header names come first: a plugin's stanza may look like anything.
	named, others := split(distinct(wanted))
	for _, r := range append(named, others...) {
		take(r)
	}
	for _, s := range left {
		d.Loses = append(d.Loses, s.String())
	}
	return d
}

// split separates readers whose stanza is known from those of plugins.
func split(readers []Reader) (known, plugins []Reader) {
	for _, r := range readers {
		if r.Type == "" {
			plugins = append(plugins, r)
			continue
		}
		known = append(known, r)
	}
	return known, plugins
}

// mayBe tells whether a stanza of a header can be this reader's.
func (r Reader) mayBe(s Stanza) bool {
	if r.Type == "" {
		return s.foreign()
	}
	return s.Type == r.Type && s.Tag == r.Tag
}

// foreign tells of a stanza that age itself does not write.
func (s Stanza) foreign() bool {
	switch s.Type {
	case "X25519", "ssh-ed25519", "ssh-rsa", "scrypt", "mlkem768x25519", "p256tag", "mlkem768p256tag":
		return false
	}
	return true
}

func (s Stanza) String() string {
	if s.Tag == "" {
		return "an unknown " + s.Type + " key"
	}
	return fmt.Sprintf("%s key with tag %s", s.Type, s.Tag)
}

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
	for _, r := range distinct(wanted) {
		at := slices.Index(left, r.stanza())
		if at < 0 {
			d.Gains = append(d.Gains, r.Source)
			continue
		}
		left = slices.Delete(left, at, at+1)
	}
	for _, s := range left {
		d.Loses = append(d.Loses, s.String())
	}
	return d
}

// stanza is what a header shows of a reader.
func (r Reader) stanza() Stanza {
	if r.Tag != "" {
		return Stanza{Type: "ssh-ed25519", Tag: r.Tag}
	}
	return Stanza{Type: "X25519"}
}

func (s Stanza) String() string {
	if s.Tag == "" {
		return "an unknown " + s.Type + " key"
	}
	return fmt.Sprintf("%s key with tag %s", s.Type, s.Tag)
}

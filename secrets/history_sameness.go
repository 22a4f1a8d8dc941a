package secrets

import (
	"crypto/sha256"
	"regexp"
)

// versionForm is that of newVersion: no two values share one.
var versionForm = regexp.MustCompile(`^\d{8}T\d{6}Z-[0-9a-f]{8}$`)

// sameness puts versions of files into one class when they hold the same value:
// the same payload, or the same version in the label.
type sameness struct {
	parent    []int // union-find; a root is its own parent
	byPayload map[[sha256.Size]byte]int
	byVersion map[string]int
}

func newSameness() sameness {
	return sameness{byPayload: map[[sha256.Size]byte]int{}, byVersion: map[string]int{}}
}

func (s *sameness) add(c *Ciphertext) {
	number, known := s.byPayload[c.Payload]
	if !known {
		number = len(s.parent)
		s.parent = append(s.parent, number)
		s.byPayload[c.Payload] = number
	}
	version := versionKey(c.Label)
	if version == "" {
		return
	}
	if other, known := s.byVersion[version]; known {
		s.parent[s.root(number)] = s.root(other)
		return
	}
	s.byVersion[version] = number
}

// versionKey is what tells values apart by their label, whatever file they are in.
func versionKey(l Label) string {
	if l.Version == "" || versionForm.MatchString(l.Version) {
		return l.Version
	}
	return l.Host + " " + l.Name + " " + l.Version
}

// of is the number of a version's class.
func (s *sameness) of(c *Ciphertext) int { return s.root(s.byPayload[c.Payload]) }

func (s *sameness) root(n int) int {
	for s.parent[n] != n {
		s.parent[n] = s.parent[s.parent[n]]
		n = s.parent[n]
	}
	return n
}

package secrets

import (
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"strings"
	"time"

	"filippo.io/age"
)

// Label is what our own stanza of a header says.
type Label struct {
	Host    string
	Name    string
	Version string // changes with every new value, never with a rekey
}

const (
	labelType   = "pisec"
	labelFormat = "v1"
)

// versionTime is the layout of a version's first part, in UTC.
const versionTime = "20060102T150405Z"

// NewVersion makes a version: when the value was set and 4 random bytes, since
// two values can be set within a second.
func NewVersion(now time.Time) (string, error) {
	var salt [4]byte
	if _, err := rand.Read(salt[:]); err != nil {
		return "", err
	}
	return now.UTC().Format(versionTime) + "-" + hex.EncodeToString(salt[:]), nil
}

// SetAt tells when the value was set, to the second, in UTC.
func (l Label) SetAt() (time.Time, error) {
	stamp, _, _ := strings.Cut(l.Version, "-")
	return time.Parse(versionTime, stamp)
}

// Wrap makes Label an age.Recipient that adds its stanza and wraps nothing.
func (l Label) Wrap([]byte) ([]*age.Stanza, error) {
	return []*age.Stanza{{Type: labelType, Args: []string{labelFormat, l.Host, l.Name, l.Version}}}, nil
}

// LabelOf finds our stanza among those of a header.
func LabelOf(stanzas []*age.Stanza) (Label, error) {
	var found []*age.Stanza
	for _, s := range stanzas {
		if s.Type == labelType {
			found = append(found, s)
		}
	}
	if len(found) != 1 {
		return Label{}, fmt.Errorf("the header has %d pisec stanzas instead of 1: the file was not written by pisec", len(found))
	}
	args := found[0].Args
	if len(args) != 4 || args[0] != labelFormat {
		return Label{}, fmt.Errorf("the header's pisec stanza is of a newer or unknown form: %d arguments", len(args))
	}
	return Label{Host: args[1], Name: args[2], Version: args[3]}, nil
}

package secrets

import (
	"bytes"
	"crypto/sha256"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"filippo.io/age"
)

// MaxFile bounds a secret's file, in bytes.
const MaxFile = maxFile

// Ciphertext is what one version of a secret's file tells without any key.
type Ciphertext struct {
	Label   Label             // zero for an age file that pisec did not write
	Readers []Stanza          // as in Header
	Payload [sha256.Size]byte // SHA-256 of what follows the header: a rekey keeps it, a new value changes it
	Sum     [sha256.Size]byte // SHA-256 of header and payload
}

// ReadCiphertext reads a version of a secret's file, armored or not.
func ReadCiphertext(data []byte) (*Ciphertext, error) {
	file, err := io.ReadAll(io.LimitReader(dearmored(data), maxFile))
	if err != nil {
		return nil, errNotAge
	}
	text, err := age.ExtractHeader(bytes.NewReader(file))
	if err != nil || len(text) >= len(file) {
		return nil, errNotAge
	}
	var seen recorder
	if _, _ = age.DecryptHeader(text, &seen); seen.stanzas == nil {
		return nil, errNotAge
	}
	c := &Ciphertext{Payload: sha256.Sum256(file[len(text):]), Sum: sha256.Sum256(file), Readers: readersIn(seen.stanzas)}
	c.Label, _ = LabelOf(seen.stanzas) // without one, the path has to do
	return c, nil
}

// Anonymous lists the types of readers that the header does not name.
func (c *Ciphertext) Anonymous() []string {
	var types []string
	for _, r := range c.Readers {
		if r.Tag == "" {
			types = append(types, r.Type)
		}
	}
	return types
}

// Commit is when something changed. Without Hash it is not committed yet.
type Commit struct {
	Hash   string
	At     time.Time
	Author string
}

// String names a commit: hash, day and author.
func (c *Commit) String() string {
	switch {
	case c == nil:
		return "-"
	case c.Hash == "":
		return "now, not committed"
	}
	return strings.TrimSpace(fmt.Sprintf("%.9s %s %s", c.Hash, c.At.Format("2006-01-02"), c.Author))
}

// Change is one file of a commit, before and after it.
type Change struct {
	At     *Commit
	File   string      // relative to the root, with slashes
	Before *Ciphertext // nil when there was none, or no age file
	After  *Ciphertext
	Listed []Recipient // readers that the fleet's settings named in that commit, and that no header names
}

// Recipient is a reader that a header does not name: what kind of stanza it has
// is all that a file shows.
type Recipient struct {
	Text string // "age1…"
	Type string // of its stanza; "" for a plugin's
}

// AnonymousRecipient parses a recipient that a header does not name. It starts
// no plugin. ssh keys and what is no recipient give false.
func AnonymousRecipient(text string) (Recipient, bool) {
	text = strings.TrimSpace(text)
	if x, err := age.ParseX25519Recipient(text); err == nil {
		return Recipient{Text: x.String(), Type: "X25519"}, true
	}
	return Recipient{Text: text}, strings.HasPrefix(text, "age1") && strings.Count(text, "1") > 1
}

// mayRead tells whether a file has a stanza that can be the recipient's.
func (r Recipient) mayRead(c *Ciphertext) bool {
	reader := Reader{Type: r.Type}
	for _, s := range c.Readers {
		if s.Tag == "" && reader.mayBe(s) {
			return true
		}
	}
	return false
}

// WorkFiles reads all secrets of the work tree, by file; nil stands for a file
// that cannot be read as one, and the error joins why. It looks at every folder
// of hosts/, also one that is no host any more.
func (s Store) WorkFiles() (map[string]*Ciphertext, error) {
	folders, err := os.ReadDir(s.path("hosts"))
	if errors.Is(err, os.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	found := map[string]*Ciphertext{}
	var problems []error
	for _, folder := range folders {
		problems = append(problems, s.workFiles(folder.Name(), found))
	}
	return found, errors.Join(problems...)
}

func (s Store) workFiles(host string, found map[string]*Ciphertext) error {
	files, _ := os.ReadDir(s.path(Dir(host))) // most often there are no secrets
	var problems []error
	for _, f := range files {
		file := Dir(host) + "/" + f.Name()
		if strings.HasPrefix(f.Name(), ".") || !strings.HasSuffix(file, ".age") {
			continue
		}
		c, err := ciphertextOf(s.files(), file)
		found[file] = c
		if err != nil {
			problems = append(problems, &Error{Message: file, Err: fileReason(err), Fix: "see: pisec verify " + host})
		}
	}
	return errors.Join(problems...)
}

package secrets

import (
	"errors"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// Expected is what a host's secrets should be, as far as that can be told
// without a key.
type Expected struct {
	Host    string
	Readers []Reader
	Uses    map[string][]string // secret to the files that use it; nil when that is not known
	Missing map[string][]string // names that files refer to and that are no secret
}

// Codes of findings.
const (
	CodeFile      = "file"      // not a secret, or its header cannot be read
	CodeReaders   = "readers"   // readers differ from the wanted ones
	CodeUnused    = "unused"    // nobody refers to it
	CodeMissing   = "missing"   // somebody refers to it, and it was not added
	CodeCollision = "collision" // two keys of the fleet look the same in a header
	CodeHost      = "host"      // the host's own files keep its secrets from being checked
	CodeShared    = "shared"    // one key stands for two who should not read each other's secrets
	CodeCutShort  = "cut-short" // a transaction waits to be completed
)

// Finding is something that is wrong with a secret. Its JSON form is printed by
// "pisec verify" and only ever extended.
type Finding struct {
	Code    string   `json:"code"`
	Host    string   `json:"host,omitempty"`
	Secret  string   `json:"secret,omitempty"`
	File    string   `json:"file,omitempty"` // relative to the root
	Message string   `json:"message"`
	Fix     string   `json:"fix,omitempty"`
	Lacks   []string `json:"lacks,omitempty"`    // readers that it should have
	Extra   []string `json:"unwanted,omitempty"` // readers that it should not have
}

// Verify compares the secrets of a host, as List gave them, with what is
// expected. It needs no key: it finds mistakes, and is no proof against a forger,
// who can write what he likes into a header.
func Verify(e Expected, entries []Entry, problems error) []Finding {
	var findings []Finding
	for _, problem := range flatten(problems) {
		findings = append(findings, fileFinding(e.Host, problem))
	}
	for _, entry := range entries {
		if _, err := entry.Header.Label.SetAt(); err != nil {
			findings = append(findings, Finding{
				Code: CodeFile, Host: e.Host, Secret: entry.Name, File: entry.File,
				Message: fmt.Sprintf("has version %q, which pisec does not write", entry.Header.Label.Version),
				Fix:     fmt.Sprintf("write it again: pisec add --replace %s %s", e.Host, entry.Name),
			})
		}
		if d := entry.Header.Compare(e.Readers); !d.None() {
			findings = append(findings, Finding{
				Code: CodeReaders, Host: e.Host, Secret: entry.Name, File: entry.File,
				Message: "readers differ: " + d.String(), Fix: "pisec rekey " + e.Host, Lacks: d.Gains, Extra: d.Loses,
			})
		}
		if e.Uses != nil && len(e.Uses[entry.Name]) == 0 {
			findings = append(findings, Finding{
				Code: CodeUnused, Host: e.Host, Secret: entry.Name, File: entry.File,
				Message: "no stack and no NixOS file of " + e.Host + " uses it",
				Fix:     fmt.Sprintf("pisec rm %s %s, or name it in a comment of hosts/%s/default.nix that says what it is for", e.Host, entry.Name, e.Host),
			})
		}
	}
	for _, name := range slices.Sorted(maps.Keys(e.Missing)) {
		findings = append(findings, Finding{
			Code: CodeMissing, Host: e.Host, Secret: name, File: e.Missing[name][0],
			Message: fmt.Sprintf("%s wants %s, which is neither a secret nor a variable", e.Host, name),
			Fix:     fmt.Sprintf("pisec add %s %s", e.Host, name),
		})
	}
	return findings
}

// fileFinding turns the error of a file, "FILE: message", into a finding.
func fileFinding(host string, err error) Finding {
	f := Finding{Code: CodeFile, Host: host, Message: err.Error()}
	if file, message, found := strings.Cut(f.Message, ": "); found && strings.HasPrefix(file, Dir(host)+"/") {
		f.File, f.Message = file, message
	}
	var refused *Error
	if errors.As(err, &refused) {
		f.Fix = refused.Fix
	}
	return f
}

// flatten lists the errors that errors.Join has joined.
func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

// CutShort reports a transaction that a killed run left.
func (s Store) CutShort() []Finding {
	if !s.Unfinished() {
		return nil
	}
	return []Finding{{Code: CodeCutShort, File: staging, Message: "an earlier run was cut short",
		Fix: "any command of pisec that writes completes or removes it, such as: pisec rekey"}}
}

// Damaged reports files of which something is missing behind the header, as far
// as that shows without a key: where the armor has no end.
func (s Store) Damaged(entries []Entry) []Finding {
	var findings []Finding
	_ = inOrder(len(entries), 2*cores(), func(i int) error {
		_, err := ciphertextOf(s.files(), entries[i].File)
		return err
	}, func(i int, err error) error {
		if e := entries[i]; err != nil {
			findings = append(findings, Finding{Code: CodeFile, Host: e.Host, Secret: e.Name, File: e.File, Message: err.Error(),
				Fix: fmt.Sprintf("write it again: pisec add --replace %s %s", e.Host, e.Name)})
		}
		return nil
	})
	return findings
}

// Collisions reports readers that a header cannot tell apart, because the first
// 4 bytes of their keys' hashes are the same, and keys that stand for two readers:
// each can read what is meant for the other.
func Collisions(readers []Reader) []Finding {
	var findings []Finding
	first := map[string]Reader{}
	for _, r := range readers {
		other, seen := first[r.Tag]
		switch {
		case r.Tag == "":
		case !seen:
			first[r.Tag] = r
		case other.Text == r.Text && other.Source != r.Source:
			findings = append(findings, Finding{
				Code:    CodeShared,
				Message: fmt.Sprintf("%s and %s are the same key: who has it can read the secrets of both", other.Source, r.Source),
				Fix:     "give each a key of its own: ssh-keygen -t ed25519, then pisec host-key and pisec rekey",
			})
		case other.Text != r.Text:
			findings = append(findings, Finding{
				Code:    CodeCollision,
				Message: fmt.Sprintf("%s and %s have the same tag %s: a header cannot tell them apart", other.Source, r.Source, r.Tag),
				Fix:     "make a new key for one of them",
			})
		}
	}
	return findings
}

// Package images reads and prints a stack's images.lock: which digest each of
// its images stands for, and for which platforms there is one.
//
// A tag can be moved; a digest cannot. "pistack lock" asks the registries and
// writes the file, once; everything else, and every later run, reads it and
// needs no network. This package is that reading side: it knows nothing of
// registries.
package images

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// File is the name of a lock file, beside the stack's compose.yaml.
const File = "images.lock"

// Path is a stack's lock file, relative to the repository's root.
func Path(stack string) string { return "stacks/" + stack + "/" + File }

// Entry says what an image stands for.
type Entry struct {
	Reference string   // as the Compose file has it after interpolation: "nginx:1.27"
	Digest    string   // sha256:… of the index, or of the manifest where there is no index
	Platforms []string // os/architecture[/variant], sorted: "linux/arm64/v8"
	Date      string   // when the reference was first seen with this digest: RFC 3339, UTC
	Build     string   // Recipe.Key of an image that is built for the stack; empty for one of others
	IDs       []string // of an image that goes over ssh, in the order of Platforms: digests of its configurations; then there is no Digest
	Line      int      // in the file that it was read from; 0 for a new one
}

// Lock is the content of a lock file, sorted by reference. A stack without the
// file has an empty one.
type Lock []Entry

// Find returns the entry of a reference.
func (l Lock) Find(reference string) (Entry, bool) {
	i := slices.IndexFunc(l, func(e Entry) bool { return e.Reference == reference })
	if i < 0 {
		return Entry{}, false
	}
	return l[i], true
}

// Pinned is a reference with the digest that the lock has for it. It keeps the
// tag, for people to read: Docker and Compose go by the digest. It is false for
// an image that the lock lacks, and for one whose author named the digest.
func (l Lock) Pinned(reference string) (string, bool) {
	e, locked := l.Find(reference)
	if !locked || e.Build != "" || DigestOf(reference) != "" {
		return "", false
	}
	return reference + "@" + e.Digest, true
}

// DigestOf is the digest that a reference itself names, or empty.
func DigestOf(reference string) string {
	_, digest, _ := strings.Cut(reference, "@")
	return digest
}

// header begins every lock file.
const header = "# Written by `pistack lock`. Do not edit.\n"

// Print makes the text of a lock file. The same entries give the same bytes.
func Print(l Lock) []byte {
	var out strings.Builder
	out.WriteString(header)
	for _, e := range sorted(l) {
		fmt.Fprintf(&out, "\n[[image]]\nreference = %s\n", strconv.Quote(e.Reference))
		if e.Digest != "" {
			fmt.Fprintf(&out, "digest = %s\n", strconv.Quote(e.Digest))
		}
		if len(e.IDs) > 0 {
			fmt.Fprintf(&out, "ids = [%s]\n", quoteAll(e.IDs))
		}
		fmt.Fprintf(&out, "platforms = [%s]\ndate = %s\n", quoteAll(e.Platforms), strconv.Quote(e.Date))
		if e.Build != "" {
			fmt.Fprintf(&out, "build = %s\n", strconv.Quote(e.Build))
		}
	}
	return []byte(out.String())
}

func sorted(l Lock) Lock {
	return slices.SortedFunc(slices.Values(l), func(a, b Entry) int { return cmp.Compare(a.Reference, b.Reference) })
}

func quoteAll(texts []string) string {
	quoted := make([]string, len(texts))
	for i, t := range texts {
		quoted[i] = strconv.Quote(t)
	}
	return strings.Join(quoted, ", ")
}

package compare

import (
	"bytes"
	"path"
	"regexp"
	"slices"
	"strings"
)

// maxMention bounds a file that is looked through, in bytes: Compose files and
// env files that are larger are refused when they are loaded.
const maxMention = 1 << 20

// mention is what texts say of paths that lead out of their folder.
type mention struct {
	anywhere bool     // a path that the text does not tell
	words    []string // paths with "..", relative to a folder that the text does not tell
	bases    []string // the folders of the files, to which they can be relative

	variable bool // a variable is used
	up       bool // a variable has ".." in its value
	ends     bool // something that ends with a dot can stand before a variable, or be one
	begins   bool // and something that begins with one after it
	include  bool // files are included
	envFile  bool // and may have variables of their own
}

var (
	// What a quoted text of YAML or of an env file can hide a dot or a slash in.
	escape      = regexp.MustCompile(`\\[xuU0/\r\n]`)
	dotBefore   = regexp.MustCompile(`\.\$|\.["']?\}`)
	dotAfter    = regexp.MustCompile(`\}\.|\$[A-Za-z_][A-Za-z0-9_]*\.|\$\{[^}\n]*[-+]["']?\.`)
	valueEnds   = regexp.MustCompile(`(?m)\.["']?[ \t\r]*$|\.["'][ \t]|\.[ \t]+#`)
	valueBegins = regexp.MustCompile(`[=:][ \t]*["']?\.`)
	envComment  = regexp.MustCompile(`(?m)^[ \t]*#[^"'\n]*$`)
	including   = regexp.MustCompile(`include["']?\s*:`)
)

// add reads a text.
func (m *mention) add(file string, data []byte) {
	if bytes.HasPrefix(data, []byte("\xff\xfe")) || bytes.HasPrefix(data, []byte("\xfe\xff")) {
		m.anywhere = true // UTF-16, which YAML may be in
		return
	}
	if bytes.IndexByte(data, 0) >= 0 {
		return // neither YAML nor an env file
	}
	words, known := inText(data)
	m.words = append(m.words, words...)
	// Paths can be relative to a folder that holds no file, and is so no base.
	m.anywhere = m.anywhere || bytes.Contains(data, []byte("project_directory"))
	m.anywhere = m.anywhere || !known || bytes.IndexByte(data, '\\') >= 0 && escape.Match(data)
	if bytes.IndexByte(data, '$') >= 0 {
		m.variable = true
		m.ends = m.ends || dotBefore.Match(data)
		m.begins = m.begins || dotAfter.Match(data)
	}
	m.envFile = m.envFile || bytes.Contains(data, []byte("env_file"))
	m.include = m.include || including.Match(data)
	if path.Base(file) == ".env" {
		values := envComment.ReplaceAll(data, nil)
		m.up = m.up || len(words) > 0
		m.ends = m.ends || valueEnds.Match(values)
		m.begins = m.begins || valueBegins.Match(values)
	}
}

// join adds what other texts say.
func (m *mention) join(o mention) {
	m.words = sortedUnion(m.words, o.words)
	m.bases = sortedUnion(m.bases, o.bases)
	m.anywhere = m.anywhere || o.anywhere
	m.variable = m.variable || o.variable
	m.up = m.up || o.up
	m.ends = m.ends || o.ends
	m.begins = m.begins || o.begins
	m.include = m.include || o.include
	m.envFile = m.envFile || o.envFile
}

func sortedUnion(a, b []string) []string {
	all := slices.Concat(a, b)
	slices.Sort(all)
	return slices.Compact(all)
}

// unknown tells whether a path can lead where no text says: one that escapes
// hide, or that variables are put together to.
func (m *mention) unknown() bool {
	return m.anywhere || m.variable && (m.up || m.ends && m.begins || m.include && m.envFile)
}

// inText finds the paths with ".." in a text. It does not know them all when a
// variable is part of one, or has it as its default.
func inText(data []byte) (words []string, known bool) {
	inside := false // "${" and its "}"
	for rest := data; ; {
		at := bytes.Index(rest, []byte(".."))
		if at < 0 {
			return words, true
		}
		start, end := at, at
		for start > 0 && pathByte(rest[start-1]) {
			start--
		}
		for end < len(rest) && pathByte(rest[end]) {
			end++
		}
		if open, shut := bytes.LastIndex(rest[:start], []byte("${")), bytes.LastIndexByte(rest[:start], '}'); open != shut {
			inside = open > shut
		}
		word := string(rest[start:end])
		if slices.Contains(strings.Split(word, "/"), "..") || inside {
			if inside || strings.Contains(word, "$") || word[0] == '/' || start > 0 && rest[start-1] == '}' {
				return words, false
			}
			words = append(words, word)
		}
		rest = rest[end:]
	}
}

// pathByte tells of what a path in a text is made of, and of a variable's "$".
func pathByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b >= 0x80 || strings.IndexByte("._-/$+@~", b) >= 0
}

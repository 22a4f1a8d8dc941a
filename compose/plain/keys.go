// Package plain knows what a secret in clear looks like: how known keys are
// written, and what secrets are called. The rules that report such secrets and
// the diffs that hide them share it.
package plain

import (
	"regexp"
	"strings"
	"sync"
	"unicode/utf8"
)

// keyForm is a kind of key that can be told by how it is written.
type keyForm struct {
	kind string         // for messages
	mark string         // what every one of them contains; looked for first, since it is cheap
	form *regexp.Regexp // the first group is the key
}

// privateKey is the kind whose form is only the first line of the key.
const privateKey = "private key"

// bound is what stands before a key: the start, or nothing that belongs to it.
const bound = `(?:^|[^A-Za-z0-9_-])`

// keyForms is compiled once.
var keyForms = sync.OnceValue(func() []keyForm {
	form := func(kind, mark, pattern string) keyForm {
		return keyForm{kind, mark, regexp.MustCompile(bound + `(` + pattern + `)`)}
	}
	return []keyForm{
		{privateKey, "PRIVATE KEY-----", regexp.MustCompile(`(-----BEGIN (?:[A-Z0-9]+ )*PRIVATE KEY-----)`)},
		form("private age key", "AGE-SECRET-KEY-", `AGE-SECRET-KEY-(?:[A-Z]+-)?1[0-9A-Z]{20,}`),
		form("key of an AI provider", "sk-", `sk-[A-Za-z0-9_-]{20,}`),
		form("GitHub token", "gh", `gh[pousr]_[A-Za-z0-9]{30,}`),
		form("GitHub token", "github_pat_", `github_pat_[A-Za-z0-9_]{22,}`),
		form("GitLab token", "glpat-", `glpat-[A-Za-z0-9_.-]{20,}`),
		form("AWS access key", "AKIA", `AKIA[0-9A-Z]{16}`),
		form("Slack token", "xox", `xox[abeoprs]-[A-Za-z0-9-]{10,}`),
		form("Google API key", "AIza", `AIza[0-9A-Za-z_-]{35}`),
		form("Tailscale key", "tskey-", `tskey-[a-z]+-[A-Za-z0-9-]{10,}`),
		form("Hugging Face token", "hf_", `hf_[A-Za-z0-9]{30,}`),
		form("Docker Hub token", "dckr_pat_", `dckr_pat_[A-Za-z0-9_-]{20,}`),
		form("Stripe key", "_live_", `[sr]k_live_[A-Za-z0-9]{16,}`),
		form("npm token", "npm_", `npm_[A-Za-z0-9]{36}`),
		form("Telegram bot token", ":AA", `[0-9]{8,10}:AA[A-Za-z0-9_-]{33}`),
	}
})

// Keys looks for keys in texts.
type Keys struct{ forms []keyForm }

// NewKeys looks for keys of every known form.
func NewKeys() Keys { return Keys{keyForms()} }

// In keeps the forms that a text can hold: those whose mark it contains.
func (k Keys) In(text string) Keys {
	var possible []keyForm
	for _, f := range k.forms {
		if strings.Contains(text, f.mark) {
			possible = append(possible, f)
		}
	}
	return Keys{possible}
}

// Empty tells that no form is left to look for.
func (k Keys) Empty() bool { return len(k.forms) == 0 }

// Find gives the kind of the first key in a line, and its column from 1. What
// stands for a key, as in an example, is none.
func (k Keys) Find(line string) (kind string, column int) {
	for _, f := range k.forms {
		if !strings.Contains(line, f.mark) {
			continue
		}
		for _, m := range f.form.FindAllStringSubmatchIndex(line, -1) {
			if !Placeholder(line[m[2]:m[3]]) {
				return f.kind, utf8.RuneCountInString(line[:m[2]]) + 1
			}
		}
	}
	return "", 0
}

// Placeholder tells whether a value is one that stands for the real one, as in
// an example.
func Placeholder(value string) bool {
	lower := strings.ToLower(value)
	for _, word := range []string{"example", "your", "changeme", "change-me", "change_me", "placeholder", "replace", "dummy", "todo", "xxxx", "****", "....", "<", "insert"} {
		if strings.Contains(lower, word) {
			return true
		}
	}
	// Zeros, or a pattern of two or three letters, after whatever it begins with.
	if len(lower) < 8 {
		return false
	}
	letters := map[byte]bool{}
	for _, b := range []byte(lower[max(0, len(lower)-12):]) {
		letters[b] = true
	}
	return len(letters) < 4
}

package plain

import (
	"regexp"
	"strings"
)

// hidden stands in the place of what is not shown.
const hidden = "(hidden)"

var (
	inURL     = regexp.MustCompile(`(://[^:/@\s]*:)([^@\s]+)@`)
	urlWith   = regexp.MustCompile(`://[^:/@\s]*:([^@/\s]+)@`)
	onlyNames = regexp.MustCompile(`^\(secret [A-Za-z0-9_]+\)$`)
	header    = regexp.MustCompile(`(?i)\b(bearer|basic)(\s+)([^\s"'(][^\s"']*)`)
	// assigned is NAME=VALUE, --name value, "name": value or Name: value.
	assigned = regexp.MustCompile(`(--?[A-Za-z0-9_./-]+|[A-Za-z0-9_./-]+)((?:["']?\s*=\s*)|(?:["']\s*:\s*)|(?::\s+)|(?:\s+))((?:\(secret [A-Za-z0-9_]+\)|\(hidden\)|"[^"]*"|'[^']*'|[^\s"'])+)`)
)

// PasswordInURL is the password that a text has in a URL, or nothing.
func PasswordInURL(text string) string {
	if m := urlWith.FindStringSubmatch(text); m != nil {
		return m[1]
	}
	return ""
}

// Mask hides what is a secret by how it is written, whatever its name: known
// keys, and passwords in URLs. A text with a private key is hidden as a whole.
func Mask(text string) string {
	for _, f := range NewKeys().In(text).forms {
		if f.kind == privateKey && f.form.MatchString(text) {
			return hidden
		}
		for _, m := range f.form.FindAllStringSubmatch(text, -1) {
			text = strings.ReplaceAll(text, m[1], hidden)
		}
	}
	return inURL.ReplaceAllString(text, "${1}***@")
}

// Hide is the value of what has a name, as it may be shown: without secrets by
// the name, by how they are written, and by names inside the value.
func Hide(name, value string) string {
	if MaybeSecret(name) && !open(name, value) {
		return hidden
	}
	return hideAssigned(Mask(value))
}

// HideWords hides in the words of a list, such as a command, as Hide does. What
// follows an option of its own, as in "--token", "x", is hidden too.
func HideWords(name string, words []string) []string {
	shown := make([]string, len(words))
	option := ""
	for i, word := range words {
		shown[i] = Hide(name, word)
		if option != "" {
			shown[i] = Hide(option, word)
		}
		option = ""
		if strings.HasPrefix(word, "-") && !strings.ContainsAny(word, "= \t\n") {
			option = word
		}
	}
	return shown
}

// open tells whether a value is shown though its name is that of a secret: it
// refers to one, or is the path of a file.
func open(name, value string) bool {
	path := strings.HasPrefix(value, "/") || strings.HasPrefix(value, "./") || strings.HasPrefix(value, "../")
	return value == "" || onlyNames.MatchString(value) || path && ofFile.MatchString(name)
}

// hideAssigned hides the values that a text gives to names of secrets.
func hideAssigned(text string) string {
	text = header.ReplaceAllString(text, "${1}${2}"+hidden)
	var out strings.Builder
	for text != "" {
		m := assigned.FindStringSubmatchIndex(text)
		if m == nil {
			break
		}
		name, between, value := text[m[2]:m[3]], text[m[4]:m[5]], text[m[6]:m[7]]
		option := strings.HasPrefix(name, "-") || strings.TrimSpace(between) != ""
		if !option || !MaybeSecret(name) || open(name, strings.Trim(value, `"'`)) || value == hidden {
			out.WriteString(text[:m[5]]) // the value may be an assignment itself
			text = text[m[5]:]
			continue
		}
		out.WriteString(text[:m[5]] + hidden)
		text = text[m[7]:]
	}
	return out.String() + text
}

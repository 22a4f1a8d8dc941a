package fleet

import (
	"net/url"
	"regexp"
)

// cacheTable names binary caches of Nix that machines fetch from, besides the
// public one. modules/fleet.nix reads it, too.
type cacheTable struct {
	URLs []string `toml:"urls"`
	Keys []string `toml:"keys"` // public keys of what is fetched
}

// "cache.example.org-1:" and 32 bytes in base64
var cacheKey = regexp.MustCompile(`^[A-Za-z0-9._-]+:[A-Za-z0-9+/]{43}=$`)

func (t cacheTable) validate(doc document) []error {
	var problems []error
	wrong := func(key, format string, args ...any) {
		problems = append(problems, doc.problem([]string{"cache", key}, format, args...))
	}
	for _, text := range t.URLs {
		u, err := url.Parse(text)
		switch {
		case err != nil || u.Host == "" || u.Scheme != "https" && u.Scheme != "http" && u.Scheme != "s3":
			wrong("urls", `urls: %q is not a binary cache; write one like "https://cache.example.org"`, redacted(text))
		case u.User != nil:
			wrong("urls", "urls: %q holds a password, which does not belong into the repository", u.Redacted())
		}
	}
	for _, key := range t.Keys {
		if !cacheKey.MatchString(key) {
			wrong("keys", `keys: %q is not the public key of a cache; it looks like "cache.example.org-1:" and 44 characters`, key)
		}
	}
	if len(t.URLs) > 0 && len(t.Keys) == 0 {
		wrong("urls", "urls: without keys machines would refuse what is fetched; add keys = [\"cache.example.org-1:…\"]")
	}
	return problems
}

package plain

import (
	"regexp"
	"strings"
)

var (
	// The whole name is plain: it is shown, and no part of a line that is no
	// assignment may be.
	secretName = regexp.MustCompile(`(?i)^(?:[A-Z0-9_.-]*[_.-])?(?:PASSWORD|PASSWD|PASSPHRASE|PASS|PWD|TOKEN|SECRET|CREDENTIALS?|PRIVATEKEY|SECRETKEY|APIKEY|(?:API|ACCESS|SECRET|PRIVATE|MASTER|ENCRYPTION|SIGNING|AUTH|APP|JWT|SESSION)_?KEY)_?[0-9]*$`)
	likeSecret = regexp.MustCompile(`(?i)(passw|passphrase|secret|token|api_?key|private_?key|credential|basic_?auth|_key$|_pw$|^key$)`)
	ofFile     = regexp.MustCompile(`(?i)_?(file|path|dir)$`)
)

// SecretName tells whether a variable's name is that of a secret, surely enough
// to report its value.
func SecretName(name string) bool { return secretName.MatchString(name) }

// MaybeSecret tells whether what has this name may be a secret, so that its value
// is better not shown: a variable, a label, an option with its dashes.
func MaybeSecret(name string) bool {
	name = strings.NewReplacer("-", "_", ".", "_", "/", "_").Replace(strings.TrimLeft(name, "-"))
	return likeSecret.MatchString(name) || secretName.MatchString(name)
}

// Package secrets keeps container secrets in a fleet repository: one armored
// age file for each secret of each host, hosts/<host>/secrets/<NAME>.age.
//
// # Format
//
// A file is an ordinary age v1 file (https://age-encryption.org/v1), readable
// with "age -d -i KEY FILE". Its readers are the host's ssh-ed25519 key and
// every operator of the fleet. Beside their stanzas the header carries one of
// ours:
//
//	-> pisec v1 <host> <NAME> <version>
//
// It wraps no key; age implementations ignore stanza types they do not know.
// The header's MAC covers it, so a file that was moved to another host or name
// is noticed by whoever can open it: the installer on the device does.
//
// # What it does not know
//
// The package knows neither fleets nor Compose: which host, which name and
// which readers are arguments. It never prints, and no error of it carries a
// secret's bytes.
package secrets

import (
	"fmt"
	"regexp"
)

// MaxValue is the size of the largest value, in bytes.
const MaxValue = 1 << 20

// maxFile bounds a secret's file: the largest value, armored, and its header.
const maxFile = 2*MaxValue + 64<<10

// maxName bounds a name, in bytes; nameForm says it too.
const maxName = 128

var nameForm = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]{0,127}$`)

// CheckName tells whether name can be a secret's name: that of an environment
// variable, since containers get it as one or as a file of that name.
func CheckName(name string) error {
	if nameForm.MatchString(name) {
		return nil
	}
	if len(name) > maxName {
		return &Error{
			Message: fmt.Sprintf("%q… cannot be a secret's name: it has %d bytes", name[:20], len(name)),
			Fix:     fmt.Sprintf("use a name of at most %d letters, digits and _", maxName),
		}
	}
	return &Error{
		Message: fmt.Sprintf("%q cannot be a secret's name", name),
		Fix:     "use letters, digits and _, not starting with a digit, as for an environment variable",
	}
}

// CheckValue tells whether a value can be kept: not empty, not above MaxValue.
func CheckValue(value []byte) error {
	switch {
	case len(value) == 0:
		return &Error{Message: "the value is empty", Fix: "nothing was written; give the value at the prompt or on standard input"}
	case len(value) > MaxValue:
		return &Error{Message: "the value is larger than 1 MiB", Fix: "nothing was written; a secret is a key or a password, put large files elsewhere"}
	}
	return nil
}

// Error is a refusal that says what to do instead.
type Error struct {
	Message string
	Fix     string
	Err     error // cause, or nil
}

func (e *Error) Error() string {
	if e.Err != nil {
		return e.Message + ": " + e.Err.Error()
	}
	return e.Message
}

func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; the command line prints it below the error.
func (e *Error) Hint() string { return e.Fix }

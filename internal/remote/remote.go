// Package remote reaches the machines of a fleet over ssh.
//
// NewConfig computes one ssh configuration for all of them, in which the pinned
// host key of each is the only one that will do; Write puts it where ssh, Nix
// and nixos-rebuild find it. Open makes a place for shared connections, and Run
// runs one POSIX shell script on one machine: bounded in time and output, as
// root, with errors that say whether ssh or the script failed.
package remote

import (
	"errors"
	"fmt"
	"io"
	"time"
)

// Host is a machine and what the repository says of the way there. Where it
// says nothing, the user's own ssh configuration counts, then root and 22.
type Host struct {
	Name      string // in the fleet; what ssh is called with
	Address   string // name or IP address, with a zone where it needs one; empty: the user's HostName, or Name
	User      string // empty: not said
	PublicKey string // the pinned key, "ssh-ed25519 AAAA…"
	Port      int    // 0: not said
}

// Options say where files are.
type Options struct {
	Dir          string        // folder for generated files; its path must be plain, see NewConfig
	IdentityFile string        // private key for ssh; empty for ssh's own choice
	UserConfig   string        // the user's ~/.ssh/config; empty for none
	Limit        time.Duration // of a Call that names none; 0: one minute
	Shared       int           // shared connections that are open at a time, but for those in use; 0: any number
	RuntimeDir   string        // XDG_RUNTIME_DIR, where control sockets go; empty, or too long a path: /tmp
}

// Settings are what ssh makes of the configuration for one host.
type Settings struct {
	User    string
	Port    int
	Address string
	Jump    string // ProxyJump; empty for none
}

// Call is a script to run on a machine.
type Call struct {
	Host   string
	Step   string    // what it does, for errors: "asking what it runs"
	Script string    // POSIX sh
	Args   []string  // $1 and on
	Stdin  io.Reader // what the script reads; nil for nothing
	Fresh  bool      // over a connection of its own: proof that the machine can be reached
	Limit  time.Duration
	Line   func(string) // gets each line of both streams, when set; calls do not overlap
	Output int          // bytes of standard output to keep; 0: 1 MiB. More is an error, unless Line is set
}

// Kind is why a machine could not be asked.
type Kind int

// The kinds of Error.
const (
	Other       Kind = iota // none of the below
	WrongKey                // it does not have the pinned host key; nothing was sent to it
	Denied                  // it does not accept the user's key, or lets the user run nothing
	Unreachable             // no connection; the script did not begin, as far as is known
	Lost                    // the connection broke while the script ran; it may still run
	TimedOut                // no answer within Call.Limit; it may still run
	NoSudo                  // the user is not root, and sudo asks for a password
)

func (k Kind) String() string {
	return [...]string{"other", "wrong key", "denied", "unreachable", "lost", "timed out", "no sudo"}[k]
}

// Error is a machine that could not be asked, or a configuration that cannot be.
type Error struct {
	Host    string // empty when it is about none
	Kind    Kind
	Message string
	Fix     string
	Err     error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; the command line prints it below the error.
func (e *Error) Hint() string { return e.Fix }

// Is tells whether an error, or what it wraps, is an Error of a kind.
func Is(err error, kind Kind) bool {
	var e *Error
	return errors.As(err, &e) && e.Kind == kind
}

// ExitError is a script that ran to its end and failed.
type ExitError struct {
	Host string
	Step string
	Code int      // the script's own exit status
	Last []string // its last lines
}

func (e *ExitError) Error() string {
	text := fmt.Sprintf("%s: %s: exit status %d", e.Host, e.Step, e.Code)
	if line := lastLine(e.Last); line != "" {
		text += ": " + line
	}
	return text
}

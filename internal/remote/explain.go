package remote

import (
	"errors"
	"fmt"
	"net"
	"strings"

	"pistack/internal/run"
)

// explain turns the end of an ssh process into what happened: nil, an *ExitError,
// or an *Error.
func (s *session) explain(c *Config, err error) error {
	if err == nil {
		return nil
	}
	host := s.call.Host
	var failed *run.Error
	if !errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", host, err)
	}
	switch {
	case s.out.more && s.call.Line == nil:
		return &Error{Host: host, Message: fmt.Sprintf("%s: %s: %v", host, s.call.Step, errTooMuch), Err: err}
	case s.code >= 0:
		return &ExitError{Host: host, Step: s.call.Step, Code: s.code, Last: s.last}
	case s.began:
		return &Error{Host: host, Kind: Lost, Message: fmt.Sprintf("%s: the connection was lost: %s", host, s.call.Step),
			Fix: "run the same command again: it looks at what was done", Err: err}
	case failed.Code == 255:
		return c.sshError(s, err)
	case failed.Code < 0:
		return &Error{Host: host, Message: fmt.Sprintf("%s: %v", host, err), Fix: failed.Hint(), Err: err}
	case s.user != "root" && s.mentions("sudo"):
		return &Error{Host: host, Kind: NoSudo, Message: fmt.Sprintf("%s: %s may not use sudo without a password: %s", host, s.user, lastLine(s.last)),
			Fix: `set security.sudo.wheelNeedsPassword = false for it, or let root log in: user = "root" below [ssh] in host.toml`, Err: err}
	}
	return &Error{Host: host, Kind: Denied, Message: fmt.Sprintf("%s: the login of %s runs no command (exit status %d): %s", host, s.user, failed.Code, orNone(lastLine(s.last))),
		Fix: "give the user a login shell", Err: err}
}

// sshError is what ssh itself failed with.
func (c *Config) sshError(s *session, err error) error {
	host := s.call.Host
	address, port := c.where(host)
	switch {
	case s.mentions("Host key verification failed"), s.mentions("REMOTE HOST IDENTIFICATION HAS CHANGED"):
		return c.wrongKey(s, err)
	case s.mentions("Permission denied"), s.mentions("Too many authentication failures"):
		return &Error{Host: host, Kind: Denied, Message: fmt.Sprintf("%s: %s does not accept your ssh key", host, s.denied(s.user+"@"+address)),
			Fix: "name another with --identity-file, or add yours to the host's authorized keys", Err: err}
	}
	return &Error{Host: host, Kind: Unreachable, Message: fmt.Sprintf("%s: cannot be reached at %s port %d: %s", host, address, port, orNone(lastLine(s.last))),
		Fix: fmt.Sprintf("check that it runs, and address and [ssh] port in hosts/%s/host.toml", host), Err: err}
}

// wrongKey tells the machine itself from a jump host, which the user's own
// known_hosts speaks for: ssh names what it could not verify.
func (c *Config) wrongKey(s *session, err error) error {
	host := s.call.Host
	address, port := c.where(host)
	if jump := s.strangeJump(host); jump != "" || s.proxied() {
		return &Error{Host: host, Kind: Unreachable, Message: strings.Join(strings.Fields(fmt.Sprintf("%s: the key of the jump host %s is not in your known_hosts, or is another one", host, jump)), " "),
			Fix: "log in to the jump host by hand once, and compare its key", Err: err}
	}
	return &Error{Host: host, Kind: WrongKey, Message: fmt.Sprintf("%s: the machine at %s does not have the pinned host key (hosts/%s/ssh_host_ed25519_key.pub); no command was run on it", host, address, host),
		Fix: fmt.Sprintf("if the machine was replaced: pisec host-key %s --from-ssh %s, then pisec rekey %s; if not, somebody may be between you and it", host, net.JoinHostPort(address, fmt.Sprint(port)), host), Err: err}
}

// strangeJump finds the host in "No ED25519 host key is known for HOST and you
// have requested strict checking." or "Host key for HOST has changed and …"; ours
// is named by its HostKeyAlias.
func (s *session) strangeJump(host string) string {
	for _, line := range s.last {
		_, after, ok := strings.Cut(line, "host key is known for ")
		if !ok {
			_, after, ok = strings.Cut(line, "Host key for ")
		}
		if name, _, _ := strings.Cut(after, " "); ok && name != host {
			return strings.Trim(name, "[]")
		}
	}
	return ""
}

// denied is who denied, in "root@10.0.0.1: Permission denied (publickey).": it may
// have been a jump host.
func (s *session) denied(otherwise string) string {
	for _, line := range s.last {
		if who, _, ok := strings.Cut(line, ": Permission denied"); ok && !strings.Contains(who, " ") {
			return who
		}
	}
	return otherwise
}

// refused tells that the machine closed the connection before any key was
// exchanged, as it does when too many come at once, or that a jump host did not
// connect.
func (s *session) refused() bool {
	if s.began {
		return false
	}
	for _, clear := range []string{"Host key verification failed", "Permission denied", "Connection refused", "Could not resolve", "No route to host", "timed out"} {
		if s.mentions(clear) {
			return false
		}
	}
	return s.mentions("kex_exchange_identification") || s.mentions("ssh_exchange_identification") || s.proxied()
}

// proxied tells that the connection was another program's: a jump host's.
func (s *session) proxied() bool { return !s.began && s.mentions("UNKNOWN port 65535") }

func (s *session) mentions(text string) bool {
	for _, line := range s.last {
		if strings.Contains(line, text) {
			return true
		}
	}
	return false
}

// saidBy is the last line of a child that failed.
func saidBy(err error) string {
	var failed *run.Error
	if errors.As(err, &failed) && lastLine(failed.Last) != "" {
		return lastLine(failed.Last)
	}
	return err.Error()
}

// lastLine is the last line with something in it.
func lastLine(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if text := strings.TrimSpace(lines[i]); text != "" {
			return text
		}
	}
	return ""
}

func orNone(text string) string {
	if text == "" {
		return "no reason given"
	}
	return text
}

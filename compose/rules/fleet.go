package rules

import "pistack/compose"

// The findings about a fleet as a whole, which others look for.
const (
	CodeLoginKey  compose.Code = "login-key"
	CodeSharedKey compose.Code = "shared-key"
)

// wholeFleet explains them. None can be accepted: there is no host to say so.
func wholeFleet() []Rule {
	return []Rule{
		{
			Code: CodeLoginKey, Severity: compose.Error, Fixed: true,
			Summary: "authorized_keys has no key, or a line that is none",
			Why: `Who is in the fleet's authorized_keys may log in to its machines. Without a key there, and without one in a NixOS file, the
system does not build: nobody could log in. A line that is no key is ignored by sshd, so that somebody may be locked out.`,
			Fix: `Put public keys into the file, one a line, and have Git track it.`,
		},
		{
			Code: CodeSharedKey, Severity: compose.Error, Fixed: true,
			Summary: "two hosts have the same pinned key",
			Why: `Who has one of the machines can read the secrets of the other, and answer in its place. It happens when a card is copied, or
when a key is taken from the wrong address.`,
			Fix: `Find out whose key it is. The other machine gets a new one: remove /etc/ssh/ssh_host_* there, restart its sshd, and pin that.`,
		},
	}
}

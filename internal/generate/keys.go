package generate

import (
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"

	"golang.org/x/crypto/ssh"

	"pistack/compose"
	"pistack/compose/rules"
	"pistack/internal/fleet"
)

// loginFile holds who may log in, as modules/fleet.nix reads it.
const loginFile = "authorized_keys"

// Keys judges what the fleet as a whole says of keys: who may log in, and which
// hosts are told apart.
func (s *Snapshot) Keys() []compose.Finding {
	return append(s.loginKeys(), s.sharedKeys()...)
}

// loginKeys reports what keeps people from logging in. A flake of another kind than
// mkFleet's does not read the file.
func (s *Snapshot) loginKeys() []compose.Finding {
	if !fleet.CallsMkFleet(s.Files) {
		return nil
	}
	report := func(line, column int, message, fix string) compose.Finding {
		f := compose.Finding{Code: rules.CodeLoginKey, Severity: compose.Error, Message: message, Fix: fix}
		return f.At(compose.Position{File: loginFile, Line: line, Column: column})
	}
	data, err := compose.ReadFile(s.Files, loginFile)
	missing := errors.Is(err, fs.ErrNotExist)
	if err != nil && !missing {
		return []compose.Finding{report(0, 0, "cannot be read: "+err.Error(), "put a file in its place, with a public key a line")}
	}
	var findings []compose.Finding
	keys := 0
	for i, text := range strings.Split(string(data), "\n") {
		line := strings.TrimSpace(text)
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		keys++
		if _, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line)); err != nil {
			findings = append(findings, report(i+1, strings.Index(text, line)+1, "is not a public ssh key, and sshd ignores it", "write it as in ~/.ssh/id_ed25519.pub, on one line"))
		}
	}
	switch {
	case missing && !s.namesLogins():
		return []compose.Finding{report(0, 0, "is missing, so nobody could log in, and no system builds", addLogin)}
	case !missing && !s.Tracked.Has(loginFile):
		findings = append(findings, report(0, 0, "is not tracked by Git, so the flake does not see it", "git add "+loginFile))
	case !missing && keys == 0 && !s.namesLogins():
		findings = append(findings, report(0, 0, "has no key, so nobody could log in, and no system builds", addLogin))
	}
	return findings
}

const addLogin = "cat ~/.ssh/id_ed25519.pub >> " + loginFile + " && git add " + loginFile

// namesLogins tells whether a NixOS file of the fleet may let somebody in by itself.
func (s *Snapshot) namesLogins() bool {
	for _, file := range slices.Concat([]string{"flake.nix"}, s.Tracked.Under("hosts"), s.Tracked.Under("modules")) {
		if path.Ext(file) != ".nix" {
			continue
		}
		data, err := compose.ReadFile(s.Files, file)
		if err != nil {
			continue
		}
		for _, word := range []string{"authorizedKeys", "mutableUsers", "assword"} { // also of hashedPassword
			if strings.Contains(string(data), word) {
				return true
			}
		}
	}
	return false
}

// sharedKeys reports hosts that are pinned to the key of another one.
func (s *Snapshot) sharedKeys() []compose.Finding {
	var findings []compose.Finding
	owners := map[string]string{}
	for _, h := range s.Fleet.Hosts {
		line, err := h.PublicKey()
		words := strings.Fields(line)
		if err != nil || len(words) < 2 {
			continue // said by those who need the key
		}
		owner, taken := owners[words[1]]
		if !taken {
			owners[words[1]] = h.Name
			continue
		}
		f := compose.Finding{
			Code: rules.CodeSharedKey, Severity: compose.Error,
			Message: fmt.Sprintf("is also the key of %s: who has one of the machines can read the secrets of both", owner),
			Fix:     fmt.Sprintf("see which machine it is of; for the other, once it has a key of its own: pisec host-key %s --from-ssh %s", h.Name, h.Address),
		}
		findings = append(findings, f.At(compose.Position{File: h.Dir() + "/" + fleet.KeyFile, Line: 1, Column: 1}))
	}
	return findings
}

package readers

import (
	"fmt"
	"strings"

	"filippo.io/age"
	"golang.org/x/crypto/ssh"

	"pistack/internal/fleet"
	"pistack/internal/plugin"
	"pistack/secrets"
)

// KeyChange gives a host another key: it is pinned, and the host's secrets are
// encrypted to it, in one transaction.
type KeyChange struct {
	Host    fleet.Host
	Old     string // the pinned key, as a line; "" for none
	New     string // the key to pin
	Rekey   *secrets.Rekey
	fleet   *fleet.Fleet
	plugins plugin.Allowed
	wanted  []secrets.Reader
}

// PlanKey plans to give a host a key. Nothing is written.
func PlanKey(f *fleet.Fleet, host fleet.Host, key ssh.PublicKey, plugins plugin.Allowed) (*KeyChange, error) {
	if err := RefuseOwned(f, host.Name, key); err != nil {
		return nil, err
	}
	old, _ := host.PublicKey() // none, or one that cannot be a key: it is replaced
	return planKey(f, host, old, strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key))), plugins)
}

// RefuseOwned refuses to give a host the key of another one, as a card that was copied
// has it, or an operator's: who has it could read the secrets of both.
func RefuseOwned(f *fleet.Fleet, name string, key ssh.PublicKey) error {
	line := string(ssh.MarshalAuthorizedKey(key))
	refuse := func(owner, fix string) error {
		return &fleet.Problem{Message: fmt.Sprintf("the key %s is that of %s, and cannot be that of %s, too", ssh.FingerprintSHA256(key), owner, name), Fix: fix}
	}
	for _, other := range f.Hosts {
		if pinned, err := other.PublicKey(); err == nil && other.Name != name && SameKey(pinned, line) {
			return refuse("the host "+other.Name, "see that the address is right; if the card was copied, remove /etc/ssh/ssh_host_* on the new machine and restart its sshd")
		}
	}
	for i, operator := range f.Operators {
		if SameKey(operator, line) {
			return refuse(fleet.OperatorSource(i), "name a key that is nobody else's")
		}
	}
	return nil
}

func planKey(f *fleet.Fleet, host fleet.Host, old, key string, plugins plugin.Allowed) (*KeyChange, error) {
	c := &KeyChange{Host: host, Old: old, New: key, fleet: f, plugins: plugins}
	var err error
	if c.wanted, err = withKey(f, host, key, plugins); err != nil {
		return nil, err
	}
	c.Rekey, err = secrets.Store{Root: f.Root}.PlanRekey([]secrets.Wanted{{Host: host.Name, Readers: c.wanted}}, false)
	return c, err
}

// Needed tells whether anything would change.
func (c *KeyChange) Needed() bool { return !SameKey(c.Old, c.New) || len(c.Rekey.Changes) > 0 }

// Apply carries the change out. last is called when every file is ready, and before
// any is replaced: when it fails, nothing changes. It may be nil. identities have to
// open the host's secrets.
func (c *KeyChange) Apply(last func() error, identities ...age.Identity) error {
	store := secrets.Store{Root: c.fleet.Root, Check: c.stillApplies}
	c.Rekey.Also(c.Host.Dir()+"/"+fleet.KeyFile, func() ([]byte, error) { return []byte(c.New + "\n"), nil })
	c.Rekey.Last(last)
	return store.ApplyRekey(c.Rekey, identities...)
}

// stillApplies tells whether pinned key and operators are those that the change was
// planned with.
func (c *KeyChange) stillApplies() error {
	now, err := fleet.Load(c.fleet.Root)
	if err != nil {
		return err
	}
	host, err := now.Host(c.Host.Name)
	if err != nil {
		return err
	}
	wanted, err := withKey(now, host, c.New, c.plugins)
	if err != nil {
		return err
	}
	if old, _ := host.PublicKey(); old != c.Old || !same(wanted, c.wanted) {
		return meanwhile(host.Name)
	}
	return nil
}

// Back plans to undo the change after it was applied: the old key is pinned and
// reads the secrets again. There has to be an old key.
func (c *KeyChange) Back() (*KeyChange, error) {
	return planKey(c.fleet, c.Host, c.New, c.Old, c.plugins)
}

// SameKey compares two keys by what they are, not by their comments.
func SameKey(a, b string) bool {
	return a != "" && b != "" && strings.Join(firstTwo(a), " ") == strings.Join(firstTwo(b), " ")
}

func firstTwo(line string) []string {
	words := strings.Fields(line)
	return words[:min(2, len(words))]
}

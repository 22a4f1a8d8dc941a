package remote

import (
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"strings"
	"time"

	"github.com/google/renameio/v2"
)

// keep is how long generated files of other fleets, and of earlier versions of
// this one, are kept for runs that still use them.
const keep = 30 * 24 * time.Hour

// Config is the ssh configuration of a fleet, as texts and the paths they go to.
// The paths follow from the content, so that two runs with different texts never
// change each other's.
type Config struct {
	hosts   map[string]Host
	options Options
	dir     string // Dir/ssh/<hash>
	texts   map[string]string
}

// names are the generated files.
const (
	configName     = "config"
	knownHostsName = "known_hosts"
)

// NewConfig computes the texts; nothing is written. It refuses a folder that
// NIX_SSHOPTS cannot carry, and hosts that ssh could misread.
func NewConfig(hosts []Host, o Options) (*Config, error) {
	if err := checkDir(o.Dir); err != nil {
		return nil, err
	}
	c := &Config{hosts: map[string]Host{}, options: o}
	for _, h := range hosts {
		if err := h.Check(); err != nil {
			return nil, err
		}
		c.hosts[h.Name] = h
	}
	known := knownHosts(hosts)
	sum := sha256.Sum256([]byte(known + "\x00" + sshConfig(hosts, o, "")))
	c.dir = filepath.Join(o.Dir, "ssh", hex.EncodeToString(sum[:16]))
	c.texts = map[string]string{
		knownHostsName: known,
		configName:     sshConfig(hosts, o, filepath.Join(c.dir, knownHostsName)),
	}
	return c, nil
}

// checkDir: nixos-rebuild splits NIX_SSHOPTS at spaces, Nix knows no quotes in
// it, and ssh takes some characters of a path for tokens.
func checkDir(dir string) error {
	if !filepath.IsAbs(dir) || strings.ContainsAny(dir, " \t\r\n\"'\\%$*?[]{}~#;&|<>()`") {
		return &Error{
			Message: fmt.Sprintf("the folder for generated ssh files, %q, has a space, a quote or another special character in its path", dir),
			Fix:     "nixos-rebuild cannot pass such a path to ssh; set XDG_STATE_HOME to a plain one",
		}
	}
	return nil
}

var (
	nameForm    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]*$`)
	addressForm = regexp.MustCompile(`^[A-Za-z0-9:._%-]*$`)
	userForm    = regexp.MustCompile(`^([A-Za-z0-9_][A-Za-z0-9_.-]*)?$`)
	keyForm     = regexp.MustCompile(`^ssh-ed25519 [A-Za-z0-9+/=]+( .*)?$`)
)

// Check refuses what could end an option early or begin another one.
func (h Host) Check() error {
	for _, part := range []struct {
		what, value string
		form        *regexp.Regexp
	}{{"name", h.Name, nameForm}, {"address", h.Address, addressForm}, {"ssh user", h.User, userForm}, {"host key", h.PublicKey, keyForm}} {
		if !part.form.MatchString(part.value) || strings.HasPrefix(part.value, "-") || strings.ContainsAny(part.value, "\r\n") {
			return &Error{Host: h.Name, Message: fmt.Sprintf("%s: %s %q is not one that ssh can be given", h.Name, part.what, part.value)}
		}
	}
	if h.Port < 0 || h.Port > 65535 {
		return &Error{Host: h.Name, Message: fmt.Sprintf("%s: port %d is not between 1 and 65535", h.Name, h.Port)}
	}
	return nil
}

// Path is that of the ssh configuration, for "ssh -F".
func (c *Config) Path() string { return filepath.Join(c.dir, configName) }

// Write puts both files in place, readable by their owner only, and removes the
// folders of other configurations that no run has used for 30 days.
func (c *Config) Write() error {
	if err := c.write(); err != nil {
		return fmt.Errorf("generated ssh configuration: %w", err)
	}
	return nil
}

func (c *Config) write() error {
	if err := os.MkdirAll(c.dir, 0o700); err != nil {
		return err
	}
	for _, name := range []string{knownHostsName, configName} { // in the order in which one names the other
		path := filepath.Join(c.dir, name)
		if text, err := os.ReadFile(path); err == nil && string(text) == c.texts[name] {
			continue // as most often: a sync takes longer than all the rest
		}
		if err := renameio.WriteFile(path, []byte(c.texts[name]), 0o600); err != nil {
			return err
		}
	}
	now := time.Now()
	if err := os.Chtimes(c.dir, now, now); err != nil {
		return err
	}
	return removeOld(filepath.Dir(c.dir), now.Add(-keep))
}

var hashForm = regexp.MustCompile(`^[0-9a-f]{32}$`)

// removeOld removes our own folders that were last used before a time.
func removeOld(dir string, before time.Time) error {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		info, gone := e.Info() // another run may be removing, too
		if gone != nil || !e.IsDir() || !hashForm.MatchString(e.Name()) || !info.ModTime().Before(before) {
			continue
		}
		err = errors.Join(err, os.RemoveAll(filepath.Join(dir, e.Name())))
	}
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return err
}

// Resolve asks ssh what the configuration says for a host, the user's own
// included. The files have to be there.
func (c *Config) Resolve(ctx context.Context, host string) (Settings, error) {
	if _, ok := c.hosts[host]; !ok {
		return Settings{}, &Error{Host: host, Message: fmt.Sprintf("%s: not a host of this ssh configuration", host)}
	}
	return resolve(ctx, c.Path(), host)
}

// hint names a host's address as a person would type it.
func (c *Config) where(host string) (address string, port int) {
	h := c.hosts[host]
	return cmp.Or(h.Address, host), cmp.Or(h.Port, 22)
}

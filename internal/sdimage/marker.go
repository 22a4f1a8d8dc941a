package sdimage

import (
	"bytes"
	"context"
	"encoding/json"
	"regexp"

	"golang.org/x/crypto/ssh"
)

// Where things stand in the root file system. NixOS leaves other names in /boot
// alone.
const (
	markerFile = "/boot/pistack.json"
	keyFile    = "/etc/ssh/ssh_host_ed25519_key"
)

// Marker is what a sealed image says of itself. Nothing in it is secret.
type Marker struct {
	Schema  int    `json:"schema"` // 1
	Host    string `json:"host"`
	Board   string `json:"board,omitempty"`
	System  string `json:"system,omitempty"`  // Nix system
	Key     string `json:"key"`               // fingerprint, "SHA256:…"
	Pistack string `json:"pistack,omitempty"` // version that sealed it
}

// Content is what an image holds, as far as it can be told.
type Content struct {
	Marker *Marker       // nil for an image that was not sealed
	Key    ssh.PublicKey // public half of the private key in it; nil for none
	NixOS  string        // name of the system, "HOST-26.05.20260901.abc"; "" when unknown
	Kernel string        // version; "" when unknown
}

var (
	systemForm  = regexp.MustCompile(`/nix/store/[0-9a-z]{32}-nixos-system-([A-Za-z0-9+._?=-]+)/init`)
	versionForm = regexp.MustCompile(`^(.+?)-[0-9]{2}\.[0-9]{2}(?:[^0-9]|$)`)
	kernelForm  = regexp.MustCompile(`[0-9a-z]{32}-linux-([0-9][A-Za-z0-9.+]*)`)
)

// Inspect reads what an image holds. A private key in it is looked at, and
// forgotten.
func (i *Image) Inspect(ctx context.Context) (Content, error) {
	key, content, err := i.inspect(ctx)
	key.Forget()
	return content, err
}

// HostKey is the key in an image; its Public is nil when there is none.
func (i *Image) HostKey(ctx context.Context) (HostKey, error) {
	key, _, err := i.inspect(ctx)
	return key, err
}

func (i *Image) inspect(ctx context.Context) (HostKey, Content, error) {
	var content Content
	fs := i.filesystem()
	private, err := fs.read(ctx, keyFile)
	if err != nil {
		return HostKey{}, content, err
	}
	key, err := ParseHostKey(private)
	if err != nil && len(private) > 0 {
		return key, content, &Error{File: i.Path, Message: keyFile + " in it cannot be a host key", Err: err, Fix: "build the image anew"}
	}
	content.Key = key.Public
	if text, err := fs.read(ctx, markerFile); err != nil {
		return key, content, err
	} else if m := (Marker{}); json.Unmarshal(text, &m) == nil && m.Schema > 0 {
		content.Marker = &m
	}
	for _, file := range []string{"/boot/extlinux/extlinux.conf", "/boot/grub/grub.cfg"} {
		text, err := fs.read(ctx, file)
		if err != nil {
			return key, content, err
		}
		content.bootedBy(text)
	}
	return key, content, nil
}

// bootedBy takes note of what a boot loader's configuration starts: its first
// entry is the newest system.
func (c *Content) bootedBy(text []byte) {
	if m := systemForm.FindSubmatch(text); m != nil && c.NixOS == "" {
		c.NixOS = string(m[1])
	}
	if m := kernelForm.FindSubmatch(text); m != nil && c.Kernel == "" {
		c.Kernel = string(m[1])
	}
}

// Of tells whether the system in an image is a host's. When that cannot be told,
// it may be. The host is what stands in front of the version of NixOS: pi-01 is no
// version of pi.
func (c Content) Of(host string) bool {
	if m := versionForm.FindStringSubmatch(c.NixOS); m != nil {
		return m[1] == host
	}
	rest, ok := bytes.CutPrefix([]byte(c.NixOS), []byte(host+"-"))
	return c.NixOS == "" || ok && len(rest) > 0 && rest[0] >= '0' && rest[0] <= '9'
}

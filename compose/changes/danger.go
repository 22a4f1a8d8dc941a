package changes

import (
	"fmt"
	"net/netip"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// Code names a kind of danger.
type Code string

// The dangers.
const (
	PublicPort      Code = "public-port"      // open on more addresses than before
	Privileged      Code = "privileged"       // the container can do what the host can
	DockerSocket    Code = "docker-socket"    // the container rules Docker, and so the host
	HostNetwork     Code = "host-network"     // every port of the container is one of the host
	HostFiles       Code = "host-files"       // all files of the host are in the container
	VolumeLeft      Code = "volume-left"      // data stays behind where nothing uses it
	VolumeConfig    Code = "volume-config"    // Compose cannot change a volume without losing its data
	AnonymousVolume Code = "anonymous-volume" // data that nothing finds again
	UnpinnedImage   Code = "unpinned-image"   // an image without digest, where none or another was
	WrongPlatform   Code = "wrong-platform"   // an image that does not run on the host
	LeftRunning     Code = "left-running"     // a container that Compose leaves alone
)

// Danger is what a reviewer has to know first.
type Danger struct {
	Code    Code   `json:"code"`
	Service string `json:"service,omitempty"`
	Message string `json:"message"`
}

func (c *comparison) danger(code Code, service, format string, args ...any) {
	d := Danger{code, service, fmt.Sprintf(format, args...)}
	if !slices.Contains(c.out.Dangers, d) {
		c.out.Dangers = append(c.out.Dangers, d)
	}
}

// dangers looks for what the new version newly exposes or loses.
func (c *comparison) dangers() {
	for _, name := range c.names() {
		before, had := c.before.services[name]
		after, has := c.after.services[name]
		if has {
			c.ports(name, before, after)
			c.powers(name, before.config, after.config)
			c.pinned(name, before, after)
			if why := c.after.wrong[name]; why != "" && c.before.wrong[name] != why {
				c.danger(WrongPlatform, name, "image %s %s", after.Image, why)
			}
		}
		if had {
			c.mounted(name, before, after)
		}
		if had && !has && c.disabled(name) {
			c.danger(LeftRunning, name, "its container runs on, without an owner: docker rm -f it, or take the service out of the file")
		}
	}
	c.volumes()
}

// ports finds ports that are published on more addresses than before. Those of
// the whole stack count: a port may move from one service to another.
func (c *comparison) ports(name string, before, after service) {
	for _, p := range after.config.Ports {
		if loopback(p.HostIP) {
			continue
		}
		if slices.ContainsFunc(before.config.Ports, func(o types.ServicePortConfig) bool { return !loopback(o.HostIP) && samePort(o, p) && covers(o, p) }) ||
			p.Published != "" && c.published(p) {
			continue
		}
		text := fmt.Sprintf("port %s is open on %s", portName(p), addresses(p.HostIP))
		for _, o := range before.config.Ports {
			if samePort(o, p) {
				text += fmt.Sprintf(", and was on %s only", addresses(o.HostIP))
				break
			}
		}
		c.danger(PublicPort, name, "%s", text)
	}
}

func (c *comparison) published(p types.ServicePortConfig) bool {
	for _, s := range c.before.services {
		if slices.ContainsFunc(s.config.Ports, func(o types.ServicePortConfig) bool { return !loopback(o.HostIP) && samePort(o, p) && covers(o, p) }) {
			return true
		}
	}
	return false
}

// samePort tells of two with the same number on the host; of random ones, with
// the same number in the container.
func samePort(a, b types.ServicePortConfig) bool {
	return a.Published == b.Published && a.Protocol == b.Protocol && (a.Published != "" || a.Target == b.Target)
}

// covers tells whether b is on no other addresses than a.
func covers(a, b types.ServicePortConfig) bool { return wildcard(a.HostIP) || a.HostIP == b.HostIP }

func wildcard(ip string) bool { return ip == "" || ip == "0.0.0.0" || ip == "::" }

func loopback(ip string) bool {
	address, err := netip.ParseAddr(ip)
	return err == nil && address.Unmap().IsLoopback()
}

func addresses(ip string) string {
	if wildcard(ip) {
		return "all addresses"
	}
	return ip
}

func portName(p types.ServicePortConfig) string {
	if p.Published == "" {
		return fmt.Sprintf("(random) to %d/%s", p.Target, p.Protocol)
	}
	return p.Published + "/" + p.Protocol
}

// powers finds what lets a container out of its box.
func (c *comparison) powers(name string, before, after types.ServiceConfig) {
	if after.Privileged && !before.Privileged {
		c.danger(Privileged, name, "it is privileged: it can do what root on the host can")
	}
	for _, capability := range []string{"ALL", "SYS_ADMIN", "CAP_SYS_ADMIN"} {
		if slices.Contains(after.CapAdd, capability) && !slices.Contains(before.CapAdd, capability) {
			c.danger(Privileged, name, "it gets the capability %s, with which it can do nearly what root on the host can", capability)
		}
	}
	if after.NetworkMode == "host" && before.NetworkMode != "host" {
		c.danger(HostNetwork, name, "it is in the host's network: each of its ports is one of the host, whatever \"ports\" says")
	}
	if after.Pid == "host" && before.Pid != "host" {
		c.danger(Privileged, name, "it sees the host's processes")
	}
	if socket(after) && !socket(before) {
		c.danger(DockerSocket, name, "it gets Docker's socket: it can start any container, and so do what root on the host can")
	}
	if hostFiles(after) && !hostFiles(before) {
		c.danger(HostFiles, name, "it gets all files of the host")
	}
}

func socket(s types.ServiceConfig) bool {
	return s.UseAPISocket || slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
		source := path.Clean(v.Source)
		return v.Type == types.VolumeTypeBind && (source == "/var/run/docker.sock" || source == "/run/docker.sock" || source == "/run" || source == "/var/run")
	})
}

func hostFiles(s types.ServiceConfig) bool {
	return slices.ContainsFunc(s.Volumes, func(v types.ServiceVolumeConfig) bool {
		return v.Type == types.VolumeTypeBind && v.Source != "" && path.Clean(v.Source) == "/"
	})
}

// pinned finds an image that comes, or is another one, without a digest. One that
// is the same as before is no news, and one that is built has none.
func (c *comparison) pinned(name string, before, after service) {
	if after.Image == "" || before.Image == after.Image || strings.Contains(after.Image, "@") || after.config.Build != nil {
		return
	}
	if strings.Contains(before.Image, "@") {
		c.danger(UnpinnedImage, name, "image %s is no longer pinned to a digest", after.Image)
		return
	}
	c.danger(UnpinnedImage, name, "image %s is not pinned to a digest", after.Image)
}

package doctor

import (
	"errors"
	"fmt"
	"strings"
	"time"

	"pistack/internal/fleet"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// Unreached is the check of a machine that could not be asked.
func Unreached(host string, err error) []Check {
	name := "reachable"
	if remote.Is(err, remote.WrongKey) {
		name = "pinned key"
	}
	fix := ""
	var hinted interface{ Hint() string }
	if errors.As(err, &hinted) {
		fix = hinted.Hint()
	}
	return of(host, []Check{problem(name, fix, "%s", strings.TrimPrefix(err.Error(), host+": "))})
}

// What a machine should have.
const (
	littleFree  = 1 << 30   // bytes: room for one more system
	noFree      = 128 << 20 // not even for a small change
	clockOff    = time.Minute
	clockBroken = 10 * time.Minute
)

// Machine judges what a machine says of itself. secrets tells whether the
// repository has some for it.
func Machine(h fleet.Host, c target.Checkup, secrets bool, now time.Time) []Check {
	checks := []Check{
		fine("reachable", "as %s, with the pinned key; up for %s", c.Login, c.Uptime.Round(time.Minute)),
		architecture(h, c), memory(h, c),
		space(h, "nix store", "nix-collect-garbage --delete-older-than 14d", c.StoreFree, c.StoreTotal),
		clock(h, c, now), writable(h, c),
	}
	if len(h.Stacks) > 0 {
		checks = append(checks, space(h, "docker's disk", "docker image prune --force", c.DockerFree, 0), docker(h, c))
	}
	if secrets {
		checks = append(checks, inMemory(h, c))
	}
	return of(h.Name, append(checks, units(h, c)))
}

func architecture(h fleet.Host, c target.Checkup) Check {
	if want := strings.TrimSuffix(h.System, "-linux"); c.Arch != want {
		return problem("architecture", "correct system in "+h.File(), "host.toml says %s, the machine %s", want, c.Arch)
	}
	return fine("architecture", "%s, Linux %s", c.Arch, c.Kernel)
}

func memory(h fleet.Host, c target.Checkup) Check {
	if !c.CgroupMemory {
		return warning("memory limits", "boot.kernelParams = [ \"cgroup_enable=memory\" ]; pistack's boards have it: deploy and reboot "+h.Name,
			"the kernel enforces none: memory limits of containers do nothing")
	}
	return fine("memory limits", "are enforced")
}

func space(h fleet.Host, name, clean string, free, total int64) Check {
	text := mib(free) + " free"
	if total > 0 {
		text += " of " + mib(total)
	}
	fix := fmt.Sprintf("pistack exec %s -- %s", h.Name, clean)
	switch {
	case free < noFree:
		return problem(name, fix, "%s", text)
	case free < littleFree:
		return warning(name, fix, "%s", text)
	}
	return fine(name, "%s", text)
}

func mib(bytes int64) string { return fmt.Sprintf("%d MiB", bytes>>20) }

func clock(h fleet.Host, c target.Checkup, now time.Time) Check {
	off := c.Now.Sub(now).Abs().Round(time.Second)
	fix := fmt.Sprintf("pistack exec %s -- timedatectl", h.Name)
	switch {
	case off > clockBroken:
		return problem("clock", fix, "is off by %s: certificates and signatures fail", off)
	case off > clockOff:
		return warning("clock", fix, "is off by %s", off)
	case !c.Synchronised:
		return warning("clock", fix, "is right, and not synchronised with the network")
	}
	return fine("clock", "is synchronised")
}

// writable: a copy is received by whoever logs in, who has to be trusted, since
// what is built here is signed by nobody.
func writable(h fleet.Host, c target.Checkup) Check {
	switch {
	case !c.Writable:
		return problem("store writable", fmt.Sprintf("pistack exec %s -- dmesg; a disk that is broken is mounted read-only", h.Name), "/nix/var/nix cannot be written")
	case !c.Trusted:
		return problem("store writable", fmt.Sprintf("nix.settings.trusted-users = [ %q ]; deploy it as root once: user = \"root\" below [ssh] in %s", c.Login, h.File()),
			"%s is not one of Nix's trusted users: it may not copy a system there", c.Login)
	}
	return fine("store writable", "by %s", c.Login)
}

func docker(h fleet.Host, c target.Checkup) Check {
	if c.Docker == "" {
		return problem("docker", fmt.Sprintf("pistack exec %s -- systemctl status docker", h.Name), "does not answer, and the host has stacks")
	}
	return fine("docker", "%s", c.Docker)
}

func inMemory(h fleet.Host, c target.Checkup) Check {
	switch c.Secrets {
	case "":
		return warning("secrets", "pistack deploy "+h.Name, "none are installed, and the repository has some for it")
	case "ramfs", "tmpfs":
		return fine("secrets", "are in memory (%s)", c.Secrets)
	}
	return problem("secrets", "pistack deploy "+h.Name+", and rotate what lay on the disk", "are on %s, and not in memory", c.Secrets)
}

func units(h fleet.Host, c target.Checkup) Check {
	if len(c.Failed) > 0 {
		return warning("units", fmt.Sprintf("pistack exec %s -- journalctl -n 20 -u %s", h.Name, c.Failed[0]), "failed: %s", strings.Join(c.Failed, ", "))
	}
	return fine("units", "none has failed")
}

package rules

import (
	"fmt"
	"strconv"
	"strings"

	"pistack/compose"
)

func memorySum() Rule {
	return Rule{
		Code: "memory-sum", Severity: compose.Warning, check: memorySums, whole: true,
		Summary: "the memory limits of all services add up to more than the host has",
		Why: `A limit keeps one container from taking the memory of all others. When the limits together exceed the RAM, the kernel can
run out before any container reaches its own, and kills what it finds largest: it may be another stack's database. The RAM
is that of memory in host.toml, or of the board where all boards of that name have the same. Services without a limit are
not counted.`,
		Fix: `Lower limits, move a stack to another host, or correct memory in host.toml. If the services never peak at the same time,
accept it there.`,
		Example: `# hosts/pi/host.toml
memory = "8GiB"

[accept]
memory-sum = "the nightly jobs never run at the same time"`,
	}
}

func memorySums(h host) []problem {
	var sum int64
	limited := 0
	for _, s := range h.services() {
		if limit := memoryLimit(s); limit > 0 {
			// Bounded, so that no sum of a thousand limits overflows.
			sum += min(limit, 1<<42) * int64(s.containers())
			limited++
		}
	}
	if h.Memory == 0 || sum <= h.Memory {
		return nil
	}
	at := h.MemoryAt
	if at.File == "" {
		at.File = h.File
	}
	return []problem{{
		at:      at,
		message: fmt.Sprintf("the memory limits of %d services add up to %s, and %s has %s", limited, size(sum), h.Name, size(h.Memory)),
		fix:     "lower limits or move a stack; correct memory in host.toml if the board has more",
	}}
}

func memoryCgroup() Rule {
	return Rule{
		Code: "memory-cgroup", Severity: compose.Warning, check: memoryCgroups,
		Summary: "a memory limit on a host whose kernel does not enforce it",
		Why: `The kernels of the Raspberry Pi's vendor start with the memory controller off. Docker then warns that "your kernel does not
support memory limit capabilities" and runs the container without a limit: one leak takes the whole host down. The boards
with such a kernel are known; a fleet that imports modules/docker.nix has the parameter that turns the controller on.`,
		Fix: `Import modules/docker.nix, or set the kernel parameter in the host's NixOS configuration. On the device,
/sys/fs/cgroup/cgroup.controllers lists memory when it works.`,
		Example: `boot.kernelParams = [ "cgroup_enable=memory" ];   # hosts/pi/default.nix`,
	}
}

func memoryCgroups(h host) []problem {
	if !h.NoMemoryCgroup {
		return nil
	}
	var problems []problem
	for _, s := range h.services() {
		if memoryLimit(s) > 0 {
			problems = append(problems, s.problem(limitPlace(s),
				fmt.Sprintf("the memory limit of service %s has no effect: the kernel of %s leaves the memory controller off", s.Name, h.Name),
				fmt.Sprintf(`boot.kernelParams = [ "cgroup_enable=memory" ]; in hosts/%s/default.nix`, h.Name)))
		}
	}
	return problems
}

// memoryLimit is a service's limit for each container, in bytes; 0 for none.
func memoryLimit(s service) int64 {
	limit := int64(s.MemLimit)
	if s.Deploy != nil && s.Deploy.Resources.Limits != nil {
		limit = max(limit, int64(s.Deploy.Resources.Limits.MemoryBytes))
	}
	return max(limit, 0)
}

func limitPlace(s service) compose.Position {
	if s.MemLimit > 0 {
		return s.place("mem_limit")
	}
	return s.place("deploy", "resources", "limits", "memory")
}

// size writes bytes in GiB or MiB, with one digit where it is not whole.
func size(bytes int64) string {
	value, unit := float64(bytes)/(1<<30), "GiB"
	if bytes < 1<<30 {
		value, unit = float64(bytes)/(1<<20), "MiB"
	}
	return strings.TrimSuffix(strconv.FormatFloat(value, 'f', 1, 64), ".0") + " " + unit
}

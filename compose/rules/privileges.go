package rules

import (
	"fmt"
	"slices"
	"strings"

	"pistack/compose"
)

func dockerSocket() Rule {
	return Rule{
		Code: "docker-socket", Severity: compose.Warning, check: dockerSockets, local: true,
		Summary: "a container can reach Docker's socket",
		Why: `Whoever can talk to /run/docker.sock is root on the host: it can start a container that mounts everything, and read every
secret of every stack. Read-only does not help, since connecting to a socket writes nothing. A folder above the socket, such
as / or /run, holds it too, and with /run also /run/pistack, where the secrets are.`,
		Fix: `Do without, or put a proxy in between that lets only the needed requests through. If the service has to have it, say why.`,
		Example: `services:
  proxy:
    x-pistack:
      accept:
        docker-socket: it finds the services to route to, and is not reachable from outside`,
	}
}

func dockerSockets(h host) []problem {
	var problems []problem
	for _, s := range h.services() {
		for i, v := range s.Volumes {
			if v.Type == "bind" && holdsSocket(v.Source) {
				problems = append(problems, s.problem(s.item(i, v.Source, "volumes"),
					fmt.Sprintf("service %s mounts %s, and is root on the device with it", s.Name, v.Source),
					"use a proxy that filters requests, mount less, or accept it with the reason"))
			}
		}
		if s.UseAPISocket {
			problems = append(problems, s.problem(s.place("use_api_socket"),
				fmt.Sprintf("service %s uses Docker's socket, and is root on the device with it", s.Name),
				"use a proxy that filters requests, or accept it with the reason"))
		}
	}
	return problems
}

// holdsSocket tells whether an absolute path is Docker's socket, or a folder
// above it. /var/run is a symlink to /run.
func holdsSocket(source string) bool {
	source = "/" + strings.Trim(source, "/")
	return slices.Contains([]string{"/run/docker.sock", "/var/run/docker.sock", "/run", "/var/run", "/var", "/"}, source)
}

func privileged() Rule {
	return Rule{
		Code: "privileged", Severity: compose.Warning, check: privilegeds, local: true,
		Summary: "a container is privileged",
		Why: `privileged gives all capabilities and all devices of the host, and turns off seccomp and AppArmor: a hole in the program is a
hole in the host.`,
		Fix: `Name the devices and capabilities that it needs.`,
		Example: `services:
  zigbee:
    devices: ["/dev/ttyUSB0:/dev/ttyUSB0"]`,
	}
}

func privilegeds(h host) []problem {
	return h.each(func(s service) (key, message, fix string) {
		if s.Privileged {
			return "privileged", fmt.Sprintf("service %s is privileged: it is root on the device", s.Name), "use devices and cap_add, or accept it with the reason"
		}
		return
	})
}

func hostNetwork() Rule {
	return Rule{
		Code: "host-network", Severity: compose.Warning, check: hostNetworks, local: true,
		Summary: "a container uses the host's network",
		Why: `It can listen on every port of every interface and reach what listens on the host's 127.0.0.1, and its ports cannot be seen in
the file: neither port-clash nor open-port can look at them. Names of other services do not resolve.`,
		Fix: `Publish the ports that it needs. Software that finds devices by broadcast (mDNS, DHCP, DLNA) needs the host's network: accept
it with that reason, and name its ports in [reserved_ports] of host.toml.`,
		Example: `services:
  home-assistant:
    network_mode: host
    x-pistack:
      accept:
        host-network: it finds devices by mDNS`,
	}
}

func hostNetworks(h host) []problem {
	return h.each(func(s service) (key, message, fix string) {
		if _, inNetworks := s.Networks["host"]; s.NetworkMode == "host" || inNetworks && s.stack.Project.Networks["host"].Name == "host" {
			return "network_mode", fmt.Sprintf("service %s uses the network of the host", s.Name), "publish its ports instead, or accept it with the reason"
		}
		return
	})
}

func hostNamespace() Rule {
	return Rule{
		Code: "host-namespace", Severity: compose.Warning, check: hostNamespaces, local: true,
		Summary: "a container shares the processes or other namespaces of the host",
		Why: `pid: host shows all processes of the host and their environments, with the secrets in them, and lets the container signal
them. ipc: host shares memory with them, userns_mode: host undoes the separation of users.`,
		Fix:     `Leave it out. Monitoring that counts the host's processes needs pid: host: accept it with that reason.`,
		Example: "services:\n  node-exporter:\n    pid: host\n    x-pistack:\n      accept: {host-namespace: it counts the processes of the host}",
	}
}

func hostNamespaces(h host) []problem {
	return h.each(func(s service) (key, message, fix string) {
		var found []string
		for _, n := range [][2]string{{"pid", s.Pid}, {"ipc", s.Ipc}, {"uts", s.Uts}, {"userns_mode", s.UserNSMode}, {"cgroup", s.Cgroup}} {
			if n[1] == "host" {
				found = append(found, n[0])
			}
		}
		if len(found) == 0 {
			return
		}
		return found[0], fmt.Sprintf("service %s has %s: host", s.Name, strings.Join(found, ": host, ")), "leave it out, or accept it with the reason"
	})
}

func capability() Rule {
	return Rule{
		Code: "capability", Severity: compose.Warning, check: capabilities, local: true,
		Summary: "a container has a capability that amounts to root on the host",
		Why: `SYS_ADMIN, SYS_MODULE, SYS_RAWIO, SYS_PTRACE, DAC_READ_SEARCH and BPF let a process mount, load kernel modules, read memory or
open files past every check; ALL is all of them. NET_ADMIN and the like stay inside the container's network, and are not
named here.`,
		Fix:     `Take the capability away and see what fails: most images ask for more than they need.`,
		Example: "services:\n  vpn:\n    cap_add: [NET_ADMIN]",
	}
}

func capabilities(h host) []problem {
	strong := []string{"ALL", "SYS_ADMIN", "SYS_MODULE", "SYS_RAWIO", "SYS_PTRACE", "DAC_READ_SEARCH", "BPF"}
	return h.each(func(s service) (key, message, fix string) {
		var found []string
		for _, c := range s.CapAdd {
			if name := strings.TrimPrefix(strings.ToUpper(c), "CAP_"); slices.Contains(strong, name) {
				found = append(found, name)
			}
		}
		if len(found) > 0 {
			return "cap_add", fmt.Sprintf("service %s has %s: it is as good as root on the device", s.Name, list(found)), "take it away, or accept it with the reason"
		}
		return
	})
}

// each asks about every service; an answer without a message is none.
func (h host) each(ask func(s service) (key, message, fix string)) []problem {
	var problems []problem
	for _, s := range h.services() {
		if key, message, fix := ask(s); message != "" {
			problems = append(problems, s.problem(s.place(key), message, fix))
		}
	}
	return problems
}

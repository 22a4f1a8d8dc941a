package fleet

import (
	"cmp"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// What of host.toml the checks of stacks want to know of a host.

// ReservedPort is a port that a service of NixOS listens on.
type ReservedPort struct {
	Port     int
	Protocol string // tcp or udp
	Owner    string // who listens, in the author's words
}

// AnyInterface in Host.Open stands for all of them.
const AnyInterface = "any"

var (
	memoryForm = regexp.MustCompile(`^([1-9][0-9]{0,6})(MiB|GiB)$`)
	portForm   = regexp.MustCompile(`^([1-9][0-9]{0,4})(?:/(tcp|udp))?$`)
	// What Linux takes as the name of an interface, less what nobody uses.
	interfaceForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9._-]{0,14}$`)
)

// Position is where host.toml has a key, or the table around it, both from 1, or
// 0, 0.
func (h Host) Position(key ...string) (line, column int) { return h.doc.findWithin(key) }

// readTarget fills in Memory and Reserved, and checks them with Open and Accept.
func (h *Host) readTarget(doc document, t hostFile) []error {
	var problems []error
	wrong := func(key []string, format string, args ...any) {
		problems = append(problems, doc.problem(key, format, args...))
	}
	h.validateOpen(wrong)
	if t.Memory != "" {
		if h.Memory = parseMemory(t.Memory); h.Memory == 0 {
			wrong([]string{"memory"}, `memory %q is not like "512MiB" or "4GiB"`, t.Memory)
		}
	}
	for key, owner := range t.Ports {
		ports := parsePort(key, owner)
		switch {
		case ports == nil:
			wrong([]string{"reserved_ports", key}, `%q is not a port like 53, "53/udp" or "9100/tcp"`, key)
		case strings.TrimSpace(owner) == "":
			wrong([]string{"reserved_ports", key}, "reserved_ports: say who listens on %s", key)
		}
		h.Reserved = append(h.Reserved, ports...)
	}
	slices.SortFunc(h.Reserved, func(a, b ReservedPort) int {
		return cmp.Or(cmp.Compare(a.Port, b.Port), cmp.Compare(a.Protocol, b.Protocol), cmp.Compare(a.Owner, b.Owner))
	})
	for code, reason := range h.Accept {
		if strings.TrimSpace(reason) == "" {
			wrong([]string{"accept", code}, "accept: %s has no reason", code)
		}
	}
	return problems
}

func (h *Host) validateOpen(wrong func([]string, string, ...any)) {
	for i, name := range h.Open {
		switch {
		case !interfaceForm.MatchString(name):
			wrong([]string{"open"}, "open: %q is not the name of a network interface, nor %q", name, AnyInterface)
		case slices.Contains(h.Open[:i], name):
			wrong([]string{"open"}, "open: %q stands there twice", name)
		case name == AnyInterface && len(h.Open) > 1:
			wrong([]string{"open"}, "open: %q says it all: take the others out", AnyInterface)
		}
	}
}

// parseMemory gives bytes, or 0 for what is no amount of memory.
func parseMemory(text string) int64 {
	m := memoryForm.FindStringSubmatch(text)
	if m == nil {
		return 0
	}
	n, err := strconv.ParseInt(m[1], 10, 64)
	if err != nil {
		return 0
	}
	return n << map[string]int{"MiB": 20, "GiB": 30}[m[2]]
}

// parsePort reads "53" as tcp and udp, and "53/udp".
func parsePort(key, owner string) []ReservedPort {
	m := portForm.FindStringSubmatch(key)
	if m == nil {
		return nil
	}
	port, err := strconv.Atoi(m[1])
	if err != nil || port > 65535 {
		return nil
	}
	if m[2] != "" {
		return []ReservedPort{{port, m[2], owner}}
	}
	return []ReservedPort{{port, "tcp", owner}, {port, "udp", owner}}
}

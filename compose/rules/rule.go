package rules

import (
	"slices"

	"pistack/compose"
)

// Rule is a kind of finding, and what there is to know about it.
type Rule struct {
	Code     compose.Code
	Severity compose.Severity
	Summary  string // one line, no full stop
	Why      string // what happens on the device, and why it matters
	Fix      string // what to do
	Example  string // YAML or TOML; may be empty

	// Fixed rules cannot be accepted: Compose would not run, or pistack could
	// not tell what it would do.
	Fixed bool

	// check finds it; nil for what is found elsewhere.
	check func(h host) []problem
	// whole rules need all stacks of the host: a missing one would make them wrong.
	whole bool
	// local rules depend on the stack's files alone, so that an acceptance which
	// matches nothing on one host matches nothing on any.
	local bool
}

// All lists the rules in the order in which they are explained.
func All() []Rule {
	return slices.Concat(
		[]Rule{
			portClash(), openPort(), containerClash(), sharedName(), subnetClash(), missingExternal(),
			memorySum(), memoryCgroup(),
			plaintextKey(), plaintextSecret(), secretInEnvironment(), unusedSecret(), missingLogin(),
			ignoredFile(), restart(), oneShot(), missingHealthcheck(), unboundedLog(), stateBind(),
			dockerSocket(), privileged(), hostNetwork(), hostNamespace(), capability(),
			badAccept(), staleAccept(),
		},
		wholeFleet(), locks(), loading(),
	)
}

// Lookup gives the rule of a code.
func Lookup(code compose.Code) (Rule, bool) {
	all := All()
	i := slices.IndexFunc(all, func(r Rule) bool { return r.Code == code })
	if i < 0 {
		return Rule{}, false
	}
	return all[i], true
}

// Codes lists all codes, sorted.
func Codes() []string {
	var codes []string
	for _, r := range All() {
		codes = append(codes, string(r.Code))
	}
	slices.Sort(codes)
	return codes
}

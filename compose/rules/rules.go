// Package rules checks the stacks of one host: against each other, against the
// host, and against what is known to go wrong on a device.
//
// # Pure
//
// Check takes all it knows as data, the host as a Target and the stacks as
// package compose loaded them, and gives findings. It reads files through
// Target.Repository alone.
//
// # A rule
//
// A rule is a row of All: its code, severity and explanation beside the function
// that finds it. The same row is printed by "pistack check --explain", and is a
// section of docs/checks.md. A rule earns its place by naming what to do, and by
// being right nearly always; for the rest, a stack says with a reason that it
// knows better (see accept.go).
//
// # Secrets
//
// No finding quotes a value of an environment or a line of a file.
package rules

import (
	"io/fs"
	"strings"
	"unicode"

	"pistack/compose"
)

// Target is the host that stacks are checked against.
type Target struct {
	Name    string
	File    string // its host.toml, relative to the root
	Whole   bool   // every stack of the host could be loaded
	Secrets []Secret
	Env     []Variable // [env] of host.toml
	Open    []string   // interfaces that published ports may be reached on; "any" for all
	Taken   []Port     // host ports of NixOS services
	Accept  []Acceptance
	Logins  []Login // [registries] of host.toml

	Memory   int64            // RAM in bytes, 0 when it is not known
	MemoryAt compose.Position // where host.toml says so
	// NoMemoryCgroup says that the kernel leaves the memory controller off, so
	// that Docker ignores memory limits.
	NoMemoryCgroup bool

	Repository fs.FS           // the fleet, for the files of its stacks
	Tracked    compose.PathSet // what Git tracks there
}

// Secret is a secret of the host.
type Secret struct {
	Name string
	File string // relative to the root
	Used bool   // by a stack or a NixOS file
}

// Variable is a variable of host.toml.
type Variable struct {
	Name, Value string
	At          compose.Position
}

// Login is a private registry, and the secret that the host logs in with.
type Login struct {
	Registry, Secret string
	At               compose.Position
}

// Port is a port of the host that a service of NixOS listens on.
type Port struct {
	Number   int
	Protocol string // tcp or udp
	Owner    string // who listens, for messages
}

// Check gives the findings of every rule, and those of loading, sorted. What
// the host or a stack accepts is marked. Load's findings are needed for that.
func Check(t Target, stacks []*compose.Stack, loaded []compose.Finding) []compose.Finding {
	h := host{Target: t, stacks: stacks}
	findings := append([]compose.Finding{}, loaded...)
	for _, rule := range All() {
		if rule.check == nil || rule.whole && !t.Whole {
			continue
		}
		for _, p := range rule.check(h) {
			findings = append(findings, p.finding(rule))
		}
	}
	return compose.SortFindings(h.accept(findings))
}

// problem is what a rule finds; code and severity are the rule's.
type problem struct {
	at             compose.Position
	stack, service string
	message, fix   string
}

func (p problem) finding(r Rule) compose.Finding {
	return compose.Finding{
		Code: r.Code, Severity: r.Severity, Stack: p.stack, Service: p.service,
		Message: oneLine(p.message), Fix: oneLine(p.fix),
	}.At(p.at)
}

// oneLine takes out what would move a terminal's cursor, or begin a new line in
// a log that machines read: a message can quote a name of a Compose file.
func oneLine(text string) string {
	return strings.Map(func(r rune) rune {
		if unicode.IsControl(r) {
			return ' '
		}
		return r
	}, text)
}

package rules

import (
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

// extension is the key of Compose files that is ours; Compose ignores it.
const extension = "x-pistack"

func badAccept() Rule {
	return Rule{
		Code: "bad-accept", Severity: compose.Warning, Fixed: true,
		Summary: "x-pistack or [accept] is not written as it should be",
		Why: `What accepts a finding has to say which, by its code, and why. One without a reason, with a code that does not exist, or for
a finding that cannot be accepted, accepts nothing. Errors that keep Compose from running cannot be accepted.`,
		Fix: `Write the code and a reason, at the service or at the file's top level; in host.toml for what is about the host.`,
		Example: `services:
  frigate:
    privileged: true
    x-pistack:
      accept:
        privileged: it needs the GPU   # or: accept: [{code: privileged, reason: it needs the GPU}]`,
	}
}

func staleAccept() Rule {
	return Rule{
		Code: "stale-accept", Severity: compose.Warning, Fixed: true,
		Summary: "a finding is accepted that is not there",
		Why: `What was accepted has been mended, or never was at this service. Left in place, the acceptance would hide the next finding of
that code. One that depends on the host (ports, memory, secrets) is never called stale in a stack, since other hosts may run
it too.`,
		Fix: `Remove the line.`,
	}
}

// Acceptance says that the author knows of a finding, and why it is there.
type Acceptance struct {
	Code   compose.Code
	Reason string
	At     compose.Position
}

// acceptance is one with its scope: a service, a whole stack, or the host's own
// files.
type acceptance struct {
	Acceptance
	stack, service string
}

func (a acceptance) covers(f compose.Finding) bool {
	return a.Code == f.Code && a.stack == f.Stack && (a.service == "" || a.service == f.Service)
}

// accept marks the findings that are accepted, and adds those about acceptances.
func (h host) accept(findings []compose.Finding) []compose.Finding {
	all, problems := h.acceptances()
	used := map[Acceptance]bool{} // by place: several services can share one by an anchor
	for i, f := range findings {
		if rule, known := Lookup(f.Code); !known || rule.Fixed {
			continue
		}
		for _, a := range all {
			if a.covers(f) {
				findings[i].Accepted, findings[i].Reason = true, a.Reason
				used[a.Acceptance] = true
			}
		}
	}
	for _, p := range problems {
		findings = append(findings, p.finding(badAccept()))
	}
	for _, a := range all {
		if rule, _ := Lookup(a.Code); !used[a.Acceptance] && (rule.local || a.stack == "") && (h.Whole || !rule.whole) {
			findings = append(findings, a.stale().finding(staleAccept()))
		}
	}
	return findings
}

func (a acceptance) stale() problem {
	p := problem{
		at: a.At, stack: a.stack, service: a.service, fix: "remove it",
		message: fmt.Sprintf("%s is accepted here, and there is no such finding", a.Code),
	}
	if a.stack == "" {
		p.fix = "remove it; what is about a stack is accepted in its Compose file"
	}
	return p
}

// acceptances collects those of host.toml, the stacks and their services that
// are well-formed, and says what is wrong with the others.
func (h host) acceptances() ([]acceptance, []problem) {
	c := collector{}
	for _, a := range h.Accept {
		c.add(acceptance{Acceptance: a})
	}
	for _, s := range h.stacks {
		c.extension(s, "", s.Project.Extensions)
		for _, name := range slices.Sorted(maps.Keys(s.Project.Services)) {
			c.extension(s, name, s.Project.Services[name].Extensions)
		}
	}
	return c.all, c.problems
}

type collector struct {
	all      []acceptance
	problems []problem
}

func (c *collector) wrong(a acceptance, format string, args ...any) {
	c.problems = append(c.problems, problem{
		at: a.At, stack: a.stack, service: a.service, message: compose.Redact(fmt.Sprintf(format, args...)),
		fix: extension + ": {accept: {CODE: the reason}}; pistack check --explain list names the codes",
	})
}

func (c *collector) add(a acceptance) {
	rule, known := Lookup(a.Code)
	a.Reason = strings.TrimSpace(oneLine(compose.Redact(a.Reason)))
	switch {
	case !known:
		c.wrong(a, "no finding has the code %q%s", a.Code, compose.DidYouMean(string(a.Code), Codes()))
	case rule.Fixed:
		c.wrong(a, "%s cannot be accepted", a.Code)
	case a.Reason == "":
		c.wrong(a, "%s is accepted without a reason", a.Code)
	default:
		c.all = append(c.all, a)
	}
}

// extension reads x-pistack of a stack (service "") or of a service.
func (c *collector) extension(s *compose.Stack, service string, extensions types.Extensions) {
	value, present := extensions[extension]
	if !present {
		return
	}
	path := []string{extension}
	if service != "" {
		path = []string{"services", service, extension}
	}
	at := func(more ...string) acceptance {
		a := acceptance{stack: s.Name, service: service}
		a.At = s.Place(slices.Concat(path, more)...)
		return a
	}
	settings, ok := value.(map[string]any)
	if !ok {
		c.wrong(at(), "%s is no mapping", extension)
		return
	}
	for _, key := range slices.Sorted(maps.Keys(settings)) {
		if key != "accept" {
			c.wrong(at(key), "unknown key %q in %s%s", key, extension, compose.DidYouMean(key, []string{"accept"}))
			continue
		}
		c.accepted(settings[key], at)
	}
}

// accepted reads the value of accept: a mapping of codes to reasons, or a list
// of mappings with both.
func (c *collector) accepted(value any, at func(more ...string) acceptance) {
	switch v := value.(type) {
	case map[string]any:
		for _, code := range slices.Sorted(maps.Keys(v)) {
			a := at("accept", code)
			a.Code, a.Reason = compose.Code(code), text(v[code])
			c.add(a)
		}
	case []any:
		for i, item := range v {
			c.item(item, at("accept", strconv.Itoa(i)))
		}
	default:
		c.wrong(at("accept"), "accept is neither a mapping of codes to reasons nor a list")
	}
}

func (c *collector) item(item any, a acceptance) {
	switch v := item.(type) {
	case string:
		a.Code = compose.Code(v)
	case map[string]any:
		for key := range v {
			if key != "code" && key != "reason" {
				c.wrong(a, "unknown key %q in an item of accept: it has code and reason", key)
				return
			}
		}
		a.Code, a.Reason = compose.Code(text(v["code"])), text(v["reason"])
	default:
		c.wrong(a, "an item of accept is neither a code nor a mapping with code and reason")
		return
	}
	c.add(a)
}

// text is a value that stands for a text; YAML makes some words a number.
func text(value any) string {
	switch v := value.(type) {
	case nil:
		return ""
	case string:
		return v
	case bool, int, int64, uint64, float64:
		return fmt.Sprint(v)
	}
	return ""
}

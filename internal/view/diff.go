// Package view shows what was computed: as text for a terminal, as Markdown for
// a comment, and as JSON for programs; and what happens, while it happens. It
// decides nothing.
//
// What it shows comes from a repository that somebody else may have written, or
// from a machine: no value can move a cursor, start a link, mention a person or
// end a table.
package view

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	"pistack/compose/changes"
	"pistack/internal/compare"
)

// group is a stack on all hosts to which the same happens.
type group struct {
	hosts []string
	stack compare.Stack
}

// groups joins equal stacks, in the order in which they come first.
func groups(r compare.Report) []group {
	var all []group
	at := map[string]int{}
	for _, h := range r.Hosts {
		for _, s := range h.Stacks {
			text, err := json.Marshal(s)
			if err != nil {
				panic(err) // strings and numbers always marshal
			}
			i, known := at[string(text)]
			if !known {
				i = len(all)
				at[string(text)] = i
				all = append(all, group{stack: s})
			}
			all[i].hosts = append(all[i].hosts, h.Name)
		}
	}
	return all
}

// listedHosts is how many hosts a line names before it counts the rest.
const listedHosts = 4

func (g group) where() string { return some(g.hosts, listedHosts) }

// danger is one with where it is: "host", or "host stack/service".
type danger struct {
	where string
	changes.Danger
}

// dangers are those of the hosts themselves, then those of stacks.
func dangers(r compare.Report) []danger {
	var all []danger
	for _, h := range r.Hosts {
		for _, d := range h.Dangers {
			all = append(all, danger{h.Name, d})
		}
	}
	for _, g := range groups(r) {
		for _, d := range g.stack.Dangers {
			where := g.where() + " " + g.stack.Name
			if d.Service != "" {
				where += "/" + d.Service
			}
			all = append(all, danger{where, d})
		}
	}
	return all
}

// effects counts the services of a stack: "1 pull, 2 recreate".
func effects(count map[changes.Effect]int) string {
	var words []string
	for _, e := range slices.Backward(changes.Effects()) {
		if n := count[e]; n > 0 && e != changes.None {
			words = append(words, fmt.Sprintf("%d %s", n, e))
		}
	}
	if n := count[changes.None]; n > 0 {
		words = append(words, fmt.Sprintf("%d unchanged", n))
	}
	return strings.Join(words, ", ")
}

func (g group) effects() string {
	count := map[changes.Effect]int{changes.None: g.stack.Unchanged}
	for _, s := range g.stack.Services {
		if s.Effect != changes.None {
			count[s.Effect]++
		}
	}
	return effects(count)
}

// totals is the whole in one line.
func totals(r compare.Report) string {
	t := r.Totals()
	words := []string{counted(t.Hosts, "host"), counted(t.Stacks, "stack")}
	if text := effects(t.Effects); text != "" {
		words = append(words, text)
	}
	for _, part := range []struct {
		n    int
		noun string
	}{{t.Dangers, "danger"}, {t.Secrets, "secret"}, {len(r.Nix), "Nix file"}, {t.Findings, "finding"}} {
		if part.n > 0 {
			words = append(words, counted(part.n, part.noun))
		}
	}
	return strings.Join(words, ", ")
}

// secretText is what happened to a secret, in words.
func secretText(s compare.Secret) string {
	words := []string{string(s.Change)}
	if s.Change == compare.SecretRekeyed {
		words[0] = "encrypted again, for the same readers as far as a header shows; the value is the same"
	}
	for _, who := range s.Gained {
		words = append(words, "gained "+who)
	}
	for _, who := range s.Lost {
		words = append(words, "lost "+who)
	}
	return strings.Join(words, ", ")
}

// sign is how something came about: "+", "-" or "~".
func sign(added, removed bool) string {
	switch {
	case added:
		return "+"
	case removed:
		return "-"
	}
	return "~"
}

func deref(s *string, none string) string {
	if s == nil {
		return none
	}
	return *s
}

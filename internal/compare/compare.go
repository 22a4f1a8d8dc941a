// Package compare tells what a new version of a fleet repository does to its
// hosts: to their stacks, by compose/changes, to their secrets, by header alone,
// and to what host.toml says of them.
//
// It loads what differs and nothing else: a stack whose files are the same on
// both sides, for a host with the same variables and the same secrets, is the
// same stack. No network is reached, no key is needed, and nothing is checked out.
package compare

import (
	"context"
	"slices"
	"strings"

	"pistack/compose"
	"pistack/compose/changes"
	"pistack/internal/fleet"
	"pistack/internal/git"
)

// Report is what one version of a fleet does to another.
type Report struct {
	Base, Head string           // what was compared, for people
	Compared   int              // hosts
	Fleet      []changes.Detail // of fleet.toml
	Hosts      []Host           // those with a difference, sorted by name
	Findings   []Finding        // what kept parts from being compared, sorted
	Nix        []string         // files that differ and that NixOS reads, sorted; what they do is not told
}

// Empty tells that nothing differs.
func (r Report) Empty() bool {
	return len(r.Fleet)+len(r.Hosts)+len(r.Findings)+len(r.Nix) == 0
}

// Totals count what a report holds.
type Totals struct {
	Hosts    int                    `json:"hosts"`   // with a difference
	Stacks   int                    `json:"stacks"`  // of all hosts
	Effects  map[changes.Effect]int `json:"effects"` // services, those of stacks that are the same excepted
	Dangers  int                    `json:"dangers"`
	Secrets  int                    `json:"secrets"`
	Findings int                    `json:"findings"`
}

// Totals counts.
func (r Report) Totals() Totals {
	t := Totals{Hosts: len(r.Hosts), Effects: map[changes.Effect]int{}, Findings: len(r.Findings)}
	for _, h := range r.Hosts {
		t.Stacks += len(h.Stacks)
		t.Secrets += len(h.Secrets)
		t.Dangers += len(h.Dangers)
		for _, s := range h.Stacks {
			t.Dangers += len(s.Dangers)
			if s.Unchanged > 0 {
				t.Effects[changes.None] += s.Unchanged
			}
			for _, service := range s.Services {
				if service.Effect != changes.None {
					t.Effects[service.Effect]++
				}
			}
		}
	}
	return t
}

// Status tells whether a host or a stack comes or goes.
type Status string

// A host or stack is on both sides, or on one of them.
const (
	Changed Status = "changed"
	Added   Status = "added"
	Removed Status = "removed"
)

// Host is what happens to one host.
type Host struct {
	Name     string           `json:"name"`
	Status   Status           `json:"status"`
	Dangers  []changes.Danger `json:"dangers"`  // of the host as a whole
	Settings []changes.Detail `json:"settings"` // of host.toml and its pinned key
	Secrets  []Secret         `json:"secrets"`  // sorted by name
	Stacks   []Stack          `json:"stacks"`   // sorted by name
}

// Stack is what happens to a stack of a host.
type Stack struct {
	Name      string `json:"name"`
	Status    Status `json:"status"`
	Unchanged int    `json:"unchanged"` // services that run on as they are
	changes.Changes
}

// Finding is something that kept a part from being compared.
type Finding struct {
	Side string `json:"side"` // "base" or "head"
	compose.Finding
}

// Failed counts the errors of the new version, which kept parts of it from being
// compared. Those of the base are history.
func (r Report) Failed() int {
	n := 0
	for _, f := range r.Findings {
		if f.Side == "head" && f.Counts(compose.Error) {
			n++
		}
	}
	return n
}

// Hosts compares the hosts that the selectors mean on either side.
func Hosts(ctx context.Context, p *Pair, selectors []string) (Report, error) {
	report, _, err := hosts(ctx, p, selectors)
	return report, err
}

func hosts(ctx context.Context, p *Pair, selectors []string) (Report, *work, error) {
	names, err := p.selected(selectors)
	if err != nil {
		return Report{}, nil, err
	}
	w := &work{Pair: p, reach: newReach(p.Base.revision, p.differ, p.Head.revision == nil)}
	w.report = Report{Base: p.Base.Name, Head: p.Head.Name, Compared: len(names)}
	w.report.Fleet = fleetSettings(p)
	for _, side := range []*Side{p.Base, p.Head} {
		w.report.Findings = append(w.report.Findings, side.problems(names)...)
	}
	for _, name := range names {
		w.host(name)
	}
	w.run(ctx)
	w.finish()
	w.report.Nix = nixFiles(p.differ, names)
	return w.report, w, ctx.Err()
}

// selected are the names of the hosts that the selectors mean, on either side.
func (p *Pair) selected(selectors []string) ([]string, error) {
	now, err := p.Head.Fleet.Select(selectors)
	before, baseErr := p.Base.Fleet.Select(selectors)
	if err != nil && baseErr != nil {
		return nil, err
	}
	var names []string
	for _, h := range append(now, before...) {
		names = append(names, h.Name)
	}
	slices.Sort(names)
	return slices.Compact(names), nil
}

// hostOf finds a host on a side; nil for none.
func hostOf(s *Side, name string) *fleet.Host {
	for i := range s.Fleet.Hosts {
		if s.Fleet.Hosts[i].Name == name {
			return &s.Fleet.Hosts[i]
		}
	}
	return nil
}

// nixFiles lists what differs among the files that NixOS reads for some hosts.
// Generated files follow from what is compared.
func nixFiles(differ git.Files, hosts []string) []string {
	var files []string
	for _, file := range differ.All() {
		parts := strings.Split(file, "/")
		switch {
		case file == "flake.nix" || file == "flake.lock" || parts[0] == "modules":
			files = append(files, file)
		case parts[0] == "hosts" && len(parts) > 2 && slices.Contains(hosts, parts[1]) && parts[2] != "generated" && strings.HasSuffix(file, ".nix"):
			files = append(files, file)
		}
	}
	return files
}

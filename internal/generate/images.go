package generate

import (
	"context"
	"slices"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/fleet"
)

// UnusedLocks reports entries of lock files that no host uses. A stack is left
// out when not all hosts that run it are among the results, without an error:
// one that is missing may be the one that uses the entry.
func (s *Snapshot) UnusedLocks(results []Result) []compose.Finding {
	uses, keys, loaded := map[string][]images.Use{}, map[string][]string{}, map[string]int{}
	locks := map[string]images.Lock{}
	for _, r := range results {
		for _, i := range r.Images {
			uses[i.Stack] = images.Join(uses[i.Stack], i.Uses)
			keys[i.Stack] = append(keys[i.Stack], images.Keys(i.Builds)...)
			loaded[i.Stack]++
			locks[i.Stack] = i.Lock
		}
	}
	var findings []compose.Finding
	for name, lock := range locks {
		if loaded[name] == len(s.hostsOf(name)) {
			findings = append(findings, images.Unused(name, lock, uses[name], keys[name])...)
		}
	}
	return compose.SortFindings(findings)
}

// hostsOf lists the hosts that run a stack.
func (s *Snapshot) hostsOf(stack string) []fleet.Host {
	return slices.DeleteFunc(slices.Clone(s.Fleet.Hosts), func(h fleet.Host) bool { return !slices.Contains(h.Stacks, stack) })
}

// Images is what a stack uses, on all hosts together.
type Images struct {
	Stack    string
	Hosts    int // that run it; a stack of none is loaded with its .env alone
	Uses     []images.Use
	Keys     []string // of what is built for it
	Lock     images.Lock
	Findings []compose.Finding // sorted by place; with an error among them Uses is incomplete
}

// Images finds out what images a stack uses: its hosts can differ in variables
// and in their compose.<host>.yaml.
func (s *Snapshot) Images(ctx context.Context, stack string) (Images, error) {
	hosts := s.hostsOf(stack)
	r := Images{Stack: stack, Hosts: len(hosts)}
	if len(hosts) == 0 {
		hosts = []fleet.Host{{}}
	}
	r.Lock, r.Findings = images.Read(s.Files, stack)
	for _, h := range hosts {
		versions := map[string]string{}
		if h.Name != "" {
			entries, err := s.Secrets(h.Name)
			if err != nil {
				return r, err
			}
			versions = Versions(entries)
		}
		loaded, findings := s.Stack(ctx, h, stack, versions)
		r.Findings = append(r.Findings, findings...)
		if loaded != nil {
			r.Uses = images.Join(r.Uses, images.Uses(loaded))
			builds, _ := images.Builds(loaded, s.Fleet.Registry.Images, images.PlatformOf(h.System))
			r.Keys = append(r.Keys, images.Keys(builds)...)
		}
	}
	r.Findings = compose.SortFindings(r.Findings)
	return r, ctx.Err()
}

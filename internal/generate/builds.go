package generate

import (
	"context"
	"slices"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/fleet"
)

// Builds is what a stack builds for some hosts.
type Builds struct {
	Stack    string
	Builds   []images.Build // for those hosts; one of several hosts is there several times
	Keys     []string       // of the recipes of all hosts that run it
	Lock     images.Lock
	Findings []compose.Finding // sorted by place; with an error among them the rest is incomplete
}

// Builds finds out what a stack builds for those of its hosts that are wanted.
func (s *Snapshot) Builds(ctx context.Context, stack string, wanted func(fleet.Host) bool) (Builds, error) {
	b := Builds{Stack: stack}
	b.Lock, b.Findings = images.Read(s.Files, stack)
	for _, h := range s.hostsOf(stack) {
		entries, err := s.Secrets(h.Name)
		if err != nil {
			return b, err
		}
		loaded, findings := s.Stack(ctx, h, stack, Versions(entries))
		b.Findings = append(b.Findings, findings...)
		if loaded == nil {
			continue
		}
		builds, findings := images.Builds(loaded, s.Fleet.Registry.Images, images.PlatformOf(h.System))
		b.Findings = append(b.Findings, findings...)
		b.Keys = append(b.Keys, images.Keys(builds)...)
		if wanted(h) {
			b.Builds = append(b.Builds, builds...)
		}
	}
	slices.Sort(b.Keys)
	b.Keys = append([]string{}, slices.Compact(b.Keys)...) // not nil: there may be none left
	b.Findings = compose.SortFindings(b.Findings)
	return b, ctx.Err()
}

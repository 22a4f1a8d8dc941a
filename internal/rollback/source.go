package rollback

import (
	"context"
	"errors"
	"fmt"

	"pistack/internal/deploy"
	"pistack/internal/nix"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// Machine is what a rollback asks of a machine, besides what a deploy does.
type Machine interface {
	Contents(ctx context.Context, system string) (target.Contents, error)
	Units(ctx context.Context, system string) (map[string]string, error)
	Activate(ctx context.Context, id, path, action string, line func(string)) error
	SwitchGeneration(ctx context.Context, id string, n int) error
}

// Source gives a deploy the system of a generation.
type Source struct {
	id         string // of the run, which holds the lock
	machine    Machine
	generation Generation
	contents   target.Contents
	units      map[string]nix.Unit
}

var _ deploy.Nix = (*Source)(nil)

// Open looks into the generation's system, which may have been deleted. Where
// Docker does not answer, which may be what somebody wants to go back from, no
// image is asked for.
func Open(ctx context.Context, id string, m Machine, g Generation, docker bool) (*Source, error) {
	if !nix.IsStorePath(g.Path) {
		return nil, &Error{Message: fmt.Sprintf("generation %d is no store path: %q", g.Number, g.Path), Fix: "choose another with --to"}
	}
	contents, err := m.Contents(ctx, g.Path)
	if err != nil {
		return nil, err
	}
	if !docker {
		contents.Images = nil
	}
	hashes, err := m.Units(ctx, g.Path)
	if err != nil {
		return nil, err
	}
	s := &Source{id: id, machine: m, generation: g, contents: contents, units: map[string]nix.Unit{}}
	for name, hash := range hashes {
		s.units[name] = nix.Unit{Hash: hash}
	}
	return s, nil
}

// Evaluate gives the generation's system. It has no derivation here.
func (s *Source) Evaluate(_ context.Context, host string, _ func(string)) (nix.System, error) {
	return nix.System{Host: host, Path: s.generation.Path}, nil
}

// Build has nothing to do: the machine has the system.
func (s *Source) Build(_ context.Context, systems []nix.System, _ func(string)) ([]bool, error) {
	built := make([]bool, len(systems))
	for i := range built {
		built[i] = true
	}
	return built, nil
}

// Closure is empty: nothing has to be copied.
func (s *Source) Closure(context.Context, string) ([]nix.Path, error) { return nil, nil }

// Images are those that the system runs; some may be gone from the machine.
func (s *Source) Images(string) ([]string, error) { return s.contents.Images, nil }

// Units are those of the system. What a switch does with each that differs is
// known by its text, which is not read: they count as restarted.
func (s *Source) Units(string) (map[string]nix.Unit, error) { return s.units, nil }

// Boots is the system's kernel.
func (s *Source) Boots(string) string { return s.contents.Kernel }

// Copy has nothing to do.
func (s *Source) Copy(context.Context, string, string, func(string)) error { return nil }

// Rebuild does on the machine what nixos-rebuild --rollback does: for an action
// that lasts, the profile is switched to the generation itself, so that no new one
// is made; then the system's own switch-to-configuration is run.
func (s *Source) Rebuild(ctx context.Context, r nix.Rebuild, line func(string)) error {
	if r.System != s.generation.Path {
		return fmt.Errorf("%s: asked for %s instead of generation %d", r.Host, r.System, s.generation.Number)
	}
	if r.Action == string(deploy.Switch) || r.Action == string(deploy.Boot) {
		if err := s.machine.SwitchGeneration(ctx, s.id, s.generation.Number); err != nil {
			return s.ended(ctx, r.Host, err)
		}
	}
	return s.ended(ctx, r.Host, s.machine.Activate(ctx, s.id, s.generation.Path, r.Action, line))
}

// ended tells a failure in the words of nixos-rebuild, which a deploy understands.
func (s *Source) ended(ctx context.Context, host string, err error) error {
	var exit *remote.ExitError
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case errors.As(err, &exit):
		return &nix.RebuildError{Host: host, Status: nix.Status(exit.Code), Last: exit.Last, Err: err}
	case remote.Is(err, remote.Lost), remote.Is(err, remote.Unreachable), remote.Is(err, remote.TimedOut):
		return &nix.RebuildError{Host: host, Status: nix.ConnectionLost, Err: err}
	}
	return err
}

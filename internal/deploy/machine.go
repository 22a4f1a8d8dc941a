package deploy

import (
	"context"
	"time"

	"pistack/internal/nix"
	"pistack/internal/target"
)

// Machine is one machine, as target.Machine reaches it over ssh.
type Machine interface {
	Probe(ctx context.Context) (target.State, error)
	Compare(ctx context.Context, w target.Wanted) (target.Difference, error)
	Missing(ctx context.Context, images []string) ([]string, error)
	Pull(ctx context.Context, images []string, line func(string)) error

	LockAndProbe(ctx context.Context, owner target.Owner) (target.State, error)
	Unlock(ctx context.Context, id string) error

	Arm(ctx context.Context, id string, deadline time.Duration, next string) (target.Before, error)
	Renew(ctx context.Context, id string) error
	Disarm(ctx context.Context, id string) error
	Undo(ctx context.Context, id string, line func(string)) (target.Outcome, error)
	Await(ctx context.Context, id string) (target.Outcome, error)

	Health(ctx context.Context, old, next string) (target.Health, error)
	Journal(ctx context.Context, unit string, lines int) ([]string, error)
	ContainerLog(ctx context.Context, id string, lines int) ([]string, error)
	Conclude(ctx context.Context, id string, receipt []byte) error
}

// Nix is the workstation's Nix and nixos-rebuild, as nix.Tool runs them.
type Nix interface {
	Evaluate(ctx context.Context, host string, line func(string)) (nix.System, error)
	Build(ctx context.Context, systems []nix.System, line func(string)) ([]bool, error)
	Closure(ctx context.Context, system string) ([]nix.Path, error)
	Images(system string) ([]string, error)
	Units(system string) (map[string]nix.Unit, error)
	Boots(system string) string // the kernel, as a store path; "" for a system without one
	Copy(ctx context.Context, host, system string, line func(string)) error
	Rebuild(ctx context.Context, r nix.Rebuild, line func(string)) error
}

// Delivery brings images to a machine that no registry has.
type Delivery interface {
	// Own tells which of the images are not to be pulled from anywhere.
	Own(images []string) []string
	Send(ctx context.Context, host string, images []string, line func(string)) error
}

// Archive keeps what the user may want to read later, on the workstation.
type Archive interface {
	Log(host string) func(line string) // "" for the part of a run that is not one host's
	LogFile(host string) string        // "" when nothing was written
	Receipt(host string, receipt []byte) error
}

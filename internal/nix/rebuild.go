package nix

import (
	"context"
	"errors"
	"fmt"
	"strings"

	"pistack/internal/run"
)

// CopyCommand copies a built system to a machine's store.
func (t Tool) CopyCommand(host, system string) run.Command {
	argv := []string{"nix-copy-closure"}
	if t.Substitute {
		argv = append(argv, "--use-substitutes")
	}
	return t.towards(host, append(argv, "--to", host, system)...)
}

// Copy runs CopyCommand.
func (t Tool) Copy(ctx context.Context, host, system string, line func(string)) error {
	defer t.Hold(host)()
	if err := run.Stream(ctx, t.CopyCommand(host, system), line); err != nil {
		return explain(host, "the system could not be copied", err)
	}
	return nil
}

// Rebuild is one call of nixos-rebuild.
type Rebuild struct {
	Action string // switch, boot, test or dry-activate
	Host   string // name in the flake and in the ssh configuration
	System string // built already: it is deployed as it is
	Sudo   bool   // the ssh user is not root
}

// RebuildCommand deploys exactly the system that was built.
func (t Tool) RebuildCommand(r Rebuild) run.Command { return t.rebuild(r, "--store-path", r.System) }

// FlakeRebuildCommand is the same for a nixos-rebuild that has no --store-path
// yet; it evaluates the repository once more.
func (t Tool) FlakeRebuildCommand(r Rebuild) run.Command {
	return t.rebuild(r, "--flake", ".#"+r.Host)
}

func (t Tool) rebuild(r Rebuild, source ...string) run.Command {
	argv := append([]string{"nixos-rebuild", r.Action, "--no-reexec"}, source...)
	argv = append(argv, "--target-host", r.Host)
	if r.Sudo {
		argv = append(argv, "--sudo")
	}
	return t.towards(r.Host, argv...)
}

// Rebuild runs nixos-rebuild. An error is a *RebuildError where the program ran
// at all.
func (t Tool) Rebuild(ctx context.Context, r Rebuild, line func(string)) error {
	defer t.Hold(r.Host)()
	err := run.Stream(ctx, t.RebuildCommand(r), line)
	if lacksStorePath(err) {
		line("this nixos-rebuild has no --store-path: it evaluates the flake once more")
		err = run.Stream(ctx, t.FlakeRebuildCommand(r), line)
	}
	var failed *run.Error
	switch {
	case err == nil:
		return nil
	case ctx.Err() != nil:
		return context.Cause(ctx)
	case !errors.As(err, &failed):
		return fmt.Errorf("%s: %w", r.Host, err)
	case failed.Code < 0 && failed.Hint() != "":
		return &Error{Message: fmt.Sprintf("%s: %v", r.Host, err), Fix: "nixos-rebuild is in the development shell: nix develop", Err: err}
	}
	return &RebuildError{Host: r.Host, Status: Status(failed.Code), Last: failed.Last, Err: err}
}

// lacksStorePath tells whether nixos-rebuild is older than its option
// --store-path (January 2026); then it has done nothing.
func lacksStorePath(err error) bool {
	var failed *run.Error
	if !errors.As(err, &failed) || failed.Code != 1 && failed.Code != 2 {
		return false
	}
	for _, line := range failed.Last {
		if strings.Contains(line, "unrecognized arguments: --store-path") || strings.Contains(line, "unknown option '--store-path'") {
			return true
		}
	}
	return false
}

// Status is how nixos-rebuild ended: the exit status of the step that failed,
// which is that of switch-to-configuration for most.
type Status int

// What switch-to-configuration, ssh and nixos-rebuild end with.
const (
	CheckFailed      Status = 1   // a check before the switch, the boot loader, or anything before
	ActivationFailed Status = 2   // an activation script; the rest of the switch was done
	UnitsFailed      Status = 4   // the system is switched, and units failed
	AlreadyRunning   Status = 11  // another switch is at work
	NeedsReboot      Status = 100 // the system cannot be switched to while running
	Panicked         Status = 101 // the program lost its output, or failed within
	ConnectionLost   Status = 255 // ssh: how far it got is unknown
)

// NothingChanged tells whether the machine certainly still runs the old system.
func (s Status) NothingChanged() bool { return s == AlreadyRunning || s == NeedsReboot }

func (s Status) String() string {
	switch s {
	case CheckFailed:
		return "a check before the switch failed, or the boot loader could not be installed"
	case ActivationFailed:
		return "an activation step failed"
	case UnitsFailed:
		return "units failed"
	case AlreadyRunning:
		return "another switch is running on the host"
	case NeedsReboot:
		return "the new system takes effect after a reboot only"
	case Panicked:
		return "switch-to-configuration broke off"
	case ConnectionLost:
		return "the connection was lost"
	}
	return "nixos-rebuild failed"
}

// RebuildError is a nixos-rebuild that did not end with 0.
type RebuildError struct {
	Host   string
	Status Status
	Last   []string // its last lines
	Err    error
}

func (e *RebuildError) Error() string {
	return fmt.Sprintf("%s: %s (nixos-rebuild: exit status %d)", e.Host, e.Status, int(e.Status))
}

func (e *RebuildError) Unwrap() error { return e.Err }

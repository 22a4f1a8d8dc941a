// Package deploy brings a host to what the repository says, with nixos-rebuild.
//
// The package decides nothing about NixOS: it makes the ssh configuration in
// which the host's pinned key is the only one that will do, asks the host
// whether it is the machine it should be, and runs one nixos-rebuild. Plan
// computes what would be run, Run runs it.
package deploy

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"

	"pistack/internal/fleet"
	"pistack/internal/run"
)

// Target is a host to deploy to and how to reach it.
type Target struct {
	Host         fleet.Host
	PublicKey    string // the pinned key, "ssh-ed25519 AAAA…"
	Root         string // the fleet's root, where nixos-rebuild runs
	StateDir     string // folder for generated ssh files
	IdentityFile string // private key for ssh; empty for ssh's own choice
	UserConfig   string // the user's ~/.ssh/config; empty for none
}

// Plan is what a deploy will run, in order.
type Plan struct {
	Target  Target
	Probe   run.Command // asks the host what it is; changes nothing
	Rebuild run.Command // the nixos-rebuild command line
	files   sshFiles
}

// NewPlan computes the commands of a deploy. Nothing is written or run.
func NewPlan(t Target) (*Plan, error) {
	files, err := sshFilesIn(t.StateDir)
	if err != nil {
		return nil, err
	}
	argv := []string{"nixos-rebuild", "switch", "--no-reexec", "--flake", ".#" + t.Host.Name,
		"--target-host", t.Host.User + "@" + t.Host.Name}
	if t.Host.User != "root" {
		argv = append(argv, "--sudo")
	}
	return &Plan{
		Target:  t,
		Probe:   run.Command{Argv: []string{"ssh", "-F", files.Config, t.Host.Name, "uname -m"}},
		Rebuild: run.Command{Argv: argv, Dir: t.Root, Env: []string{"NIX_SSHOPTS=-F " + files.Config}},
		files:   files,
	}, nil
}

// Prepare writes the ssh configuration that the commands name.
func (p *Plan) Prepare() error {
	if err := p.files.write(p.Target); err != nil {
		return fmt.Errorf("generated ssh configuration: %w", err)
	}
	return nil
}

// Run carries out a plan. Every line that nixos-rebuild writes goes to line.
func (p *Plan) Run(ctx context.Context, phase, line func(text string)) error {
	if err := p.Prepare(); err != nil {
		return err
	}
	phase("asking whether it is the pinned machine")
	if err := p.probe(ctx); err != nil {
		return err
	}
	phase("building, copying and switching")
	if err := run.Stream(ctx, p.Rebuild, line); err != nil {
		return p.rebuildError(ctx, err)
	}
	return nil
}

// probe connects before anything is built: a wrong key, an unreachable host or
// another architecture is then known at once.
func (p *Plan) probe(ctx context.Context) error {
	out, err := run.Output(ctx, p.Probe)
	if err != nil {
		return p.sshError(ctx, err)
	}
	machine := strings.TrimSpace(string(out))
	if want := strings.TrimSuffix(p.Target.Host.System, "-linux"); machine != want {
		return &Error{
			Message: fmt.Sprintf("%s: system is %q, but the machine says it is %q", p.Target.Host.File(), p.Target.Host.System, machine),
			Fix:     "correct system in host.toml, or address if this is another machine",
		}
	}
	return nil
}

// Error is a deploy that did not happen or did not succeed.
type Error struct {
	Message string
	Fix     string
	Err     error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; the command line prints it below the error.
func (e *Error) Hint() string { return e.Fix }

// sshError explains why the host could not be asked.
func (p *Plan) sshError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed *run.Error
	if !errors.As(err, &failed) || failed.Code != 255 {
		return fmt.Errorf("%s: %w", p.Target.Host.Name, err)
	}
	said := strings.Join(failed.Last, "\n")
	h := p.Target.Host
	switch {
	case strings.Contains(said, "Host key verification failed"), strings.Contains(said, "REMOTE HOST IDENTIFICATION HAS CHANGED"):
		return &Error{
			Message: fmt.Sprintf("%s: the machine at %s does not have the pinned host key (%s/%s); no command was run on it", h.Name, h.Address, h.Dir(), fleet.KeyFile),
			Fix:     fmt.Sprintf("if the machine was replaced: pisec host-key %s --from-ssh %s, then pisec rekey %s; if not, somebody may be between you and it", h.Name, net.JoinHostPort(h.Address, fmt.Sprint(h.Port)), h.Name),
			Err:     err,
		}
	case strings.Contains(said, "Permission denied"):
		return &Error{
			Message: fmt.Sprintf("%s: %s@%s does not accept your ssh key", h.Name, h.User, h.Address),
			Fix:     "name another with --identity-file, or add yours to the host's authorized keys",
			Err:     err,
		}
	}
	return &Error{
		Message: fmt.Sprintf("%s: cannot be reached at %s port %d: %s", h.Name, h.Address, h.Port, lastLine(failed.Last)),
		Fix:     "check that it runs, and address and [ssh] port in " + h.File(),
		Err:     err,
	}
}

// rebuildError explains an exit status of nixos-rebuild, which is that of the
// step that failed; most come from switch-to-configuration.
func (p *Plan) rebuildError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	name := p.Target.Host.Name
	var failed *run.Error
	if !errors.As(err, &failed) {
		return fmt.Errorf("%s: %w", name, err)
	}
	if failed.Code < 0 {
		return &Error{
			Message: fmt.Sprintf("%s: %v", name, err),
			Fix:     "nixos-rebuild is in the development shell: nix develop",
			Err:     err,
		}
	}
	message, fix := rebuildStatus(failed.Code)
	return &Error{Message: fmt.Sprintf("%s: %s (nixos-rebuild: exit status %d)", name, message, failed.Code), Fix: fix, Err: err}
}

// rebuildStatus puts an exit status in words (switch-to-configuration-ng).
func rebuildStatus(code int) (message, fix string) {
	switch code {
	case 2:
		return "the new system is active, but an activation step failed", "see the lines above; running deploy again is safe"
	case 4:
		return "the new system is active, but units failed", "on the host: systemctl --failed, and journalctl -u UNIT; after correcting the cause, deploy again: it tries every stack anew"
	case 11:
		return "another switch is running on the host; nothing was changed", "wait for it to end and deploy again"
	case 100:
		return "the new system takes effect after a reboot", "reboot the host"
	case 255:
		return "the connection was lost; how far the switch got is not known", "deploy again: it resumes where it stopped"
	}
	return "the deploy failed; the host runs what it ran before unless the lines above say otherwise", "deploy again after correcting the cause"
}

func lastLine(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		if strings.TrimSpace(lines[i]) != "" {
			return strings.TrimSpace(lines[i])
		}
	}
	return "no reason given"
}

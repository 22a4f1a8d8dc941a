// Package nix evaluates, builds and copies the systems of a fleet with the
// user's own Nix, and knows how nixos-rebuild is called and what its exit
// statuses mean.
//
// Nothing here decides what happens to a machine. Only commands are used that
// every Nix since 2.8 has, in the same form.
package nix

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"pistack/internal/run"
)

// System is the system of a host, as an evaluation gave it.
type System struct {
	Host       string
	Derivation string // store path of the .drv
	Path       string // store path of what it builds, known before it is built
}

// Tool runs Nix in a fleet's folder.
type Tool struct {
	Root       string // the folder of flake.nix
	BuildHost  string // [USER@]HOST that builds instead of this machine; "" for Nix's own settings
	Substitute bool   // machines fetch from binary caches what these have

	// SSHOptions are those of every ssh to a machine: words without spaces or
	// quotes, for NIX_SSHOPTS has no quoting.
	SSHOptions func(host string) []string
	// Hold keeps the connection that they name open until done is called.
	Hold func(host string) (done func())
}

// buildSystems are what a build host is trusted to build: those of the machines.
const buildSystems = "aarch64-linux,x86_64-linux"

// features are what a fleet needs, whatever nix.conf of the workstation says.
var features = [...]string{"--extra-experimental-features", "nix-command flakes"}

// Attribute is the flake's attribute of a host's system.
func Attribute(host string) string {
	return `.#nixosConfigurations."` + host + `".config.system.build.toplevel`
}

// EvaluateCommand gives the derivation of a host. "path-info" is answered from
// the evaluation cache where the work tree is clean.
func (t Tool) EvaluateCommand(host string) run.Command {
	return t.command(append(append([]string{"nix"}, features[:]...), "path-info", "--derivation", Attribute(host))...)
}

// Evaluate tells which system the repository says for a host. Warnings and
// traces go to line. It takes about 1.7 GB and 13 s of one core, a process each,
// so that memory is free again afterwards.
func (t Tool) Evaluate(ctx context.Context, host string, line func(string)) (System, error) {
	drv, err := t.storePath(ctx, t.EvaluateCommand(host), line)
	if err != nil {
		return System{}, explain(host, "could not be evaluated", err)
	}
	out, err := t.storePath(ctx, t.command("nix-store", "--query", "--outputs", drv), line)
	if err != nil {
		return System{}, explain(host, "could not be evaluated", err)
	}
	return System{Host: host, Derivation: drv, Path: out}, nil
}

// BuildCommand builds all systems at once: what they share is built once, and
// Nix spreads the work over remote builders. nix-store, because a derivation is
// written differently for "nix build" in different versions of Nix.
func (t Tool) BuildCommand(systems []System) run.Command {
	argv := []string{"nix-store", "--realise", "--keep-going"}
	if t.BuildHost != "" {
		argv = append(argv, "--max-jobs", "0", "--option", "builders", "ssh-ng://"+t.BuildHost+" "+buildSystems+" - 8 1 big-parallel,benchmark,kvm,nixos-test")
	}
	for _, s := range systems {
		argv = append(argv, s.Derivation)
	}
	return t.command(argv...)
}

// Build builds all that can be built. The result tells for each system whether
// it is there; the error is that of Nix, and says why one is not.
func (t Tool) Build(ctx context.Context, systems []System, line func(string)) ([]bool, error) {
	built := make([]bool, len(systems))
	if len(systems) == 0 {
		return built, nil
	}
	failure := run.Stream(ctx, t.BuildCommand(systems), line)
	for i, s := range systems {
		if ctx.Err() != nil {
			return built, ctx.Err()
		}
		if built[i] = failure == nil; !built[i] { // it ends well only when all are there
			_, err := run.Output(ctx, t.command("nix-store", "--check-validity", s.Path))
			built[i] = err == nil
		}
	}
	return built, failure
}

// Keep makes a link to a system that keeps it from being collected as garbage.
func (t Tool) Keep(ctx context.Context, path, link string) error {
	_, err := run.Output(ctx, t.command("nix-store", "--realise", path, "--add-root", link, "--indirect"))
	return err
}

// storePath runs a command whose answer is one store path.
func (t Tool) storePath(ctx context.Context, c run.Command, line func(string)) (string, error) {
	var paths []string
	err := run.Stream(ctx, c, func(text string) {
		if IsStorePath(text) {
			paths = append(paths, text)
			return
		}
		line(text)
	})
	if err == nil && len(paths) != 1 {
		err = fmt.Errorf("%s: gave %d store paths, want one", c.Argv[0], len(paths))
	}
	if err != nil {
		return "", err
	}
	return paths[0], nil
}

func (t Tool) command(argv ...string) run.Command {
	return run.Command{Argv: argv, Dir: t.Root, OwnGroup: true}
}

// grace is short for commands that connect to a machine: they end at once, but the
// process of the shared connection holds their streams for as long as something
// runs there.
const grace = 3 * time.Second

// towards is a command that connects to a machine.
func (t Tool) towards(host string, argv ...string) run.Command {
	c := t.command(argv...)
	c.Grace = grace
	c.Env = []string{"NIX_SSHOPTS=" + strings.Join(t.SSHOptions(host), " ")}
	return c
}

// Error is something that Nix could not do for a host.
type Error struct {
	Message string
	Fix     string
	Last    []string // what Nix said last
	Err     error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; the command line prints it below the error.
func (e *Error) Hint() string { return e.Fix }

// explain says whose system it was; what Nix wrote last comes along.
func explain(host, what string, err error) error {
	var failed *run.Error
	if !errors.As(err, &failed) {
		return fmt.Errorf("%s: %s: %w", host, what, err)
	}
	e := &Error{Message: fmt.Sprintf("%s: %s (%v)", host, what, err), Fix: failed.Hint(), Last: failed.Last, Err: err}
	if reason := Reason(failed.Last); reason != "" {
		e.Message = fmt.Sprintf("%s: %s: %s", host, what, reason)
	}
	return e
}

// Reason is the line in which Nix says what went wrong, without "error:"; "" for
// none. The last one is the cause, those before say what was being done.
func Reason(lines []string) string {
	for i := len(lines) - 1; i >= 0; i-- {
		text, found := strings.CutPrefix(strings.TrimSpace(lines[i]), "error: ")
		if found {
			return strings.TrimSpace(text)
		}
	}
	return ""
}

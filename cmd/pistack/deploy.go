package main

import (
	"crypto/sha256"
	"encoding/hex"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/run"
)

func deployCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "deploy",
		Usage:     "bring a host to what the repository says, with nixos-rebuild",
		ArgsUsage: "HOST",
		Description: `Checks the stacks, refuses stale or untracked files, connects with the pinned
host key only, and runs nixos-rebuild switch.

Examples:
  pistack deploy rpi-box-01
  pistack deploy rpi-box-01 --explain     print the commands and stop
  pistack deploy rpi-box-01 --yes         without asking`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			cli.YesFlag(),
			cli.DryRunFlag(),
			&ucli.BoolFlag{Name: "explain", Usage: "like --dry-run, and print the commands so that you could run them by hand"},
			&ucli.PathFlag{Name: "identity-file", Aliases: []string{"i"}, EnvVars: []string{"PISTACK_SSH_IDENTITY"}, Usage: "ssh with the private key in `FILE`"},
		},
		BashComplete: cli.CompleteHosts,
		Action:       deployHost,
	}
}

func deployHost(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 1, 1)
	if err != nil {
		return err
	}
	if err := ready(c, f, host); err != nil {
		return err
	}
	target, err := targetOf(c, f, host)
	if err != nil {
		return err
	}
	plan, err := deploy.NewPlan(target)
	if err != nil {
		return err
	}
	showPlan(c, plan)
	if c.Bool("explain") {
		return plan.Prepare() // so that the commands can be run by hand
	}
	if c.Bool("dry-run") {
		return nil
	}
	if err := cli.Agree(c, "Deploy to "+host.Name+"?"); err != nil {
		return err
	}
	return apply(c, plan)
}

// ready refuses a host whose generated files are not what the stacks say now,
// or not all visible to the flake.
func ready(c *ucli.Context, f *fleet.Fleet, host fleet.Host) error {
	w, err := generate.Open(c.Context, f, openMemo())
	if err != nil {
		return err
	}
	defer w.Close()
	results, err := loadAll(c, w, []fleet.Host{host})
	if err != nil {
		return err
	}
	if err := refuseErrors(c, results, "nothing was deployed"); err != nil {
		return err
	}
	changes, err := w.Plan(results[0])
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		return &deploy.Error{
			Message: fmt.Sprintf("%s: is stale (%s %s)", generate.Dir(host), changes[0].Action, changes[0].File),
			Fix:     fmt.Sprintf("pistack generate %s && git add hosts/%s", host.Name, host.Name),
		}
	}
	if missing := w.NotTracked(results[0]); len(missing) > 0 {
		return &deploy.Error{
			Message: fmt.Sprintf("%s: Git does not track it, so the flake would not see it", strings.Join(missing, ", ")),
			Fix:     "git add " + strings.Join(missing, " "),
		}
	}
	return nil
}

func targetOf(c *ucli.Context, f *fleet.Fleet, host fleet.Host) (deploy.Target, error) {
	key, err := host.PublicKey()
	if err != nil {
		return deploy.Target{}, err
	}
	state, err := stateDir(f.Root, host.Name)
	if err != nil {
		return deploy.Target{}, err
	}
	t := deploy.Target{Host: host, PublicKey: key, Root: f.Root, StateDir: state}
	if file := c.Path("identity-file"); file != "" {
		if _, err := os.Stat(file); err != nil {
			return t, fmt.Errorf("--identity-file: %w", err)
		}
		if t.IdentityFile, err = filepath.Abs(file); err != nil {
			return t, err
		}
	}
	if home, err := os.UserHomeDir(); err == nil {
		t.UserConfig = filepath.Join(home, ".ssh", "config")
	}
	return t, nil
}

// stateDir is the host's folder below the user's state directory. Two clones
// of a fleet do not share one.
func stateDir(root, host string) (string, error) {
	base := os.Getenv("XDG_STATE_HOME")
	if !filepath.IsAbs(base) { // unset, or to be ignored by the XDG specification
		home, err := os.UserHomeDir()
		if err != nil {
			return "", errors.New("neither XDG_STATE_HOME nor HOME is set: there is no place for the generated ssh configuration")
		}
		base = filepath.Join(home, ".local", "state")
	}
	sum := sha256.Sum256([]byte(root))
	return filepath.Join(base, "pistack", hex.EncodeToString(sum[:6]), host), nil
}

func showPlan(c *ucli.Context, p *deploy.Plan) {
	h := p.Target.Host
	fmt.Fprintf(c.App.Writer, "%s: nixos-rebuild switch on %s@%s port %d, stacks: %s\n",
		h.Name, h.User, h.Address, h.Port, strings.Join(h.Stacks, ", "))
	if c.Bool("explain") {
		fmt.Fprintf(c.App.Writer, "%s\n", p.Probe)
		fmt.Fprintf(c.App.Writer, "(cd %s && %s)\n", run.Quote(p.Target.Root), p.Rebuild)
	}
}

// apply runs the plan with a line for each phase and every line of the child.
func apply(c *ucli.Context, p *deploy.Plan) error {
	name, start := p.Target.Host.Name, time.Now()
	phase := func(text string) {
		fmt.Fprintf(c.App.ErrWriter, "%s: %s (%.0f s)\n", name, text, time.Since(start).Seconds())
	}
	line := func(text string) { fmt.Fprintf(c.App.ErrWriter, "%s | %s\n", name, text) }
	if err := p.Run(c.Context, phase, line); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: deployed in %.0f s\n", name, time.Since(start).Seconds())
	return nil
}

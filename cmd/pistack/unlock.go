package main

import (
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/target"
	"pistack/internal/view"
)

func unlockCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "unlock",
		Usage:     "take a host's lock away from a deploy that is dead",
		ArgsUsage: "HOST",
		Description: `Shows who locked the host, since when, and whether an undo timer is armed there; then
asks, and breaks the lock. A deploy that is not dead after all notices at its next step
and stops. A reboot of the host clears the lock as well.

An armed undo timer stays armed: when it runs out, the host goes back to exactly what
it ran before that deploy. No other deploy begins until then.

Examples:
  pistack unlock rpi-box-01
  pistack unlock rpi-box-01 --yes`,
		Flags:        []ucli.Flag{cli.FleetFlag(), cli.YesFlag(), identityFlag()},
		BashComplete: cli.CompleteHosts,
		Action:       unlockHost,
	}
}

func unlockHost(c *ucli.Context) error {
	f, h, err := cli.LoadHost(c, 1, 1)
	if err != nil {
		return err
	}
	m, err := openMachines(c, f, []fleet.Host{h})
	if err != nil {
		return err
	}
	defer m.Close()
	state, err := m.machine(h.Name).Probe(c.Context)
	if err != nil {
		return err
	}
	if err := view.LockText(c.App.Writer, h.Name, state); err != nil || state.Lock == nil {
		return err
	}
	if err := cli.Agree(c, "Break the lock of "+h.Name+"?"); err != nil {
		return err
	}
	broken, err := m.machine(h.Name).BreakLock(c.Context)
	if err != nil {
		return err
	}
	return sayUnlocked(c, h.Name, *state.Lock, broken)
}

// sayUnlocked says whose lock it was in the end: while somebody thought about it, it
// may have become another's.
func sayUnlocked(c *ucli.Context, host string, seen, broken target.Owner) error {
	switch broken.ID {
	case "":
		fmt.Fprintf(c.App.Writer, "%s: the lock was given back meanwhile\n", host)
	case seen.ID:
		fmt.Fprintf(c.App.Writer, "%s: unlocked\n", host)
	default:
		fmt.Fprintf(c.App.Writer, "%s: unlocked; meanwhile the lock was another's:\n", host)
		return view.LockText(c.App.Writer, host, target.State{Lock: &broken})
	}
	return nil
}

package main

import (
	"context"
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/deploy"
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

Where an undo timer is armed, the host is first brought back to exactly what it ran
before that deploy: the timer would do so later, and no other deploy begins until then.

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
	pending := state.Undo == "armed" || state.Undo == "fired"
	if err := view.LockText(c.App.Writer, h.Name, state); err != nil || state.Lock == nil && !pending {
		return err
	}
	if pending {
		if err := cli.Agree(c, "Bring "+h.Name+" back to what it ran before, and break the lock?"); err != nil {
			return err
		}
		return undoNow(c, m.machine(h.Name), state)
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

// undoNow does what an armed timer would do later, which also gives the lock back.
func undoNow(c *ucli.Context, m target.Machine, state target.State) error {
	ctx, cancel := context.WithTimeout(c.Context, deploy.DefaultTiming().Undo)
	defer cancel()
	outcome, err := m.Undo(ctx, state.UndoID, func(string) {})
	if errors.Is(err, target.ErrFired) {
		outcome, err = m.Await(ctx, state.UndoID)
	}
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "%s: is back; it runs %s\n", m.Host(), outcome.Running)
	if state.Lock == nil || state.Lock.ID == state.UndoID {
		return nil
	}
	broken, err := m.BreakLock(c.Context)
	if err != nil {
		return err
	}
	return sayUnlocked(c, m.Host(), *state.Lock, broken)
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

package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/reboot"
	"pistack/internal/view"
)

func rebootCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "reboot",
		Usage:     "reboot hosts, one after another",
		ArgsUsage: "HOST|GLOB|@TAG|!NOT…",
		Description: `Takes the host's lock, so that no deploy is at work, reboots it, and waits until it
answers as another boot, all its units have been started, it runs the system that its
profile names, and no unit fails that had not failed before. Only then is it the next
one's turn: the first that does not come back as it was ends the run, and the command
exits with 3.

Examples:
  pistack reboot rpi-box-01
  pistack reboot '@lab' --yes
  pistack reboot rpi-box-03 --limit 20m     its file system check takes long`,
		Flags: []ucli.Flag{
			cli.FleetFlag(), cli.YesFlag(), cli.JSONFlag(), identityFlag(),
			&ucli.DurationFlag{Name: "limit", Value: reboot.DefaultTiming().Back, Usage: "how long a host may take until it answers again"},
			&ucli.DurationFlag{Name: "settle", Value: reboot.DefaultTiming().Settle, Usage: "how long its units may take from then on"},
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       rebootHosts,
	}
}

func rebootHosts(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, -1); err != nil {
		return err
	}
	timing := reboot.DefaultTiming()
	for name, d := range map[string]*time.Duration{"limit": &timing.Back, "settle": &timing.Settle} {
		if *d = c.Duration(name); *d < time.Second || *d > 24*time.Hour {
			return cli.Usage("--%s is a time between 1s and 24h", name)
		}
	}
	f, hosts, err := selectHosts(c)
	if err != nil {
		return err
	}
	if err := cli.Agree(c, "Reboot "+someHosts(hosts)+", one after another?"); err != nil {
		return err
	}
	m, err := openMachines(c, f, hosts)
	if err != nil {
		return err
	}
	defer m.Close()
	run, err := m.rebootRun(c, f, timing)
	if err != nil {
		return err
	}
	return rebootEnd(c, run.All(c.Context, namesOf(hosts)))
}

func namesOf(hosts []fleet.Host) []string {
	names := make([]string, len(hosts))
	for i, h := range hosts {
		names[i] = h.Name
	}
	return names
}

// someHosts names hosts, or counts many.
func someHosts(hosts []fleet.Host) string {
	if len(hosts) > 5 {
		return cli.Count(len(hosts), "host")
	}
	return strings.Join(namesOf(hosts), ", ")
}

func (m *machines) rebootRun(c *ucli.Context, f *fleet.Fleet, timing reboot.Timing) (reboot.Run, error) {
	state, err := git.ReadState(c.Context, f.Root)
	if err != nil {
		return reboot.Run{}, err
	}
	o := owner(state)
	o.ID = rand.Text()
	return reboot.Run{
		Owner: o, Timing: timing, Now: time.Now,
		Machine: func(host string) reboot.Machine { return m.machine(host) },
		Say:     func(host, text string) { fmt.Fprintf(c.App.ErrWriter, "%s: %s\n", host, text) },
		Wait: func(ctx context.Context, d time.Duration) bool {
			select {
			case <-ctx.Done():
				return false
			case <-time.After(d):
				return true
			}
		},
	}, nil
}

func rebootEnd(c *ucli.Context, results []reboot.Result) error {
	show := func() error { return view.RebootText(c.App.Writer, results, colour(os.Stdout)) }
	if c.Bool("json") {
		show = func() error { return view.RebootJSON(c.App.Writer, results) }
	}
	if err := show(); err != nil {
		return err
	}
	if c.Context.Err() != nil {
		return &cli.StatusError{Status: cli.ExitInterrupted}
	}
	for _, r := range results {
		if !r.Done {
			return cli.Differences()
		}
	}
	return nil
}

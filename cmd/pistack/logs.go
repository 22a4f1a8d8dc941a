package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/remote"
	"pistack/internal/target"
	"pistack/internal/view"
)

func logsCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "logs",
		Usage:     "show what the containers of a stack wrote",
		ArgsUsage: "HOST STACK",
		Description: `Prints the last lines of "docker compose logs" of the stack, as it runs on the host, or
with --unit of the systemd unit that starts it. With -f it goes on until Ctrl-C. Takes
no lock, so it works while a deploy runs. On a terminal, control sequences that a
container wrote are taken out; in a pipe or a file, lines come as they are.

Examples:
  pistack logs rpi-box-01 chat
  pistack logs rpi-box-01 chat -f --lines 20
  pistack logs rpi-box-01 chat --since 30m
  pistack logs rpi-box-01 chat --unit      why "docker compose up" failed`,
		Flags: []ucli.Flag{
			cli.FleetFlag(), identityFlag(),
			&ucli.BoolFlag{Name: "follow", Aliases: []string{"f"}, Usage: "go on with lines to come, until Ctrl-C"},
			&ucli.IntFlag{Name: "lines", Value: 100, Usage: "the last `N` lines of each container; -1 for all"},
			&ucli.StringFlag{Name: "since", Usage: "lines of the last `TIME` only: 90s, 30m, 2h, or since 2026-11-24T18:00:00Z"},
			&ucli.BoolFlag{Name: "timestamps", Aliases: []string{"t"}, Usage: "begin each line with its time"},
			&ucli.BoolFlag{Name: "unit", Usage: "the journal of the stack's systemd unit instead"},
		},
		BashComplete: completeStackOfHost,
		Action:       showLogs,
	}
}

// completeStackOfHost offers hosts, and then the stacks of the host.
func completeStackOfHost(c *ucli.Context) {
	if c.NArg() == 0 {
		cli.CompleteHosts(c)
		return
	}
	f, err := cli.LoadFleet(c)
	if err != nil || c.NArg() > 1 {
		return
	}
	if h, err := f.Host(c.Args().First()); err == nil {
		fmt.Fprintln(c.App.Writer, strings.Join(h.Stacks, "\n"))
	}
}

func showLogs(c *ucli.Context) error {
	o, err := logsWanted(c, time.Now())
	if err != nil {
		return err
	}
	f, h, err := cli.LoadHost(c, 2, 2)
	if err != nil {
		return err
	}
	stack := c.Args().Get(1)
	if err := hasStack(h, stack); err != nil {
		return err
	}
	m, err := openMachines(c, f, []fleet.Host{h})
	if err != nil {
		return err
	}
	defer m.Close()
	out := view.NewOutput(c.App.Writer, term.IsTerminal(int(os.Stdout.Fd())))
	err = m.machine(h.Name).Logs(c.Context, stack, o, func(text string) { out.Line("", text) })
	var exit *remote.ExitError
	switch {
	case c.Context.Err() != nil && o.Follow:
		return nil // that is how it ends
	case errors.As(err, &exit): // what it said is above
		return fmt.Errorf("%s: reading the log of %s: exit status %d", h.Name, stack, exit.Code)
	}
	return err
}

func hasStack(h fleet.Host, stack string) error {
	if slices.Contains(h.Stacks, stack) {
		return nil
	}
	fix := "it runs none"
	if len(h.Stacks) > 0 {
		fix = "it runs " + strings.Join(h.Stacks, ", ")
	}
	return &fleet.Problem{File: h.File(), Message: fmt.Sprintf("has no stack %q", stack), Fix: fix}
}

func logsWanted(c *ucli.Context, now time.Time) (target.Output, error) {
	o := target.Output{Lines: c.Int("lines"), Follow: c.Bool("follow"), Unit: c.Bool("unit"), Stamps: c.Bool("timestamps")}
	if o.Lines < -1 {
		return o, cli.Usage("--lines %d: is neither a number of lines nor -1, for all", o.Lines)
	}
	if c.IsSet("since") {
		since, err := sinceOf(c.String("since"), now)
		if err != nil {
			return o, err
		}
		o.Since = since
		if !c.IsSet("lines") {
			o.Lines = -1
		}
	}
	return o, nil
}

// longest is how far back a log is asked for.
const longest = 10 * 365 * 24 * time.Hour

// sinceOf reads how long ago a time is. The machine's own clock counts back from
// there.
func sinceOf(text string, now time.Time) (time.Duration, error) {
	d, err := time.ParseDuration(text)
	if err != nil {
		at, wrong := time.Parse(time.RFC3339, text)
		if wrong != nil {
			return 0, cli.Usage("--since %q is neither a time like 30m or 2h nor one like 2026-11-24T18:00:00Z", text)
		}
		d = now.Sub(at)
	}
	if d <= 0 || d > longest {
		return 0, cli.Usage("--since %s: is not in the past, or too long ago", text)
	}
	return d, nil
}

package main

import (
	"errors"
	"fmt"
	"os"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"
	"golang.org/x/term"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/remote"
	"pistack/internal/view"
)

func execCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "exec",
		Usage:     "run a program on hosts, to look at something",
		ArgsUsage: "HOST|GLOB|@TAG|!NOT… -- PROGRAM [ARGUMENT…]",
		Description: `Runs the program as root on all chosen hosts at once, with exactly these arguments and
no shell in between, and prints each line behind the host's name. The program's input
is empty. Exits with 3 when it failed somewhere, and says where.

It is for looking. What is changed this way does not last: NixOS makes a machine what
the repository says with the next deploy.

Examples:
  pistack exec '@lab' -- docker ps
  pistack exec rpi-box-01 -- journalctl -b -n 50 -u docker
  pistack exec 'rpi-*' -- sh -c 'df -h / | tail -n 1'
  pistack exec '@lab' --json -- uname -r`,
		Flags: []ucli.Flag{
			cli.FleetFlag(), cli.JSONFlag(), parallelFlag(), identityFlag(),
			&ucli.DurationFlag{Name: "timeout", Value: 10 * time.Minute, Usage: "give up on a host after `TIME`; what runs there may go on"},
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       execOnHosts,
	}
}

func execOnHosts(c *ucli.Context) error {
	selectors, argv, err := execWords(c)
	if err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(selectors)
	if err != nil {
		return err
	}
	m, err := openMachines(c, f, hosts)
	if err != nil {
		return err
	}
	defer m.Close()
	fmt.Fprintln(c.App.ErrWriter, "pistack: what this changes on a host does not last: the next deploy makes it what the repository says")
	all := runOnAll(c, m, hosts, argv)
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	return execEnd(c, argv, all)
}

// execWords cuts the arguments at "--".
func execWords(c *ucli.Context) (selectors, argv []string, err error) {
	words := c.Args().Slice()
	at := slices.Index(words, "--")
	if at < 1 || at == len(words)-1 {
		return nil, nil, cli.Usage("usage: %s %s", c.Command.HelpName, c.Command.ArgsUsage)
	}
	if d := c.Duration("timeout"); d < time.Second || d > 24*time.Hour {
		return nil, nil, cli.Usage("--timeout is a time between 1s and 24h")
	}
	if err := parallelIsFit(c); err != nil {
		return nil, nil, err
	}
	for _, word := range words[at+1:] {
		if strings.ContainsRune(word, 0) {
			return nil, nil, cli.Usage("an argument holds a NUL byte")
		}
	}
	return words[:at], words[at+1:], nil
}

func runOnAll(c *ucli.Context, m *machines, hosts []fleet.Host, argv []string) []view.Ran {
	var names []string
	for _, h := range hosts {
		names = append(names, h.Name)
	}
	out := view.NewOutput(c.App.Writer, term.IsTerminal(int(os.Stdout.Fd())), names...)
	all := make([]view.Ran, len(hosts))
	var group errgroup.Group
	group.SetLimit(c.Int("parallel"))
	for i, name := range names {
		group.Go(func() error {
			line := func(text string) { out.Line(name, text) }
			if c.Bool("json") {
				line = keepLines(&all[i])
			}
			begun := time.Now()
			err := impatient(name, argv[0], c.Duration("timeout"), m.machine(name).Exec(c.Context, argv, c.Duration("timeout"), line))
			all[i].Host, all[i].Err, all[i].Status, all[i].Took = name, err, statusOf(err), time.Since(begun)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return all
}

// impatient says of a program that was given up on that it was, and not that the
// machine is to be looked at.
func impatient(host, program string, limit time.Duration, err error) error {
	if !remote.Is(err, remote.TimedOut) {
		return err
	}
	return &remote.Error{
		Host: host, Kind: remote.TimedOut, Message: fmt.Sprintf("%s: %s did not end within %s; it may go on there", host, program, limit),
		Fix: "give it longer with --timeout", Err: err,
	}
}

// keptOutput bounds what is kept of a host's output, in bytes.
const keptOutput = 1 << 20

func keepLines(r *view.Ran) func(string) {
	left := keptOutput
	return func(text string) {
		if left -= len(text) + 1; left < 0 {
			r.Cut = true
			return
		}
		r.Lines = append(r.Lines, text)
	}
}

// statusOf is the exit status of a program on a machine; -1 when it is not known.
func statusOf(err error) int {
	var exit *remote.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit):
		return exit.Code
	}
	return -1
}

func execEnd(c *ucli.Context, argv []string, all []view.Ran) error {
	if c.Bool("json") {
		if err := view.RanJSON(c.App.Writer, argv, all); err != nil {
			return err
		}
	} else if err := view.RanText(c.App.ErrWriter, all); err != nil {
		return err
	}
	if slices.ContainsFunc(all, func(r view.Ran) bool { return r.Err != nil }) {
		return cli.Differences()
	}
	return nil
}

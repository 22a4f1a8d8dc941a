package main

import (
	"bytes"
	"io"
	"os"
	"time"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/term"

	"pistack/internal/cli"
	"pistack/internal/status"
	"pistack/internal/view"
)

func statusCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "status",
		Usage:     "show whether hosts are what the repository says",
		ArgsUsage: "[HOST|GLOB|@TAG|!NOT…]",
		Description: `Asks each host, in one ssh session, what it runs and boots, how its containers are,
and for the receipt of the last deploy, and compares all that with the work tree.
Changes nothing and takes no lock, so it works while a deploy runs. Exits with 3 when
a host is not in sync:

  behind              commits since the deployed one change what the host is made of;
                      all commits count where the host's files do not tell that
  not committed       changes run, or are in the work tree, that are in no commit
  needs reboot        kernel, initrd or modules are not those that were booted
  drifted             a stack's containers are absent, not up, or of another image
  failed units        systemd's
  changed by hand     it runs or boots a system that pistack did not leave there
  never deployed      there is no receipt
  deploy in progress  somebody holds the lock
  undo pending        the undo timer of a deploy is armed, or at work
  unreachable         it could not be asked

Examples:
  pistack status
  pistack status '@lab' --json
  pistack status --watch`,
		Flags: []ucli.Flag{
			cli.FleetFlag(), cli.JSONFlag(), parallelFlag(), identityFlag(),
			&ucli.BoolFlag{Name: "watch", Aliases: []string{"w"}, Usage: "look again and again, until Ctrl-C; at a terminal"},
			&ucli.DurationFlag{Name: "interval", Value: 5 * time.Second, Usage: "wait so long between two looks"},
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       showStatus,
	}
}

func showStatus(c *ucli.Context) error {
	if err := watchable(c); err != nil {
		return err
	}
	f, hosts, err := selectHosts(c)
	if err != nil {
		return err
	}
	m, err := openMachines(c, f, hosts)
	if err != nil {
		return err
	}
	defer m.Close()
	l := status.Looker{Root: f.Root, Hosts: hosts, Parallel: c.Int("parallel"), Now: time.Now,
		Machine: func(host string) status.Machine { return m.machine(host) }}
	if c.Bool("watch") {
		return watchStatus(c, l)
	}
	report, err := l.Look(c.Context)
	if err != nil {
		return err
	}
	if c.Bool("json") {
		err = view.StatusJSON(c.App.Writer, report)
	} else {
		err = view.StatusText(c.App.Writer, report, colour(os.Stdout), 0)
	}
	if err == nil && !report.InSync() {
		err = cli.Differences()
	}
	return err
}

// watchable refuses what makes no sense together.
func watchable(c *ucli.Context) error {
	switch {
	case !c.Bool("watch"):
		return parallelIsFit(c)
	case c.Bool("json"):
		return cli.Usage("--watch draws for people, and --json is for programs: say one of them")
	case !term.IsTerminal(int(os.Stdout.Fd())):
		return cli.Usage("--watch needs a terminal to draw on")
	case c.Duration("interval") < time.Second || c.Duration("interval") > time.Hour:
		return cli.Usage("--interval is a time between 1s and 1h")
	}
	return parallelIsFit(c)
}

func parallelIsFit(c *ucli.Context) error {
	if n := c.Int("parallel"); n < 1 || n > 1000 {
		return cli.Usage("--parallel is a number from 1 to 1000")
	}
	return nil
}

// watchStatus draws over the whole terminal. The fleet's files may change
// meanwhile; its hosts are those of the beginning.
func watchStatus(c *ucli.Context, l status.Looker) error {
	draw := func(r status.Report) error { return drawStatus(c.App.Writer, r) }
	last, err := status.Watch(c.Context, l.Look, draw, status.Pause(c.Duration("interval")), 0)
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	if err == nil && !last.InSync() {
		err = cli.Differences()
	}
	return err
}

// clearScreen moves to the upper left corner; clearBelow erases what was there.
const (
	clearScreen = "\x1b[H"
	clearLine   = "\x1b[K\n"
	clearBelow  = "\x1b[J"
)

func drawStatus(w io.Writer, r status.Report) error {
	_, height, err := term.GetSize(int(os.Stdout.Fd()))
	if err != nil {
		height = 24
	}
	var text bytes.Buffer
	if err := view.StatusText(&text, r, colour(os.Stdout), height-2); err != nil {
		return err
	}
	text.WriteString("\n" + r.Time.Format(time.TimeOnly) + ", Ctrl-C ends")
	_, err = io.WriteString(w, clearScreen+string(bytes.ReplaceAll(text.Bytes(), []byte("\n"), []byte(clearLine)))+clearBelow)
	return err
}

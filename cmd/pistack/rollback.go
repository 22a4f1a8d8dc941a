package main

import (
	"context"
	"crypto/rand"
	"fmt"
	"os"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/rollback"
	"pistack/internal/target"
	"pistack/internal/view"
)

func rollbackCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "rollback",
		Usage:     "bring a host back to an earlier generation of its system",
		ArgsUsage: "HOST",
		Description: `Lists the generations that the host has, and goes back to the one before that which it
boots, or to that of --to. Nothing is built or copied: the system is on the host. All
else is as with a deploy: lock, undo timer, a trial that has to stay healthy, the way
back if it does not, a receipt. Shows what it will do, and asks.

The repository still says what it said: correct it, or the next deploy brings the host
forward again.

Examples:
  pistack rollback rpi-box-01
  pistack rollback rpi-box-01 --to 41
  pistack rollback rpi-box-01 --dry-run`,
		Flags: append([]ucli.Flag{
			cli.FleetFlag(),
			cli.YesFlag(),
			cli.DryRunFlag(),
			&ucli.BoolFlag{Name: "json", Usage: "print JSON (schema 1), an event a line"},
			&ucli.IntFlag{Name: "to", Usage: "go back to this `GENERATION`"},
			&ucli.DurationFlag{Name: "lock-wait", Usage: "wait so long for a host that another deploy has locked"},
			&ucli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show every line of the switch and of docker"},
			identityFlag(),
		}, gateFlags()...),
		BashComplete: cli.CompleteHosts,
		Action:       rollBack,
	}
}

func rollBack(c *ucli.Context) error {
	f, h, err := cli.LoadHost(c, 1, 1)
	if err != nil {
		return err
	}
	if c.IsSet("to") && c.Int("to") < 1 {
		return cli.Usage("--to is the number of a generation")
	}
	options, err := rollbackOptions(c)
	if err != nil {
		return err
	}
	m, err := openMachinesWithin(c, f, []fleet.Host{h}, options.Timing.Step)
	if err != nil {
		return err
	}
	back, err := m.rollback(c, f, h, options)
	if err != nil {
		m.Close()
		return err
	}
	defer back.Close()
	return back.carryOut(c)
}

func rollbackOptions(c *ucli.Context) (deploy.Options, error) {
	o := deploy.Options{Action: deploy.Switch, NoGate: c.Bool("no-gate"), Parallel: 1, EvalJobs: 1, LockWait: c.Duration("lock-wait"), Timing: deploy.DefaultTiming()}
	err := takeTiming(c, &o.Timing)
	return o, err
}

// goingBack is a deployment of a generation.
type goingBack struct {
	*deployment
	host fleet.Host
	all  []rollback.Generation
	to   rollback.Generation
}

// rollback asks the machine for its generations, and chooses one.
func (m *machines) rollback(c *ucli.Context, f *fleet.Fleet, h fleet.Host, o deploy.Options) (*goingBack, error) {
	machine := m.machine(h.Name)
	survey, err := machine.Survey(c.Context)
	if err != nil {
		return nil, err
	}
	all, err := generations(c.Context, machine, survey.Running)
	if err != nil {
		return nil, err
	}
	to, err := rollback.Choose(h.Name, all, c.Int("to"))
	if err != nil {
		return nil, err
	}
	id := rand.Text()
	source, err := rollback.Open(c.Context, id, machine, to, survey.Docker != "")
	if err != nil {
		return nil, err
	}
	d, err := m.rollbackRun(c, f, h, o, id, source)
	if err != nil {
		return nil, err
	}
	d.Revision, d.Dirty = to.Revision() // what the receipt says
	return &goingBack{d, h, all, to}, nil
}

// rollbackRun is the deployment of a source's system.
func (m *machines) rollbackRun(c *ucli.Context, f *fleet.Fleet, h fleet.Host, o deploy.Options, id string, source *rollback.Source) (*deployment, error) {
	work, err := git.ReadState(c.Context, f.Root)
	if err != nil {
		return nil, err
	}
	hosts := []fleet.Host{h}
	archive := deploy.NewFolder(m.state, id, time.Now())
	d := &deployment{root: f.Root, hosts: hosts, machines: m, archive: archive, progress: newProgress(c, hosts)}
	d.Run = &deploy.Run{
		ID: id, Owner: owner(work), Options: o, Nix: source, Archive: archive,
		Machine: func(host string) deploy.Machine { return m.machine(host) },
		Sudo:    func(string) bool { return false }, // nixos-rebuild is not run
		Sink: func(e deploy.Event) {
			if !idle(e) {
				d.progress.Event(e)
			}
		},
	}
	return d, nil
}

// idle tells of phases in which a rollback has nothing to do.
func idle(e deploy.Event) bool {
	return e.Kind == deploy.Begun && (e.Phase == deploy.Evaluate || e.Phase == deploy.Build || e.Phase == deploy.Copy)
}

func generations(ctx context.Context, m target.Machine, running string) ([]rollback.Generation, error) {
	all, err := m.Generations(ctx)
	if err != nil {
		return nil, err
	}
	receipts, err := m.Receipts(ctx)
	if err != nil {
		return nil, err
	}
	return rollback.List(all, running, receipts), nil
}

// carryOut shows what is going to be done, asks, and does it.
func (g *goingBack) carryOut(c *ucli.Context) error {
	plan, err := g.Plan(c.Context, g.hosts)
	g.progress.Close()
	if err != nil {
		return broken(c, err)
	}
	h := plan.Hosts[0]
	if err := g.showBack(c, plan); err != nil || c.Bool("dry-run") && h.Problem == nil {
		return err
	}
	if h.Problem != nil {
		return cli.Differences()
	}
	if h.Unchanged {
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Bring %s back to generation %d?", g.host.Name, g.to.Number)); err != nil {
		return err
	}
	g.goOn(c)
	results, err := g.Apply(c.Context, plan)
	if err != nil {
		return err
	}
	return g.end(c, results)
}

func (g *goingBack) showBack(c *ucli.Context, p deploy.Plan) error {
	switch {
	case !c.Bool("json"):
		return view.RollbackText(c.App.Writer, g.all, g.to, p.Hosts[0], colour(os.Stdout))
	case c.Bool("dry-run") || !p.AnythingToDo():
		return view.PlanJSON(c.App.Writer, p)
	}
	return nil
}

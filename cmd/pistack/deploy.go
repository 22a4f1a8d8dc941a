package main

import (
	"context"
	"fmt"
	"os"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/git"
	"pistack/internal/view"
)

func deployCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "deploy",
		Usage:     "bring hosts to what the repository says, with nixos-rebuild",
		ArgsUsage: "[HOST|GLOB|@TAG|!NOT…]",
		Description: `Checks the stacks, refuses stale or untracked files, asks all hosts what they run,
builds what differs, shows the plan and asks. Then, at several hosts at once: copies
the system and its images while everything still runs, locks the host, arms a timer
there that undoes the change unless it is renewed, runs nixos-rebuild test, watches
units and containers over new connections, and makes it permanent with nixos-rebuild
switch. What fails on the way is brought back to exactly what ran before, also when
the network is gone or this workstation dies.

Without a selector all hosts are meant. One that fails stops no other; with --canary
some go first, and a failure among them ends the run. Running the same command again
does only what is left. Exits with 3 when a host is not what it should be.

Examples:
  pistack deploy rpi-box-01
  pistack deploy --canary rpi-box-01       that one first, then all others
  pistack deploy '@lab' '!rpi-box-03'
  pistack deploy rpi-box-01 --build        build, push and lock what changed, then deploy
  pistack deploy rpi-box-01 --explain      print the plan and its commands, and stop
  pistack deploy --action boot --yes       with the next reboot, without asking`,
		Flags: append(append(planFlags("wait so long for a host that another deploy has locked"), gateFlags()...),
			cli.YesFlag(),
			cli.DryRunFlag(),
			&ucli.BoolFlag{Name: "build", Usage: "first build, push and lock images of changed files, as pistack build does, and generate"},
			&ucli.StringFlag{Name: "canary", Usage: "first deploy to this `HOST`, or to so many of them; the others follow if that went well"},
			&ucli.BoolFlag{Name: "keep-going", Usage: "with --canary: the others follow, however it went"},
		),
		BashComplete: cli.CompleteSelectors(true),
		Action:       deployHosts,
	}
}

// gateFlags say how a new system is watched.
func gateFlags() []ucli.Flag {
	return []ucli.Flag{
		&ucli.BoolFlag{Name: "no-gate", Usage: "nixos-rebuild alone: nothing is watched or undone"},
		&ucli.DurationFlag{Name: "gate-window", Value: deploy.DefaultTiming().Window, Usage: "how long everything has to stay healthy"},
		&ucli.DurationFlag{Name: "gate-limit", Value: deploy.DefaultTiming().GateLimit, Usage: "how long it may take until it is"},
		&ucli.DurationFlag{Name: "undo-after", Value: deploy.DefaultTiming().Deadline, Usage: "a host that cannot be reached for so long goes back by itself"},
		timingFlag(),
	}
}

// timingFlag changes any limit: for tests, and for machines that are slower than
// most.
func timingFlag() ucli.Flag {
	return &ucli.StringFlag{Name: "timing", EnvVars: []string{"PISTACK_TIMING"}, Hidden: true, Usage: "change limits: `NAME=DURATION,…`, see deploy.Timing"}
}

// planFlags are those of plan and deploy. What --lock-wait does is not the same: no
// plan waits.
func planFlags(lockWait string) []ucli.Flag {
	return []ucli.Flag{
		cli.FleetFlag(),
		&ucli.BoolFlag{Name: "json", Usage: "print JSON (schema 1); of a deploy, an event a line"},
		&ucli.StringFlag{Name: "action", Value: string(deploy.Switch), Usage: "`ACTION` is switch, boot, test (until the next boot) or dry-activate"},
		parallelFlag(),
		&ucli.IntFlag{Name: "eval-jobs", Usage: "evaluate `N` hosts at once, 2 GB of memory each; as many as fit by default"},
		&ucli.StringFlag{Name: "build-host", Usage: "have Nix build on `USER@HOST` instead of here"},
		&ucli.DurationFlag{Name: "lock-wait", Usage: lockWait},
		&ucli.BoolFlag{Name: "explain", Usage: "print the commands, so that you could run them by hand, and stop"},
		&ucli.BoolFlag{Name: "verbose", Aliases: []string{"v"}, Usage: "show every line of nix, nixos-rebuild and docker"},
		identityFlag(),
	}
}

func deployHosts(c *ucli.Context) error {
	switch {
	case !showsPlan(c):
		if err := cli.CanAgree(c); err != nil {
			return err
		}
	case c.Bool("build"):
		return cli.Usage("--build pushes and writes files, and a plan is to be shown only: pistack build --dry-run says what it would build")
	}
	d, plan, err := planned(c)
	if err != nil {
		return err
	}
	defer d.Close()
	if showsPlan(c) {
		return d.show(c, plan)
	}
	if !c.Bool("json") {
		if err := d.show(c, plan); err != nil && !plan.AnythingToDo() {
			return err
		}
	}
	if plan.AnythingToDo() {
		if err := cli.Agree(c, question(plan)); err != nil {
			return err
		}
	}
	d.goOn(c)
	defer d.patient(c)()
	results, err := d.Apply(c.Context, plan)
	if err != nil {
		return err
	}
	return d.end(c, results)
}

func question(p deploy.Plan) string {
	names := p.Changing()
	if len(names) > 5 {
		return fmt.Sprintf("Deploy to %s?", cli.Count(len(names), "host"))
	}
	return "Deploy to " + strings.Join(names, ", ") + "?"
}

// planned loads the fleet, refuses what no reviewer has seen, and computes the
// plan. Close the deployment after use.
func planned(c *ucli.Context) (*deployment, deploy.Plan, error) {
	f, hosts, err := selectHosts(c)
	if err != nil {
		return nil, deploy.Plan{}, err
	}
	if err := wavesAreFit(c, hosts); err != nil {
		return nil, deploy.Plan{}, err
	}
	if c.Bool("build") {
		if _, err := deployOptions(c); err != nil { // not after minutes of building
			return nil, deploy.Plan{}, err
		}
		if err := buildFirst(c, f, hosts); err != nil {
			return nil, deploy.Plan{}, err
		}
	}
	d, err := openDeployment(c, f, hosts)
	if err != nil {
		return nil, deploy.Plan{}, err
	}
	plan, err := d.Plan(c.Context, hosts)
	d.progress.Close()
	_, _ = d.findings.WriteTo(c.App.ErrWriter) // the error says as much
	if err != nil {
		d.Close()
		return nil, plan, broken(c, err)
	}
	if c.Bool("explain") {
		d.explain(plan)
	}
	return d, plan, nil
}

// ready refuses hosts whose generated files are not what the stacks say now, or
// not all visible to the flake, and finds out what is deployed. Hosts are asked
// what they run at the same time.
func (d *deployment) ready(ctx context.Context, c *ucli.Context, f *fleet.Fleet) error {
	state, err := git.ReadState(ctx, f.Root)
	if err != nil {
		return err
	}
	d.Owner, d.Revision, d.Dirty = owner(state), state.Commit, state.Dirty
	w, err := generate.Open(ctx, f, openMemo())
	if err != nil {
		return err
	}
	defer w.Close()
	results, err := w.Hosts(ctx, d.hosts, func(int) {})
	if err != nil {
		return err
	}
	coloured := inColour(c.App.ErrWriter)
	if err := refuse(&d.findings, coloured, findingsOf(results), "nothing was deployed"); err != nil {
		return err
	}
	stale, err := staleBuilds(ctx, w, results)
	if err != nil {
		return err
	}
	if err := refuse(&d.findings, coloured, stale, "nothing was deployed"); err != nil {
		return err
	}
	var problems []error
	for _, r := range results {
		if err := fresh(w, r); err != nil {
			problems = append(problems, err)
		}
	}
	return joined(problems)
}

func fresh(w *generate.Workspace, r generate.Result) error {
	changes, err := w.Plan(r)
	if err != nil {
		return err
	}
	if len(changes) > 0 {
		return &deploy.Error{
			Message: fmt.Sprintf("%s: is stale (%s %s)", generate.Dir(r.Host), changes[0].Action, changes[0].File),
			Fix:     fmt.Sprintf("pistack generate %s && git add hosts/%s", r.Host.Name, r.Host.Name),
		}
	}
	if missing := w.NotTracked(r); len(missing) > 0 {
		return &deploy.Error{
			Message: fmt.Sprintf("%s: Git does not track it, so the flake would not see it", strings.Join(missing, ", ")),
			Fix:     "git add " + strings.Join(missing, " "),
		}
	}
	return nil
}

// show prints the plan; the error is that of hosts to which nothing can be done.
func (d *deployment) show(c *ucli.Context, p deploy.Plan) error {
	if c.Bool("json") {
		if err := view.PlanJSON(c.App.Writer, p); err != nil {
			return err
		}
	} else {
		detail := view.PlanDetail{Explain: c.Bool("explain"), Changes: d.changes()}
		if err := view.PlanText(c.App.Writer, p, detail, colour(os.Stdout)); err != nil {
			return err
		}
	}
	for _, h := range p.Hosts {
		if h.Problem != nil {
			return cli.Differences()
		}
	}
	return nil
}

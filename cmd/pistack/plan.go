package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strconv"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/compare"
	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/view"
)

func planCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "plan",
		Usage:     "show what a deploy would do to hosts",
		ArgsUsage: "[HOST|GLOB|@TAG|!NOT…]",
		Description: `Asks the hosts what they run, evaluates and builds their systems here, and shows for
each what changes in stacks and secrets since the revision that was deployed last,
what would be copied and pulled, which units would be stopped, started, restarted or
reloaded, and whether a reboot is needed. Changes nothing on any host. Exits with 3
when nothing can be done to a host.

Examples:
  pistack plan
  pistack plan rpi-box-01 --json
  pistack plan --explain             with the commands of a deploy`,
		Flags:        append(planFlags("as of a deploy: a host that another one has locked is planned for, too, and not waited for"), timingFlag()),
		BashComplete: cli.CompleteSelectors(true),
		Action: func(c *ucli.Context) error {
			d, plan, err := planned(c)
			if err != nil {
				return err
			}
			defer d.Close()
			return d.show(c, plan)
		},
	}
}

// wavesAreFit refuses flags of waves that would change nothing.
func wavesAreFit(c *ucli.Context, hosts []fleet.Host) error {
	if c.IsSet("canary") {
		return knownCanary(c.String("canary"), hosts)
	}
	if c.Bool("keep-going") {
		return cli.Usage("--keep-going goes with --canary: else no host waits for another")
	}
	return nil
}

// knownCanary refuses a canary that would never sing.
func knownCanary(canary string, hosts []fleet.Host) error {
	if n, err := strconv.Atoi(canary); err == nil && n > len(hosts) {
		return cli.Usage("--canary %d: %s chosen", n, map[bool]string{true: "only 1 host is", false: fmt.Sprintf("only %d hosts are", len(hosts))}[len(hosts) == 1])
	} else if err == nil && n > 0 {
		return nil
	}
	for _, h := range hosts {
		if h.Name == canary {
			return nil
		}
	}
	return cli.Usage("--canary %s: is neither a number nor one of the chosen hosts", canary)
}

// compareSince begins to find out what differs since what each host runs, as far as
// this clone knows that revision: systems are built meanwhile. The function that it
// returns waits for the texts of "pistack diff".
func (d *deployment) compareSince(ctx context.Context, hosts []deploy.HostPlan) func() map[string]string {
	bySince := map[string][]string{}
	for _, h := range hosts {
		if h.Since != "" && !h.Unchanged && h.Problem == nil {
			bySince[h.Since] = append(bySince[h.Since], h.Host.Name)
		}
	}
	texts, done := map[string]string{}, make(chan struct{})
	go func() {
		defer close(done)
		for since, hosts := range bySince {
			d.addChanges(ctx, since, hosts, texts)
		}
	}()
	return func() map[string]string {
		<-done
		return texts
	}
}

// addChanges compares with one revision.
func (d *deployment) addChanges(ctx context.Context, since string, hosts []string, texts map[string]string) {
	pair, err := compare.Open(ctx, d.root, since, "")
	if err == nil {
		defer pair.Close()
	}
	for _, host := range hosts {
		text, failure := "", err
		if failure == nil {
			text, failure = changesOf(ctx, pair, host)
		}
		if failure != nil {
			text = fmt.Sprintf("(%s is not known here: %v)\n", since[:min(12, len(since))], failure)
		}
		texts[host] = text
	}
}

func changesOf(ctx context.Context, pair *compare.Pair, host string) (string, error) {
	report, err := compare.Hosts(ctx, pair, []string{host})
	if err != nil {
		return "", err
	}
	var out bytes.Buffer
	err = view.DiffText(&out, report, false)
	return out.String(), err
}

// joined is errors.Join, with nil for none.
func joined(problems []error) error { return errors.Join(problems...) }

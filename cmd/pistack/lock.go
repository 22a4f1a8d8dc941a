package main

import (
	"errors"
	"fmt"
	"net/http"
	"os"
	"slices"
	"time"

	"github.com/google/go-containerregistry/pkg/authn"
	ucli "github.com/urfave/cli/v2"

	"pistack/compose"
	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/image"
	"pistack/internal/term"
)

func lockCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "lock",
		Usage:     "write stacks/STACK/images.lock: the digests that images stand for",
		ArgsUsage: "[STACK|GLOB…]",
		Description: `Asks the registries once; check, generate and deploy go by what was written and
need no network. Images that are locked already are left alone, without --update.
When one image cannot be found, nothing is written.

Your Docker credentials are used (docker login, DOCKER_CONFIG), HTTPS_PROXY, and
the [registry] table of fleet.toml:

  [registry]
  insecure = ["nas.local:5000"]             # by plain http

  [registry.mirrors]                        # asked first
  "docker.io" = ["https://mirror.example.org"]

Examples:
  pistack lock                    lock what is new, forget what is gone
  pistack lock web --update       take what the tags of one stack stand for now
  pistack lock --check            exits with 3 when something is newer or missing`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "update", Usage: "look up again what is locked already"},
			&ucli.BoolFlag{Name: "check", Usage: "write nothing; exit with 3 when something is newer upstream, missing or unused"},
			&ucli.DurationFlag{Name: "timeout", Value: image.DefaultTimeout, Usage: "wait that long for one answer of a registry"},
			cli.DryRunFlag(),
			cli.JSONFlag(),
		},
		BashComplete: completeStacks,
		Action:       lockImages,
	}
}

func lockImages(c *ucli.Context) error {
	if c.Duration("timeout") <= 0 {
		return cli.Usage("--timeout has to be more than nothing, like 30s")
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	stacks, err := stacksToLock(c, f)
	if err != nil {
		return err
	}
	plan := image.NewPlan(stacks, lockMode(c))
	results, err := lookUp(c, f, plan)
	if err != nil {
		return err
	}
	files, failures := plan.Finish(results, time.Now())
	if len(failures) > 0 {
		return lockFailed(failures)
	}
	write := !c.Bool("check") && !c.Bool("dry-run")
	if write {
		if err := image.Write(f.Root, files); err != nil {
			return err
		}
	}
	if err := showLocks(c, files, write); err != nil {
		return err
	}
	if c.Bool("check") && countChanges(files) > 0 {
		return cli.Differences()
	}
	return nil
}

func lockMode(c *ucli.Context) image.Mode {
	switch {
	case c.Bool("check"):
		return image.Compare
	case c.Bool("update"):
		return image.Update
	}
	return image.Keep
}

// stacksToLock loads the stacks that the arguments select, as all their hosts
// have them. A stack of no host that does not load by itself is left out,
// unless it was asked for.
func stacksToLock(c *ucli.Context, f *fleet.Fleet) ([]image.Stack, error) {
	names, err := f.SelectStacks(c.Args().Slice())
	if err != nil {
		return nil, err
	}
	w, err := generate.Open(c.Context, f, nil)
	if err != nil {
		return nil, err
	}
	defer w.Close()
	var stacks []image.Stack
	var findings []compose.Finding
	for _, name := range names {
		i, err := w.Images(c.Context, name)
		if err != nil {
			return nil, err
		}
		if i.Hosts == 0 && !c.Args().Present() && compose.HasErrors(i.Findings) {
			first := i.Findings[slices.IndexFunc(i.Findings, func(f compose.Finding) bool { return f.Severity == compose.Error })]
			fmt.Fprintf(c.App.ErrWriter, "stacks/%s: left out: no host runs it, and by itself it does not load: %s\n", name, first.Message)
			continue
		}
		findings = append(findings, i.Findings...)
		stacks = append(stacks, image.Stack{Name: name, Uses: i.Uses, Keys: i.Keys, Lock: i.Lock})
	}
	return stacks, refuseFindings(c, findings, "nothing was written")
}

func lookUp(c *ucli.Context, f *fleet.Fleet, plan image.Plan) ([]image.Result, error) {
	resolver, err := image.NewResolver(registrySettings(f, c.Duration("timeout"), image.DefaultPatience))
	if err != nil {
		return nil, err
	}
	progress := term.StartProgress(os.Stderr)
	defer progress.Stop()
	total := len(plan.Requests)
	progress.Show("looking up %s", cli.Count(total, "image"))
	return resolver.All(c.Context, plan.Requests, func(done int, last string) {
		progress.Show("looked up %d of %s: %s", done, cli.Count(total, "image"), last)
	})
}

// registrySettings say how the fleet's registries are reached.
func registrySettings(f *fleet.Fleet, timeout, patience time.Duration) image.Settings {
	return image.Settings{
		Mirrors: f.Registry.Mirrors, Insecure: f.Registry.Insecure,
		Proxy: http.ProxyFromEnvironment, Keychain: authn.DefaultKeychain,
		Timeout: timeout, Patience: patience, Sleep: image.Sleep,
	}
}

// lockFailed lists every image that was not found, with a summary.
func lockFailed(failures []*image.Failure) error {
	var all []error
	names := map[string]bool{}
	for _, f := range failures {
		all = append(all, f)
		names[f.Reference] = true
	}
	return errors.Join(append(all, fmt.Errorf("%s could not be looked up; nothing was written", cli.Count(len(names), "image")))...)
}

// completeStacks offers the names of stacks.
func completeStacks(c *ucli.Context) {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return
	}
	for _, name := range f.Stacks {
		fmt.Fprintln(c.App.Writer, name)
	}
}

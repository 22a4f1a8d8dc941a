package main

import (
	"context"
	"fmt"
	"os"
	"slices"
	"sync"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/compose"
	"pistack/internal/build"
	"pistack/internal/cli"
	"pistack/internal/contexts"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/image"
	"pistack/internal/term"
)

func buildCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "build",
		Usage:     "build the images of stacks with Docker, for the platforms of their hosts",
		ArgsUsage: "[STACK|GLOB…]",
		Description: `Every service with "build:" that a chosen host runs. The tag is a hash of what goes
in, so what is unchanged is neither built nor pushed, on any machine. With --push
the image goes to its registry, and its digest into stacks/STACK/images.lock;
with registry = "ssh" in fleet.toml it stays in your Docker until deploy copies it.

What builds is your docker buildx, one platform at a time: the default builder
will do. A platform that this machine cannot run needs qemu-user-static, or a
Dockerfile that runs nothing for it. Your Docker credentials are used.

Examples:
  pistack build --dry-run                  what would be built
  pistack build --push
  pistack build chat --host rpi-box-01 --push
  pistack build --push --cache gha         in a workflow of GitHub`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.StringSliceFlag{Name: "host", Usage: "only what the hosts of this `SELECTOR` run, for their platforms; several are possible"},
			&ucli.BoolFlag{Name: "push", Usage: "push what is built, and lock it"},
			&ucli.BoolFlag{Name: "force", Usage: "build although nothing changed, such as for a newer base image"},
			&ucli.StringFlag{Name: "builder", EnvVars: []string{"BUILDX_BUILDER"}, Usage: "`NAME` of a builder of buildx"},
			&ucli.StringFlag{Name: "cache", Usage: "keep the builder's cache in `KIND`: gha or registry"},
			&ucli.DurationFlag{Name: "timeout", Value: image.DefaultTimeout, Usage: "wait that long for a registry to answer, or to take a part of an upload"},
			cli.DryRunFlag(),
			cli.JSONFlag(),
		},
		BashComplete: completeStacks,
		Action:       buildImages,
	}
}

func buildImages(c *ucli.Context) error {
	if c.Duration("timeout") <= 0 {
		return cli.Usage("--timeout has to be more than nothing, like 30s")
	}
	if cache := build.Cache(c.String("cache")); !slices.Contains([]build.Cache{build.NoCache, build.GitHub, build.InRegistry}, cache) {
		return cli.Usage("--cache is gha or registry, not %q", string(cache))
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.StringSlice("host"))
	if err != nil {
		return err
	}
	names, err := f.SelectStacks(c.Args().Slice())
	if err != nil {
		return err
	}
	w, err := generate.Open(c.Context, f, nil)
	if err != nil {
		return err
	}
	defer w.Close()
	o := buildOptions{
		push: c.Bool("push"), dryRun: c.Bool("dry-run"), timeout: c.Duration("timeout"),
		settings: build.Settings{Builder: c.String("builder"), Cache: build.Cache(c.String("cache")), Force: c.Bool("force")},
	}
	results, files, err := o.run(c, w, names, hosts)
	if err != nil {
		return err
	}
	return showBuilds(c, results, files, !o.dryRun)
}

// buildOptions say how stacks are built.
type buildOptions struct {
	push, dryRun bool
	timeout      time.Duration
	settings     build.Settings // without Root and Line
}

// run builds what some hosts run of some stacks, and writes the lock files.
func (o buildOptions) run(c *ucli.Context, w *generate.Workspace, names []string, hosts []fleet.Host) ([]build.Result, []image.LockFile, error) {
	stacks, err := stacksToBuild(c, w, names, hosts)
	if err != nil {
		return nil, nil, err
	}
	hasher := hasherOf(w)
	hashes := map[string]string{}
	for key, recipe := range build.Recipes(stacks) {
		if hashes[key], err = hasher.Hash(c.Context, recipe); err != nil {
			return nil, nil, err
		}
	}
	var upload upload
	registry, err := image.NewPusher(registrySettings(w.Fleet, o.timeout, image.DefaultPatience), upload.sent)
	if err != nil {
		return nil, nil, err
	}
	o.settings.Root, o.settings.Pushing = w.Fleet.Root, upload.begin
	o.settings.Line = func(title, text string) {
		if text != "" {
			fmt.Fprintf(c.App.ErrWriter, "%s | %s\n", title, text)
		}
	}
	tasks := build.Plan(stacks, hashes)
	results, err := build.Look(c.Context, registry, tasks, o.settings, o.push, func(why error) {
		fmt.Fprintf(c.App.ErrWriter, "%v; it is not asked whether it has the image\n", why)
	})
	if err != nil {
		return nil, nil, err
	}
	if !o.dryRun {
		// A new hasher: the files may have changed while they were built.
		if err := build.Apply(c.Context, registry, results, o.settings, o.push, hasherOf(w).Hash); err != nil {
			return nil, nil, err
		}
	}
	files := build.Locks(stacks, results, time.Now())
	if !o.dryRun {
		err = image.Write(w.Fleet.Root, files)
	}
	return results, files, err
}

// upload shows how far a push is.
type upload struct {
	mu       sync.Mutex
	title    string
	bytes    int64
	progress *term.Progress // nil while there is none
}

func (u *upload) begin(title string) (ended func()) {
	u.mu.Lock()
	defer u.mu.Unlock()
	u.title, u.bytes, u.progress = title, 0, term.StartProgress(os.Stderr)
	return func() {
		u.mu.Lock()
		defer u.mu.Unlock()
		u.progress.Stop()
		u.progress = nil
	}
}

func (u *upload) sent(n int) {
	u.mu.Lock()
	defer u.mu.Unlock()
	if u.bytes += int64(n); u.progress != nil {
		u.progress.Show("%s: pushed %d MiB", u.title, u.bytes>>20)
	}
}

func hasherOf(w *generate.Workspace) *build.Hasher {
	return build.NewHasher(contexts.Repository{Root: w.Fleet.Root, Tracked: w.Tracked.Has})
}

// stacksToBuild loads stacks as their hosts have them.
func stacksToBuild(c *ucli.Context, w *generate.Workspace, names []string, hosts []fleet.Host) ([]build.Stack, error) {
	wanted := func(h fleet.Host) bool {
		return slices.ContainsFunc(hosts, func(x fleet.Host) bool { return x.Name == h.Name })
	}
	var stacks []build.Stack
	var found []compose.Finding
	for _, name := range names {
		if !slices.ContainsFunc(hosts, func(h fleet.Host) bool { return slices.Contains(h.Stacks, name) }) {
			continue
		}
		b, err := w.Builds(c.Context, name, wanted)
		if err != nil {
			return nil, err
		}
		found = append(found, b.Findings...)
		stacks = append(stacks, build.Stack{Name: name, Builds: b.Builds, Keys: b.Keys, Lock: b.Lock})
	}
	return stacks, refuseFindings(c, found, "nothing was built")
}

// staleBuilds reports built images that are of other files than those that are
// there now: a deploy would bring what nobody looks at.
func staleBuilds(ctx context.Context, w *generate.Workspace, results []generate.Result) ([]compose.Finding, error) {
	hasher := hasherOf(w)
	var found []compose.Finding
	for _, r := range results {
		for _, i := range r.Images {
			stale, err := hasher.Stale(ctx, i.Stack, i.Builds, i.Lock)
			if err != nil {
				return nil, err
			}
			found = append(found, stale...)
		}
	}
	return compose.SortFindings(found), nil
}

package main

import (
	"os"
	"path/filepath"
	"slices"
	"time"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/sync/errgroup"

	"pistack/internal/cli"
	"pistack/internal/doctor"
	"pistack/internal/fleet"
	"pistack/internal/view"
	"pistack/secrets"
)

func doctorCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "doctor",
		Usage:     "look for what would keep a deploy from succeeding",
		ArgsUsage: "[HOST|GLOB|@TAG|!NOT…]",
		Description: `Looks at this workstation: Nix and flakes, whether the systems of the hosts can be built
here, nixos-rebuild, ssh keys, Docker where a stack is built, Git, and the operator's
key. With hosts, also at these: reachable with the pinned key, architecture, memory
limits, disk, clock, Docker, store, secrets, failed units. Changes nothing, and says for
each what to type. Exits with 3 when there is a problem.

Examples:
  pistack doctor
  pistack doctor rpi-box-01
  pistack doctor '@lab' --json`,
		Flags: []ucli.Flag{
			cli.FleetFlag(), cli.JSONFlag(), parallelFlag(), identityFlag(),
			&ucli.PathFlag{Name: "key", EnvVars: []string{"PISEC_IDENTITY"}, Usage: "the operator's private key `FILE`, as pisec takes it"},
		},
		BashComplete: cli.CompleteSelectors(true),
		Action:       consult,
	}
}

func consult(c *ucli.Context) error {
	if err := parallelIsFit(c); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.Args().Slice()) // a fleet without hosts has a workstation, too
	if err != nil {
		return err
	}
	w, err := workstation(c, f, hosts)
	if err != nil {
		return err
	}
	checks := w.Checks(c.Context)
	if c.Args().Present() {
		found, err := examine(c, f, hosts)
		if err != nil {
			return err
		}
		checks = append(checks, found...)
	}
	if c.Context.Err() != nil {
		return c.Context.Err()
	}
	return doctorEnd(c, checks)
}

func workstation(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) (doctor.Workstation, error) {
	w := doctor.Workstation{Fleet: f, Hosts: hosts, System: "/", Key: c.Path("key")}
	w.Home, _ = os.UserHomeDir() // without one there are no keys
	if w.Key == "" && w.Home != "" {
		w.Key = filepath.Join(w.Home, ".ssh", "id_ed25519")
	}
	var err error
	w.Identity, err = identityFile(c)
	return w, err
}

// examine asks the hosts, several at once.
func examine(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) ([]doctor.Check, error) {
	m, err := openMachines(c, f, hosts)
	if err != nil {
		return nil, err
	}
	defer m.Close()
	found := make([][]doctor.Check, len(hosts))
	var group errgroup.Group
	group.SetLimit(c.Int("parallel"))
	for i, h := range hosts {
		group.Go(func() error {
			checkup, err := m.machine(h.Name).Checkup(c.Context)
			if err != nil {
				found[i] = doctor.Unreached(h.Name, err)
				return nil
			}
			found[i] = doctor.Machine(h, checkup, hasSecrets(f, h), time.Now())
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return slices.Concat(found...), nil
}

func hasSecrets(f *fleet.Fleet, h fleet.Host) bool {
	entries, err := secrets.ListFS(os.DirFS(f.Root), h.Name)
	return err != nil || len(entries) > 0
}

func doctorEnd(c *ucli.Context, checks []doctor.Check) error {
	show := func() error { return view.DoctorText(c.App.Writer, checks, colour(os.Stdout)) }
	if c.Bool("json") {
		show = func() error { return view.DoctorJSON(c.App.Writer, checks) }
	}
	if err := show(); err != nil {
		return err
	}
	if doctor.Count(checks).Problems > 0 {
		return cli.Differences()
	}
	return nil
}

package main

import (
	"slices"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/secrets"
)

func cpCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "cp",
		Usage:     "give the value of a host's secret to other hosts",
		ArgsUsage: "HOST NAME HOST|GLOB|@TAG…",
		Description: `Decrypts the value with a private key of yours and encrypts it anew, for each of
the other hosts and the operators. All files are written, or none. The version
stays that of the value, by which pisec audit knows all who have it.

Examples:
  pisec cp rpi-box-01 OPENAI_KEY rpi-box-02
  pisec cp rpi-box-01 OPENAI_KEY '@ai' --replace
  pisec cp rpi-box-01 OPENAI_KEY vps-01 --as LITELLM_KEY`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			identityFlag(),
			&ucli.StringFlag{Name: "as", Usage: "call it `NAME` there"},
			&ucli.BoolFlag{Name: "replace", Usage: "give existing secrets the value"},
			cli.DryRunFlag(),
		},
		BashComplete: completeCopy,
		Action:       copySecret,
	}
}

func copySecret(c *ucli.Context) error {
	f, from, err := cli.LoadHost(c, 3, -1)
	if err != nil {
		return err
	}
	name, as := c.Args().Get(1), c.String("as")
	if as == "" {
		as = name
	}
	if err := checkNames(name, as); err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	if err := store.CheckPresent(from.Name, name); err != nil {
		return err
	}
	hosts, err := otherHosts(c, f, from, as == name)
	if err != nil {
		return err
	}
	wanted, err := addable(c, f, store, hosts, as)
	if err != nil {
		return err
	}
	identities, err := loadIdentities(c, f)
	if err != nil {
		return err
	}
	opened, err := store.Open(from.Name, name, identities...)
	if err != nil {
		return err
	}
	defer clear(opened.Value)
	if err := checkNUL(c, f, hosts, as, opened.Value); err != nil {
		return err
	}
	additions, err := planAdditions(c, f, store, wanted, as, opened.Label.Version, opened.Value)
	if err != nil {
		return err
	}
	return applyAdditions(c, f, store, wanted, additions)
}

// otherHosts are those that the arguments select. A glob or a tag may mean the
// host that has the value, too; it is left out unless it gets another name.
func otherHosts(c *ucli.Context, f *fleet.Fleet, from fleet.Host, sameName bool) ([]fleet.Host, error) {
	hosts, err := f.Select(c.Args().Slice()[2:])
	if err != nil {
		return nil, err
	}
	hosts = slices.Clone(hosts)
	if sameName {
		hosts = slices.DeleteFunc(hosts, func(h fleet.Host) bool { return h.Name == from.Name })
	}
	if len(hosts) == 0 {
		return nil, cli.Usage("there is no other host than %s to copy it to", from.Name)
	}
	return hosts, nil
}

// completeCopy offers hosts, the first one's secrets, and what stands for hosts.
func completeCopy(c *ucli.Context) {
	if c.NArg() < 2 {
		completeSecrets(c)
		return
	}
	cli.CompleteSelectors(true)(c)
}

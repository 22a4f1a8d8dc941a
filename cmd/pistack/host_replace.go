package main

import (
	"fmt"

	"filippo.io/age"
	ucli "github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/readers"
	"pistack/internal/sshkey"
)

func hostReplaceCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "replace",
		Usage:     "give a host another machine or card, and list what the old one knows",
		ArgsUsage: "HOST",
		Description: `Makes a new key, encrypts the host's secrets to it, and builds a sealed image, as
"pistack image build --new-key" does. With --adopt it takes the key of a machine
that runs already, and builds nothing. Either way the old key reads nothing new from
then on; the list at the end says which values it still knows, and "pisec audit"
keeps saying so until each has a new one.
` + sealedHelp + `

Examples:
  pistack host replace rpi-box-01                        the card was lost
  pistack host replace rpi-box-01 --adopt 192.168.1.20   a new machine runs there`,
		Flags: append(sealFlags(),
			&ucli.StringFlag{Name: "adopt", Usage: "take the key of the machine at `ADDR[:PORT]`; whoever answers is believed, so compare the fingerprint"},
			&ucli.PathFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the image to `FILE` instead of images/HOST.img"},
			&ucli.BoolFlag{Name: "explain", Usage: "like --dry-run, and print the commands so that you could run them by hand"},
		),
		BashComplete: cli.CompleteHosts,
		Action:       replaceHost,
	}
}

func replaceHost(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 1, 1)
	if err != nil {
		return err
	}
	if address := c.String("adopt"); address != "" {
		if c.Path("key") != "" || c.Path("out") != "" || c.Bool("explain") {
			return cli.Usage("--adopt takes the key of a machine that runs, and builds nothing: leave out --key, --out and --explain")
		}
		return adoptKey(c, f, host, address)
	}
	return buildAndSeal(sealing{c: c, fleet: f, host: host, replaces: true}, c.Path("key") == "")
}

// adoptKey pins the key that a running machine shows, and rekeys.
func adoptKey(c *ucli.Context, f *fleet.Fleet, host fleet.Host, address string) error {
	key, err := sshkey.Ask(c.Context, address)
	if err != nil {
		return err
	}
	plugins := readers.Plugins(f, c.App.ErrWriter)
	change, err := readers.PlanKey(f, host, key, plugins)
	if err != nil {
		return err
	}
	showKeyChange(c, change, ssh.FingerprintSHA256(key)+" (of "+address+")")
	fmt.Fprintln(c.App.ErrWriter, "compare it on the machine's console: ssh-keygen -lf /etc/ssh/"+fleet.KeyFile)
	if !change.Needed() {
		fmt.Fprintln(c.App.Writer, "the key is pinned already")
		return nil
	}
	if c.Bool("dry-run") {
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Is that the machine that replaces %s?", host.Name)); err != nil {
		return err
	}
	var identities []age.Identity
	if len(change.Rekey.Changes) > 0 {
		if identities, err = readers.Identities(c.Context, c.Path("identity"), plugins); err != nil {
			return err
		}
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if err := change.Apply(nil, identities...); err != nil {
		return err
	}
	if n := len(change.Rekey.Changes); n > 0 {
		fmt.Fprintf(c.App.Writer, "pinned the new key and rekeyed %s\n", cli.Count(n, "file"))
	} else {
		fmt.Fprintln(c.App.Writer, "pinned the new key; there is nothing to rekey")
	}
	fmt.Fprintf(c.App.ErrWriter, "next: git add hosts/%s && git commit, then pistack deploy %[1]s\n", host.Name)
	return readers.PrintReplaced(c.Context, c.App.Writer, change)
}

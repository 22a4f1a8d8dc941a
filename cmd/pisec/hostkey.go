package main

import (
	"bytes"
	"fmt"
	"os"
	"strings"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/sshkey"
)

func hostKeyCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "host-key",
		Usage:     "pin or replace a host's ssh key",
		ArgsUsage: "HOST",
		Description: `Shows the fingerprints of the pinned and of the new key, and asks. Compare the
new one with what the machine itself says on its console:
  ssh-keygen -lf /etc/ssh/ssh_host_ed25519_key.pub

Examples:
  pisec host-key rpi-box-01 --file new.pub && pisec rekey rpi-box-01
  pisec host-key rpi-box-01 --from-ssh 192.168.1.20`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.PathFlag{Name: "file", Usage: "take the public key in `PUB`"},
			&ucli.StringFlag{Name: "from-ssh", Usage: "ask the machine at `ADDR[:PORT]`; whoever answers is believed"},
			cli.DryRunFlag(),
			cli.YesFlag(),
		},
		BashComplete: cli.CompleteHosts,
		Action:       hostKey,
	}
}

func hostKey(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 1, 1)
	if err != nil {
		return err
	}
	key, err := newHostKey(c)
	if err != nil {
		return err
	}
	old, pinned := pinnedKey(host)
	fmt.Fprintf(c.App.Writer, "pinned: %s\nnew:    %s\n", old, ssh.FingerprintSHA256(key))
	if pinned && old == ssh.FingerprintSHA256(key) {
		fmt.Fprintln(c.App.Writer, "the key is pinned already")
		return nil
	}
	warnOfOwner(c, f, host, key)
	if c.Bool("dry-run") {
		fmt.Fprintf(c.App.Writer, "would write %s/%s\n", host.Dir(), fleet.KeyFile)
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Pin the new key for %s?", host.Name)); err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if err := host.PinKey(ssh.MarshalAuthorizedKey(key)); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "wrote %s/%s\n", host.Dir(), fleet.KeyFile)
	fmt.Fprintf(c.App.ErrWriter, "next: pisec rekey %s\n", host.Name)
	return nil
}

// warnOfOwner says whose key it is already: a card that was copied has the key of
// the other machine, and can read its secrets.
func warnOfOwner(c *ucli.Context, f *fleet.Fleet, host fleet.Host, key ssh.PublicKey) {
	line := strings.TrimSpace(string(ssh.MarshalAuthorizedKey(key)))
	for _, r := range allReaders(c, f) {
		if r.Text == line && !strings.HasPrefix(r.Source, host.Dir()+"/") {
			fmt.Fprintf(c.App.ErrWriter, "warning: this is the key of %s, too: who has it can read the secrets of both\n", r.Source)
			return
		}
	}
}

// pinnedKey is the fingerprint of the key in the repository, or why there is none.
func pinnedKey(host fleet.Host) (text string, pinned bool) {
	line, err := host.PublicKey()
	if err != nil {
		return "none", false
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return "not a key", false
	}
	return ssh.FingerprintSHA256(key), true
}

func newHostKey(c *ucli.Context) (ssh.PublicKey, error) {
	file, address := c.Path("file"), c.String("from-ssh")
	if (file == "") == (address == "") {
		return nil, cli.Usage("say where the new key is: --file PUB or --from-ssh ADDR")
	}
	if address != "" {
		return sshkey.Ask(c.Context, address)
	}
	data, err := os.ReadFile(file)
	if err != nil {
		return nil, err
	}
	key, _, _, _, err := ssh.ParseAuthorizedKey(data)
	refuse := func(what string) error {
		return &fleet.Problem{File: file, Message: what, Fix: "copy /etc/ssh/" + fleet.KeyFile + " from the machine"}
	}
	switch {
	case bytes.Contains(data, []byte("PRIVATE KEY")):
		return nil, refuse("is a private key: those stay where they are")
	case err != nil:
		return nil, refuse("is not an ssh public key")
	case key.Type() != ssh.KeyAlgoED25519:
		return nil, refuse(fmt.Sprintf("is a key of type %s, and secrets are encrypted to ssh-ed25519 keys only", key.Type()))
	}
	return key, nil
}

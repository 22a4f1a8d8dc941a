package main

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/readers"
	"pistack/internal/run"
	"pistack/internal/scaffold"
	"pistack/internal/sshkey"
)

func hostAdoptCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "adopt",
		Usage:     "add a machine that runs already: a VPS, a card that was flashed by hand",
		ArgsUsage: "NAME",
		Description: `Asks its sshd for the host key, and shows it. With your yes it is pinned, and the
machine is asked over ssh, with that key only, what it is; then hosts/NAME is
written: host.toml, default.nix and the key. Nothing changes on the machine.

Examples:
  pistack host adopt vps-01 --address vps-01.example.org --role gateway --tag cloud
  pistack host adopt pi-07 --address 192.168.1.27 --user nixos --stack home`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.StringFlag{Name: "address", Usage: "where ssh finds it: `ADDR`, a DNS name or an IP address"},
			&ucli.StringFlag{Name: "user", Value: "root", Usage: "`NAME` to log in as"},
			&ucli.IntFlag{Name: "port", Value: 22, Usage: "`PORT` of its sshd"},
			&ucli.PathFlag{Name: "identity-file", Aliases: []string{"i"}, EnvVars: []string{"PISTACK_SSH_IDENTITY"}, Usage: "ssh with the private key in `FILE`"},
			&ucli.StringFlag{Name: "board", Usage: "`BOARD`, when it cannot be told from what the machine says"},
			&ucli.StringSliceFlag{Name: "role", Usage: "`ROLE` of pistack, or of modules/roles; several are possible"},
			&ucli.StringSliceFlag{Name: "stack", Usage: "`STACK` that it runs; several are possible"},
			&ucli.StringSliceFlag{Name: "tag", Usage: "`WORD` for selectors such as @WORD; several are possible"},
			&ucli.StringSliceFlag{Name: "open", Usage: "`INTERFACE` on which published ports may be reached, or any"},
			cli.DryRunFlag(),
			cli.YesFlag(),
		},
		BashComplete: completeHostAdd,
		Action:       adoptHost,
	}
}

func adoptHost(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, 1); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	h := scaffold.Host{
		Name: c.Args().First(), Address: c.String("address"), Board: c.String("board"), User: c.String("user"), Port: c.Int("port"),
		Roles: c.StringSlice("role"), Stacks: c.StringSlice("stack"), Tags: c.StringSlice("tag"), Open: c.StringSlice("open"),
	}
	if h.Address == "" {
		return cli.Usage("say --address ADDR")
	}
	if err := checkAdopted(f, h); err != nil { // before anybody is asked, and anything goes into a command
		return err
	}
	key, err := sshkey.Ask(c.Context, net.JoinHostPort(h.Address, strconv.Itoa(h.Port)))
	if err != nil {
		return err
	}
	if err := readers.RefuseOwned(f, h.Name, key); err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "key:    %s (of %s)\n", ssh.FingerprintSHA256(key), h.Address)
	fmt.Fprintln(c.App.ErrWriter, "compare it on the machine's console: ssh-keygen -lf /etc/ssh/"+fleet.KeyFile)
	if !c.Bool("dry-run") {
		if err := cli.Agree(c, "Is that its key?"); err != nil {
			return err
		}
	}
	if err := describeItself(c, f, &h, key); err != nil {
		return err
	}
	return writeAdopted(c, f, h, key)
}

// checkAdopted judges what the flags say; what the machine will tell is filled in.
func checkAdopted(f *fleet.Fleet, h scaffold.Host) error {
	if h.Board == "" && len(f.Boards) > 0 {
		h.Board = f.Boards[0]
	}
	h.System = cmp.Or(fleet.SystemOf(h.Board), "aarch64-linux")
	return newHostProblems(f.CheckHost(h.Name, h.TOML()))
}

// describeItself fills in what the machine says of itself.
func describeItself(c *ucli.Context, f *fleet.Fleet, h *scaffold.Host, key ssh.PublicKey) error {
	machine, model, err := askMachine(c.Context, *h, c.Path("identity-file"), key)
	if err != nil {
		return err
	}
	fmt.Fprintf(c.App.Writer, "it is:  %s\n", strings.TrimSpace(machine+" "+model))
	h.System = machine + "-linux"
	if h.Board == "" {
		h.Board = boardOf(machine, model)
	}
	if h.Board == "" {
		return cli.Usage("which board %q is cannot be told: say --board; boards: %s", model, strings.Join(f.Boards, ", "))
	}
	return newHostProblems(f.CheckHost(h.Name, h.TOML()))
}

// askMachine asks over ssh, with this host key and no other.
func askMachine(ctx context.Context, h scaffold.Host, identity string, key ssh.PublicKey) (machine, model string, err error) {
	dir, err := os.MkdirTemp("", "pistack-adopt-")
	if err != nil {
		return "", "", err
	}
	defer os.RemoveAll(dir)
	known := filepath.Join(dir, "known_hosts")
	if err := os.WriteFile(known, append([]byte("adopted "), ssh.MarshalAuthorizedKey(key)...), 0o600); err != nil {
		return "", "", err
	}
	argv := []string{"ssh", "-o", "HostKeyAlias=adopted", "-o", "UserKnownHostsFile=" + known, "-o", "GlobalKnownHostsFile=/dev/null",
		"-o", "StrictHostKeyChecking=yes", "-o", "HostKeyAlgorithms=ssh-ed25519", "-o", "BatchMode=yes", "-o", "ConnectTimeout=15", "-p", strconv.Itoa(h.Port)}
	if identity != "" {
		argv = append(argv, "-o", "IdentitiesOnly=yes", "-i", identity)
	}
	argv = append(argv, h.User+"@"+h.Address, "uname -m; cat /proc/device-tree/model 2>/dev/null || true")
	out, err := run.Output(ctx, run.Command{Argv: argv})
	var failed *run.Error
	if errors.As(err, &failed) && ctx.Err() == nil {
		return "", "", &fleet.Problem{Message: fmt.Sprintf("%s@%s: %s", h.User, h.Address, strings.Join(append([]string{err.Error()}, failed.Last[max(0, len(failed.Last)-1):]...), ": ")),
			Fix: "name your key with --identity-file, and the user with --user"}
	}
	if err != nil {
		return "", "", err
	}
	machine, model, _ = strings.Cut(string(out), "\n")
	return printable(machine, 20), printable(model, 100), nil
}

// printable keeps what a machine says of itself from doing anything to a terminal.
func printable(text string, most int) string {
	text = strings.Map(func(r rune) rune {
		if r < ' ' || r > '~' {
			return -1
		}
		return r
	}, text)
	return strings.TrimSpace(text[:min(most, len(text))])
}

// boardOf knows the boards of pistack by what /proc/device-tree/model says.
func boardOf(machine, model string) string {
	if machine == "x86_64" {
		return "generic-x86_64"
	}
	for _, known := range []struct{ part, board string }{
		{"Raspberry Pi Zero 2", "rpi-zero2"},
		{"Raspberry Pi 3", "rpi3"},
		{"Raspberry Pi 4", "rpi4"}, // and 400
		{"Raspberry Pi Compute Module 4", "rpi4"},
		{"Raspberry Pi 5", "rpi5"}, // and 500
		{"Raspberry Pi Compute Module 5", "rpi5"},
	} {
		if strings.HasPrefix(model, known.part) {
			return known.board
		}
	}
	return ""
}

// writeAdopted writes the host's folder with its key.
func writeAdopted(c *ucli.Context, f *fleet.Fleet, h scaffold.Host, key ssh.PublicKey) error {
	files, err := h.Files()
	if err != nil {
		return err
	}
	files = append(files, scaffold.File{Path: "hosts/" + h.Name + "/" + fleet.KeyFile, Text: string(ssh.MarshalAuthorizedKey(key))})
	if err := writeInFleet(c, f, "hosts/"+h.Name, files); err != nil || c.Bool("dry-run") {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "next: see hosts/%[1]s/default.nix, git add hosts/%[1]s, pisec add %[1]s …\n  then: pistack check %[1]s && pistack generate %[1]s\n", h.Name)
	return nil
}

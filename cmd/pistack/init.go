package main

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"runtime"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/run"
	"pistack/internal/scaffold"
	"pistack/secrets"
)

func initCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "init",
		Usage:     "write a new fleet: one host, one stack, a flake",
		ArgsUsage: "DIR",
		Description: `The folder is new, empty, or a fresh Git repository: nothing is overwritten. Inside
another repository the files go into that one; inside another fleet it is refused. Who
reads secrets is ~/.ssh/id_ed25519.pub, or the age identity of ~/.config/age or
sops, or who --operator names; who logs in is that ssh key, or --ssh-key.

Examples:
  pistack init ~/fleet
  pistack init ~/fleet --host pi-kitchen --board rpi5 --address 192.168.1.20
  pistack init . --operator age1… --ssh-key ~/.ssh/id_rsa.pub --ci none
  pistack init ~/fleet --dry-run`,
		Flags: []ucli.Flag{
			&ucli.StringFlag{Name: "host", Value: "pi-01", Usage: "call the first host `NAME`"},
			&ucli.StringFlag{Name: "board", Value: "rpi4", Usage: "its `BOARD`"},
			&ucli.StringFlag{Name: "address", Usage: "where ssh finds it: `ADDR` (NAME.local)"},
			&ucli.StringSliceFlag{Name: "operator", Usage: "`RECIPIENT` of every secret, or FILE.pub; several are possible"},
			&ucli.StringSliceFlag{Name: "ssh-key", Usage: "public `KEY` that may log in, or FILE.pub; several are possible"},
			&ucli.StringFlag{Name: "ci", Value: "github", Usage: "write a workflow for `KIND`: github, forgejo, gitlab or none"},
			&ucli.StringFlag{Name: "pistack", Value: scaffold.Source, Usage: "take pistack from the flake `REF`"},
			cli.DryRunFlag(),
		},
		BashComplete: completeBoards,
		Action:       initFleet,
	}
}

func initFleet(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, 1); err != nil {
		return err
	}
	dir, err := filepath.Abs(c.Args().First())
	if err != nil {
		return err
	}
	if err := scaffold.CheckEmpty(dir); err != nil {
		return &fleet.Problem{Message: err.Error(), Fix: "name a new folder; in a fleet that exists: pistack host add, pistack stack add"}
	}
	if err := lookAround(c, dir); err != nil {
		return err
	}
	files, err := fleetFiles(c)
	if err != nil {
		return err
	}
	for _, f := range files {
		fmt.Fprintf(c.App.Writer, "+ %s\n", f.Path)
	}
	if c.Bool("dry-run") {
		return nil
	}
	if err := writeAndAdd(c.Context, dir, files); err != nil {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "%s in %s, known to Git; README.md there says how to go on. Next:\n  cd %[3]s\n  nix flake lock && git add flake.lock\n  pistack check\n  pistack lock && pistack generate && git add .\n",
		cli.Count(len(files), "file"), dir, run.Quote(c.Args().First()))
	return nil
}

// fleetFiles are the files of the fleet that the flags describe.
func fleetFiles(c *ucli.Context) ([]scaffold.File, error) {
	ci := scaffold.CI(c.String("ci"))
	if !slices.Contains(scaffold.CIs(), ci) {
		return nil, cli.Usage("--ci is github, forgejo, gitlab or none, not %q", string(ci))
	}
	places := placesOfKeys()
	operators, err := operatorsFor(c, places)
	if err != nil {
		return nil, err
	}
	logins, err := loginsFor(c, places, operators)
	if err != nil {
		return nil, err
	}
	host := scaffold.Host{
		Name: c.String("host"), Board: c.String("board"),
		Address: c.String("address"), Stacks: []string{scaffold.FirstStack}, Open: []string{fleet.AnyInterface},
	}
	if host.Address == "" {
		host.Address = host.Name + ".local"
	}
	if err := judge(&host); err != nil {
		return nil, err
	}
	f := scaffold.Fleet{
		Source: c.String("pistack"), Operators: operators, AuthorizedKeys: logins,
		BuildSystem: buildSystem(runtime.GOOS, runtime.GOARCH), CI: ci, Host: host,
	}
	return f.Files()
}

// judge holds the first host to the rules of every fleet, before anything is written.
func judge(host *scaffold.Host) error {
	template, err := scaffold.Template()
	if err != nil {
		return err
	}
	f, _ := fleet.LoadFS(template, "") // which lacks the operators
	f.Hosts = nil
	return setSystem(host, f)
}

// buildSystem is the Nix system of this workstation, as far as it can build.
func buildSystem(os, arch string) string {
	system := map[string]string{"arm64": "aarch64-", "amd64": "x86_64-"}[arch] + os
	if system == "aarch64-darwin" || system == "aarch64-linux" {
		return system
	}
	return "x86_64-linux"
}

func placesOfKeys() scaffold.Places {
	p := scaffold.Places{AgeFile: os.Getenv("SOPS_AGE_KEY_FILE")}
	p.Home, _ = os.UserHomeDir()
	p.Config, _ = os.UserConfigDir()
	return p
}

// operatorsFor are those of --operator, or the one whose key is on this machine.
func operatorsFor(c *ucli.Context, places scaffold.Places) ([]string, error) {
	var operators []string
	for _, argument := range c.StringSlice("operator") {
		text, err := cli.Recipient(argument)
		if err != nil {
			return nil, err
		}
		operators = append(operators, text)
	}
	if len(operators) == 0 {
		found, ok := places.Operator()
		if !ok {
			return nil, &fleet.Problem{
				Message: "no key of yours was found: neither ~/.ssh/id_ed25519.pub nor an age identity in ~/.config/age or sops",
				Fix:     "make one with ssh-keygen -t ed25519, or say --operator age1… or --operator FILE.pub",
			}
		}
		fmt.Fprintf(c.App.ErrWriter, "operator: %s\n", found.File)
		operators = []string{found.Text}
	}
	for _, text := range operators {
		if _, err := secrets.ParseReader("--operator", text, nil); err != nil {
			return nil, err
		}
	}
	return operators, nil
}

// loginsFor are the keys of --ssh-key, or the operators' that are ssh keys, or
// one that is on this machine. Without any nobody could deploy.
func loginsFor(c *ucli.Context, places scaffold.Places, operators []string) ([]string, error) {
	var logins []string
	for _, argument := range c.StringSlice("ssh-key") {
		text, err := cli.Recipient(argument)
		if err != nil {
			return nil, err
		}
		line, err := scaffold.AuthorizedKey(text)
		if err != nil {
			return nil, fmt.Errorf("--ssh-key: %q is %w", argument, err)
		}
		logins = append(logins, line)
	}
	for _, text := range operators {
		if line, err := scaffold.AuthorizedKey(text); err == nil && !c.IsSet("ssh-key") {
			logins = append(logins, line)
		}
	}
	if len(logins) > 0 {
		return logins, nil
	}
	found, ok := places.Login()
	if !ok {
		return nil, &fleet.Problem{
			Message: "nobody could log in: there is no public ssh key in ~/.ssh",
			Fix:     "make one with ssh-keygen -t ed25519, or say --ssh-key FILE.pub",
		}
	}
	fmt.Fprintf(c.App.ErrWriter, "login: %s\n", found.File)
	return []string{found.Text}, nil
}

// writeAndAdd writes a fleet and tells Git, whose repository it makes if there
// is none around: a flake sees only what Git tracks.
func writeAndAdd(ctx context.Context, dir string, files []scaffold.File) error {
	if _, err := run.Output(ctx, run.Command{Argv: []string{"git", "--version"}}); err != nil {
		return err // before anything is written
	}
	if err := scaffold.Write(ctx, dir, files); err != nil {
		return err
	}
	inside, err := git.Inside(ctx, dir)
	if err == nil && !inside {
		err = git.Init(ctx, dir)
	}
	if err == nil {
		err = git.Add(ctx, dir, pathsOf(files))
	}
	if err != nil {
		return &fleet.Problem{Message: "the files are written, and Git does not know them: " + err.Error(), Fix: "git init && git add . in " + strings.TrimSpace(run.Quote(dir))}
	}
	return nil
}

func pathsOf(files []scaffold.File) []string {
	var paths []string
	for _, f := range files {
		paths = append(paths, f.Path)
	}
	return paths
}

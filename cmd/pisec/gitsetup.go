package main

import (
	"fmt"
	"path/filepath"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/git"
	"pistack/internal/run"
)

// driver is the name of the diff driver, attribute what gives it to the secrets
// of the fleet whose root holds the .gitattributes.
const (
	driver    = "pisec"
	driverKey = "diff." + driver + ".textconv"
	attribute = "hosts/*/secrets/*.age diff=" + driver
)

func gitSetupCommand() *ucli.Command {
	return &ucli.Command{
		Name:  "git-setup",
		Usage: "make git diff show readers and versions of secrets",
		Description: `Adds a line to .gitattributes, which is for everybody: commit it. Sets the command
in the configuration of this clone, which is for you: everybody who wants it runs
this once. The result is not cached (diff.pisec.cachetextconv), since it names
readers as the fleet knows them at that moment.

Examples:
  pisec git-setup
  pisec git-setup --dry-run
  pisec git-setup --remove`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "remove", Usage: "undo it"},
			cli.DryRunFlag(),
		},
		BashComplete: func(*ucli.Context) {},
		Action:       gitSetup,
	}
}

func gitSetup(c *ucli.Context) error {
	if err := cli.Arguments(c, 0, 0); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	prefix, err := git.Prefix(c.Context, f.Root)
	if err != nil {
		return err
	}
	if _, err := git.ReadAttributes(f.Root); err != nil {
		return err // before anything is changed
	}
	changes := []func(*ucli.Context, string, string) (bool, error){setDriver, setAttribute}
	if c.Bool("remove") {
		changes = []func(*ucli.Context, string, string) (bool, error){unsetAttribute, unsetDriver}
	}
	changed := false
	for _, change := range changes {
		did, err := change(c, f.Root, prefix)
		if err != nil {
			return err
		}
		changed = changed || did
	}
	if !changed {
		fmt.Fprintln(c.App.Writer, "nothing to change")
	}
	if c.Bool("remove") || c.Bool("dry-run") {
		return nil
	}
	return checkAttribute(c, f.Root)
}

// driverCommand is what Git runs, in the top folder of its work tree. A fleet
// that is a folder of a larger repository is named.
func driverCommand(prefix string) string {
	if prefix == "" {
		return "pisec textconv"
	}
	return "pisec textconv --fleet " + run.Quote(strings.TrimSuffix(prefix, "/"))
}

func setDriver(c *ucli.Context, root, prefix string) (bool, error) {
	want := driverCommand(prefix)
	old, set, err := git.LocalConfig(c.Context, root, driverKey)
	if err != nil || old == want {
		return false, err
	}
	if set {
		fmt.Fprintf(c.App.Writer, "- git config %s %s\n", driverKey, run.Quote(old))
	}
	fmt.Fprintf(c.App.Writer, "+ git config %s %s\n", driverKey, run.Quote(want))
	if c.Bool("dry-run") {
		return true, nil
	}
	return true, git.SetLocalConfig(c.Context, root, driverKey, want)
}

func unsetDriver(c *ucli.Context, root, _ string) (bool, error) {
	old, set, err := git.LocalConfig(c.Context, root, driverKey)
	if err != nil || !set {
		return false, err
	}
	fmt.Fprintf(c.App.Writer, "- git config %s %s\n", driverKey, run.Quote(old))
	if c.Bool("dry-run") {
		return true, nil
	}
	return true, git.UnsetLocalConfig(c.Context, root, driverKey)
}

func setAttribute(c *ucli.Context, root, _ string) (bool, error) {
	return changeAttributes(c, root, "+", git.WithLine)
}

func unsetAttribute(c *ucli.Context, root, _ string) (bool, error) {
	return changeAttributes(c, root, "-", git.WithoutLine)
}

func changeAttributes(c *ucli.Context, root, symbol string, change func([]byte, string) []byte) (bool, error) {
	attributes, err := git.ReadAttributes(root)
	if err != nil {
		return false, err
	}
	text := change(attributes.Text, attribute)
	if string(text) == string(attributes.Text) {
		return false, nil
	}
	fmt.Fprintf(c.App.Writer, "%s %s: %s\n", symbol, filepath.Base(attributes.Path), attribute)
	if c.Bool("dry-run") {
		return true, nil
	}
	if err := attributes.Replace(text); err != nil {
		return false, err
	}
	if !c.Bool("remove") {
		fmt.Fprintln(c.App.ErrWriter, "next: git add .gitattributes")
	}
	return true, nil
}

// checkAttribute asks Git itself: another line may overrule ours.
func checkAttribute(c *ucli.Context, root string) error {
	value, err := git.Attribute(c.Context, root, "diff", "hosts/host/secrets/NAME.age")
	if err == nil && value != driver {
		fmt.Fprintf(c.App.ErrWriter, "note: another line of Git's attributes overrules it: diff is %q for secrets\n", value)
	}
	return err
}

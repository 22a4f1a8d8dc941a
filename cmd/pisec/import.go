package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"slices"
	"strings"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/envfile"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/term"
	"pistack/secrets"
)

func importCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "import",
		Usage:     "make secrets of the variables in an env file",
		ArgsUsage: "HOST|GLOB|@TAG FILE.env|- [NAME…]",
		Description: `Reads the file as Docker Compose does, and takes all its variables, or those that
are named. All secrets are written, or none. Variables without a value are left out.

Remove the file afterwards. What was ever committed stays in Git's history: give
those secrets new values where they are issued.

Examples:
  pisec import rpi-box-01 stacks/chat/.env OPENAI_KEY
  pisec import '@ai' old.env --dry-run
  ssh old-server cat app/.env | pisec import vps-01 -`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "replace", Usage: "give existing secrets the values of the file"},
			cli.DryRunFlag(),
		},
		BashComplete: cli.CompleteSelectors(false),
		Action:       importFile,
	}
}

func importFile(c *ucli.Context) error {
	if err := cli.Arguments(c, 2, -1); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.Args().Slice()[:1])
	if err != nil {
		return err
	}
	variables, err := readVariables(c)
	if err != nil {
		return err
	}
	store := secrets.Store{Root: f.Root}
	wanted, additions, err := planImport(c, f, store, hosts, variables)
	if err != nil {
		return err
	}
	if err := applyAdditions(c, f, store, wanted, additions); err != nil {
		return err
	}
	warnOfFile(c)
	return nil
}

// planImport encrypts every variable for every host. The error names all that
// keep them from being written.
func planImport(c *ucli.Context, f *fleet.Fleet, store secrets.Store, hosts []fleet.Host, variables []envfile.Variable) (readers []secrets.Wanted, additions []*secrets.Addition, err error) {
	var problems []error
	for _, v := range variables {
		wanted, err := addable(c, f, store, hosts, v.Name)
		if err == nil {
			var planned []*secrets.Addition
			planned, err = planVariable(c, f, store, wanted, v)
			readers, additions = wanted, append(additions, planned...)
			if err != nil {
				err = fmt.Errorf("%s:%d: %s: %w", sourceName(c), v.Line, v.Name, err)
			}
		}
		problems = append(problems, err)
	}
	return readers, additions, errors.Join(problems...)
}

func planVariable(c *ucli.Context, f *fleet.Fleet, store secrets.Store, wanted []secrets.Wanted, v envfile.Variable) ([]*secrets.Addition, error) {
	version, err := secrets.NewVersion(time.Now())
	if err != nil {
		return nil, err
	}
	return planAdditions(c, f, store, wanted, v.Name, version, []byte(v.Value))
}

// readVariables reads the file and keeps what shall become a secret.
func readVariables(c *ucli.Context) ([]envfile.Variable, error) {
	file := c.Args().Get(1)
	if file == "-" {
		file = ""
	}
	data, err := term.Wait(c.Context, func() ([]byte, error) { return readFrom(file) })
	if err != nil {
		return nil, err
	}
	defer clear(data)
	if len(data) > secrets.MaxValue {
		return nil, fmt.Errorf("%s: is larger than 1 MiB", sourceName(c))
	}
	all, err := envfile.Parse(data)
	if err != nil {
		return nil, inLine(sourceName(c), err)
	}
	return chosen(c, all)
}

// chosen are the variables that the arguments name, or all that have a value.
func chosen(c *ucli.Context, all []envfile.Variable) ([]envfile.Variable, error) {
	names := c.Args().Slice()[2:]
	var kept []envfile.Variable
	var problems []error
	for _, v := range all {
		named := slices.Contains(names, v.Name)
		switch {
		case len(names) > 0 && !named:
		case v.Err != nil:
			problems = append(problems, inLine(sourceName(c), v.Err))
		case v.Value == "" && named:
			return nil, &secrets.Error{Message: fmt.Sprintf("%s:%d: %s has no value", sourceName(c), v.Line, v.Name), Fix: "give it one there, or leave it out of the arguments"}
		case v.Value == "":
			fmt.Fprintf(c.App.ErrWriter, "note: %s:%d: %s has no value and is left out\n", sourceName(c), v.Line, v.Name)
		default:
			kept = append(kept, v)
		}
	}
	if len(problems) > 0 {
		return nil, errors.Join(problems...)
	}
	for _, name := range names {
		if !slices.ContainsFunc(kept, func(v envfile.Variable) bool { return v.Name == name }) {
			return nil, noVariable(c, name, all)
		}
	}
	if len(kept) == 0 {
		return nil, fmt.Errorf("%s: has no variable with a value", sourceName(c))
	}
	return kept, nil
}

// noVariable names the variables that there are, and none of their values.
func noVariable(c *ucli.Context, name string, all []envfile.Variable) error {
	var known []string
	for _, v := range all {
		known = append(known, v.Name)
	}
	fix := "it has none"
	if len(known) > 0 {
		fix = "it has: " + strings.Join(known, ", ")
	}
	return &secrets.Error{Message: fmt.Sprintf("%s: has no variable %s", sourceName(c), name), Fix: fix}
}

func sourceName(c *ucli.Context) string {
	if name := c.Args().Get(1); name != "-" {
		return name
	}
	return "standard input"
}

// inLine says of a problem in which file and line it is.
func inLine(file string, err error) error {
	var problem *envfile.Error
	if !errors.As(err, &problem) {
		return err
	}
	place := file
	if problem.Line > 0 {
		place = fmt.Sprintf("%s:%d", file, problem.Line)
	}
	return &secrets.Error{Message: place + ": " + problem.Message, Fix: problem.Fix}
}

// warnOfFile says that the values still lie there in clear, and perhaps for ever.
func warnOfFile(c *ucli.Context) {
	name := c.Args().Get(1)
	if name == "-" {
		return
	}
	if !c.Bool("dry-run") {
		fmt.Fprintf(c.App.ErrWriter, "note: %s still holds the values in clear: remove it, or the lines\n", name)
	}
	path, err := filepath.Abs(name)
	if err != nil {
		return
	}
	tree, err := git.Read(c.Context, filepath.Dir(path))
	if err != nil || !tree.Tracked.Has(filepath.Base(path)) {
		return
	}
	fmt.Fprintf(c.App.ErrWriter, "warning: Git tracks %s: its history keeps the values, so give them new ones where they are issued\n", name)
}

package main

import (
	"fmt"
	"io"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/scaffold"
)

func stackCommand() *ucli.Command {
	return &ucli.Command{
		Name:        "stack",
		Usage:       "add a stack to the fleet",
		Subcommands: []*ucli.Command{stackAddCommand()},
	}
}

func stackAddCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "add",
		Usage:     "write stacks/NAME: compose.yaml and .env",
		ArgsUsage: "NAME",
		Description: `Without --image it is a web server that says hello, to be changed. An image of
your own gets a health check to complete; without --port nothing is published.

Examples:
  pistack stack add hello
  pistack stack add whoami --image traefik/whoami:v1.11.0 --port 80 --publish 8081`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.StringFlag{Name: "image", Value: scaffold.DefaultImage, Usage: "run `IMAGE`"},
			&ucli.IntFlag{Name: "port", Usage: "publish the `PORT` that the container listens on"},
			&ucli.IntFlag{Name: "publish", Usage: "publish it as `PORT` of the host; the same, or 8080 for 80, or the next that no .env or host.toml has"},
			cli.DryRunFlag(),
		},
		BashComplete: func(*ucli.Context) {},
		Action:       addStack,
	}
}

func addStack(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, 1); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	s, err := stackOf(c)
	if err != nil {
		return err
	}
	if s.Port > 0 && !c.IsSet("publish") {
		s.Published = freePort(c.App.ErrWriter, s.Published, f.NamedPorts())
	}
	files, err := s.Files()
	if err != nil {
		return err
	}
	if err := writeInFleet(c, f, "stacks/"+s.Name, files); err != nil || c.Bool("dry-run") {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "next: git add stacks/%[1]s\n  into the host.toml of a host: stacks = [\"%[1]s\"]\n  then: pistack check && pistack lock %[1]s && pistack generate\n", s.Name)
	return nil
}

// freePort is the wanted port, or the next one that nobody has, and says so. With
// none left it is the wanted one: pistack check names what clashes.
func freePort(out io.Writer, wanted int, taken map[int]string) int {
	for port := wanted; port <= 65535; port++ {
		if taken[port] != "" {
			continue
		}
		if port != wanted {
			fmt.Fprintf(out, "published at %d: %s has %d\n", port, taken[wanted], wanted)
		}
		return port
	}
	return wanted
}

// stackOf is the stack that the flags describe.
func stackOf(c *ucli.Context) (scaffold.Stack, error) {
	s := scaffold.Stack{Name: c.Args().First(), Image: c.String("image"), Port: c.Int("port"), Published: c.Int("publish")}
	for _, name := range []string{"port", "publish"} {
		if n := c.Int(name); c.IsSet(name) && (n < 1 || n > 65535) {
			return s, cli.Usage("--%s is between 1 and 65535, not %d", name, n)
		}
	}
	if !c.IsSet("image") && !c.IsSet("port") {
		s.Port = scaffold.DefaultPort
	}
	if s.Port == 0 && c.IsSet("publish") {
		return s, cli.Usage("--publish needs --port, the port that the container listens on")
	}
	if s.Published == 0 {
		s.Published = s.Port
	}
	if s.Published == 80 && !c.IsSet("publish") {
		s.Published = 8080
	}
	if err := s.Check(); err != nil {
		return s, &fleet.Problem{Message: err.Error()}
	}
	return s, nil
}

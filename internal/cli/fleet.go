package cli

import (
	"encoding/json"
	"fmt"
	"io"

	"github.com/urfave/cli/v2"

	"pistack/internal/fleet"
)

// FleetFlag names the fleet repository; every command that reads one has it.
func FleetFlag() cli.Flag {
	return &cli.PathFlag{Name: "fleet", Usage: "work on the fleet in `DIR` instead of the one around the current folder", EnvVars: []string{"PISTACK_FLEET"}}
}

// IdentityFlag names the private key of commands that decrypt.
func IdentityFlag() cli.Flag {
	return &cli.PathFlag{Name: "identity", Aliases: []string{"i"}, EnvVars: []string{"PISEC_IDENTITY"}, Usage: "private key `FILE` to decrypt with"}
}

// JSONFlag asks for the machine's form of an answer. It carries a schema number
// and is only ever extended.
func JSONFlag() cli.Flag {
	return &cli.BoolFlag{Name: "json", Usage: "print JSON (schema 1)"}
}

// LoadFleet reads the fleet that --fleet or the current folder names.
func LoadFleet(c *cli.Context) (*fleet.Fleet, error) {
	dir := c.Path("fleet")
	if dir == "" {
		dir = "."
	}
	root, err := fleet.FindRoot(dir)
	if err != nil {
		return nil, err
	}
	return fleet.Load(root)
}

// LoadHost reads the fleet and takes the host that the first argument names,
// after checking the number of arguments as Arguments does.
func LoadHost(c *cli.Context, least, most int) (*fleet.Fleet, fleet.Host, error) {
	if err := Arguments(c, least, most); err != nil {
		return nil, fleet.Host{}, err
	}
	f, err := LoadFleet(c)
	if err != nil {
		return nil, fleet.Host{}, err
	}
	host, err := f.Host(c.Args().First())
	return f, host, err
}

// CompleteHosts offers the names of hosts for the first argument.
func CompleteHosts(c *cli.Context) { complete(c, false, (*fleet.Fleet).HostNames) }

// CompleteSelectors offers what stands for hosts for the first argument, and for
// further ones when many is set.
func CompleteSelectors(many bool) cli.BashCompleteFunc {
	return func(c *cli.Context) { complete(c, many, (*fleet.Fleet).Selectors) }
}

func complete(c *cli.Context, many bool, words func(*fleet.Fleet) []string) {
	f, err := LoadFleet(c)
	if err != nil || c.NArg() > 0 && !many {
		return
	}
	for _, word := range words(f) {
		fmt.Fprintln(c.App.Writer, word)
	}
}

// PrintJSON writes a value as indented JSON, without escaping <, > and &.
func PrintJSON(w io.Writer, v any) error {
	e := json.NewEncoder(w)
	e.SetEscapeHTML(false)
	e.SetIndent("", "  ")
	return e.Encode(v)
}

// Count writes a number with its noun: "1 file", "2 files".
func Count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

package main

import (
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"text/tabwriter"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/scaffold"
)

func hostCommand() *ucli.Command {
	return &ucli.Command{
		Name:        "host",
		Usage:       "add, replace and retire machines of the fleet, or list them",
		Subcommands: []*ucli.Command{hostAddCommand(), hostAdoptCommand(), hostReplaceCommand(), hostRetireCommand(), hostListCommand()},
	}
}

func hostAddCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "add",
		Usage:     "write hosts/NAME: host.toml and default.nix",
		ArgsUsage: "NAME",
		Description: `Examples:
  pistack host add pi-02 --board rpi4 --address pi-02.local --stack hello --open any
  pistack host add vps-01 --board generic-x86_64 --address vps-01.example.org --role gateway --tag cloud`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.StringFlag{Name: "board", Usage: "what machine it is: `BOARD` of pistack, or of modules/boards"},
			&ucli.StringFlag{Name: "address", Usage: "where ssh finds it: `ADDR`, a DNS name or an IP address"},
			&ucli.StringFlag{Name: "system", Usage: "Nix `SYSTEM` of a board of your own"},
			&ucli.StringSliceFlag{Name: "role", Usage: "`ROLE` of pistack, or of modules/roles; several are possible"},
			&ucli.StringSliceFlag{Name: "stack", Usage: "`STACK` that it runs; several are possible"},
			&ucli.StringSliceFlag{Name: "tag", Usage: "`WORD` for selectors such as @WORD; several are possible"},
			&ucli.StringSliceFlag{Name: "open", Usage: "`INTERFACE` on which published ports may be reached, or any"},
			cli.DryRunFlag(),
		},
		BashComplete: completeHostAdd,
		Action:       addHost,
	}
}

func hostListCommand() *ucli.Command {
	return &ucli.Command{
		Name:         "list",
		Usage:        "list the hosts of the fleet",
		ArgsUsage:    "[HOST|GLOB|@TAG|!NOT…]",
		Description:  "Examples:\n  pistack host list\n  pistack host list '@cloud' --json",
		Flags:        []ucli.Flag{cli.FleetFlag(), cli.JSONFlag()},
		BashComplete: cli.CompleteSelectors(true),
		Action:       listHosts,
	}
}

func addHost(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, 1); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	if c.String("board") == "" || c.String("address") == "" {
		return cli.Usage("say --board and --address; boards: %s", strings.Join(f.Boards, ", "))
	}
	h := scaffold.Host{
		Name: c.Args().First(), Address: c.String("address"), System: c.String("system"), Board: c.String("board"),
		Roles: c.StringSlice("role"), Stacks: c.StringSlice("stack"), Tags: c.StringSlice("tag"), Open: c.StringSlice("open"),
	}
	if err := setSystem(&h, f); err != nil {
		return err
	}
	files, err := h.Files()
	if err != nil {
		return err
	}
	if err := writeInFleet(c, f, "hosts/"+h.Name, files); err != nil || c.Bool("dry-run") {
		return err
	}
	fmt.Fprintf(c.App.ErrWriter, "next: git add hosts/%[1]s\n  with the machine's key: pisec host-key %[1]s --from-ssh %[2]s\n  then: pistack check %[1]s && pistack generate %[1]s\n", h.Name, h.Address)
	return nil
}

// setSystem gives the host the system of its board, and checks it.
func setSystem(h *scaffold.Host, f *fleet.Fleet) error {
	unknown := h.System == "" && fleet.SystemOf(h.Board) == ""
	switch {
	case unknown:
		h.System = "aarch64-linux" // for the check: the board may be misspelt
	case h.System == "":
		h.System = fleet.SystemOf(h.Board)
	}
	if err := newHostProblems(f.CheckHost(h.Name, h.TOML())); err != nil {
		return err
	}
	if unknown {
		return cli.Usage("%q is a board of your own: say --system aarch64-linux or x86_64-linux", h.Board)
	}
	return nil
}

// newHostProblems are the problems of a host.toml that nobody has seen: the
// flags are what is wrong, not a line.
func newHostProblems(err error) error {
	joined, ok := err.(interface{ Unwrap() []error })
	if !ok {
		return err
	}
	var all []error
	for _, e := range joined.Unwrap() {
		var p *fleet.Problem
		if errors.As(e, &p) && p.Line > 0 {
			e = &fleet.Problem{Message: p.Message, Fix: p.Fix}
		}
		all = append(all, e)
	}
	return errors.Join(all...)
}

// writeInFleet writes the files of a new folder of the fleet, and shows them.
func writeInFleet(c *ucli.Context, f *fleet.Fleet, folder string, files []scaffold.File) error {
	if err := scaffold.Refuse(f.Root, folder); err != nil {
		return err
	}
	if err := c.Context.Err(); err != nil {
		return err
	}
	if !c.Bool("dry-run") {
		if err := scaffold.Write(c.Context, f.Root, files); err != nil {
			return err
		}
	}
	for _, file := range files {
		fmt.Fprintf(c.App.Writer, "+ %s\n", file.Path)
	}
	return nil
}

// hostListing is the JSON form of "pistack host list"; it is only ever extended.
type hostListing struct {
	Schema int          `json:"schema"`
	Hosts  []listedHost `json:"hosts"`
}

type listedHost struct {
	Name    string   `json:"name"`
	Address string   `json:"address"`
	System  string   `json:"system"`
	Board   string   `json:"board"`
	User    string   `json:"user"`
	Port    int      `json:"port"`
	Roles   []string `json:"roles"`
	Stacks  []string `json:"stacks"`
	Tags    []string `json:"tags"`
	Pinned  bool     `json:"pinned"` // whether its ssh host key is in the repository
}

func listHosts(c *ucli.Context) error {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	hosts, err := f.Select(c.Args().Slice())
	if err != nil {
		return err
	}
	out := hostListing{Schema: 1, Hosts: []listedHost{}}
	for _, h := range hosts {
		_, err := h.PublicKey()
		out.Hosts = append(out.Hosts, listedHost{
			Name: h.Name, Address: h.Address, System: h.System, Board: h.Board, User: h.User, Port: h.Port,
			Roles: orNone(h.Roles), Stacks: orNone(h.Stacks), Tags: orNone(h.Tags), Pinned: err == nil,
		})
	}
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, out)
	}
	return printHosts(c.App.Writer, out)
}

// orNone is a list that JSON shows as [] when it is empty.
func orNone(list []string) []string { return append([]string{}, list...) }

func printHosts(w io.Writer, l hostListing) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "HOST\tADDRESS\tBOARD\tSTACKS\tROLES AND TAGS\tKEY")
	for _, h := range l.Hosts {
		key := "pinned"
		if !h.Pinned {
			key = "missing"
		}
		fmt.Fprintf(t, "%s\t%s\t%s\t%s\t%s\t%s\n", h.Name, h.Address, words(h.Board), words(h.Stacks...), words(append(h.Roles, h.Tags...)...), key)
	}
	return t.Flush()
}

func words(list ...string) string {
	if text := strings.Join(list, ","); text != "" {
		return text
	}
	return "-"
}

// completeHostAdd offers what the flag before the cursor can be.
func completeHostAdd(c *ucli.Context) {
	f, err := cli.LoadFleet(c)
	if err != nil {
		return
	}
	offers := map[string][]string{
		"--board": f.Boards, "--role": f.Roles, "--stack": f.Stacks, "--open": {fleet.AnyInterface},
		"--system": {"aarch64-linux", "x86_64-linux"},
	}
	for _, word := range offers[cli.Completing(os.Args)] {
		fmt.Fprintln(c.App.Writer, word)
	}
}

// completeBoards offers pistack's own boards, where there is no fleet yet.
func completeBoards(c *ucli.Context) {
	template, err := scaffold.Template()
	if err != nil || cli.Completing(os.Args) != "--board" {
		return
	}
	f, _ := fleet.LoadFS(template, "") // which lacks the operators
	for _, board := range f.Boards {
		fmt.Fprintln(c.App.Writer, board)
	}
}

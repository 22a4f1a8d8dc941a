package main

import (
	"errors"
	"fmt"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"pistack/internal/cli"
	"pistack/internal/disk"
	"pistack/internal/fleet"
	"pistack/internal/sdimage"
)

func imageInspectCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "inspect",
		Usage:     "tell whose image a file is, and with which key",
		ArgsUsage: "HOST|FILE",
		Description: `Reads the image without mounting it. Exits with 3 when the key in it is not the
one that is pinned for its host in this fleet.

Examples:
  pistack image inspect rpi-box-01
  pistack image inspect /tmp/rpi-box-01.img --json`,
		Flags:        []ucli.Flag{cli.FleetFlag(), cli.JSONFlag()},
		BashComplete: completeImages,
		Action:       inspectImage,
	}
}

// inspected is the JSON form; it is only ever extended.
type inspected struct {
	Schema  int    `json:"schema"`
	File    string `json:"file"`
	Size    int64  `json:"size"`
	Sealed  bool   `json:"sealed"`
	Host    string `json:"host,omitempty"`
	Board   string `json:"board,omitempty"`
	System  string `json:"system,omitempty"`
	Key     string `json:"key,omitempty"` // fingerprint of the private key in it
	Pinned  string `json:"pinned"`        // "yes", "no", or "unknown"
	NixOS   string `json:"nixos,omitempty"`
	Kernel  string `json:"kernel,omitempty"`
	Pistack string `json:"pistack,omitempty"`
}

func inspectImage(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, 1); err != nil {
		return err
	}
	img, i, err := openInspected(c, c.Args().First())
	if err != nil {
		return err
	}
	defer img.Close()
	if c.Bool("json") {
		err = cli.PrintJSON(c.App.Writer, i)
	} else {
		i.print(c)
	}
	if err == nil && i.Pinned == "no" {
		return cli.Differences()
	}
	return err
}

// openInspected opens the image of a host, or a file, and says what is in it.
func openInspected(c *ucli.Context, name string) (*sdimage.Image, inspected, error) {
	path, f, err := findImage(c, name)
	if err != nil {
		return nil, inspected{}, err
	}
	img, err := sdimage.Open(path, false)
	if err != nil {
		return nil, inspected{}, err
	}
	content, err := img.Inspect(c.Context)
	if err != nil {
		return nil, inspected{}, errors.Join(err, img.Close())
	}
	return img, inspect(f, img, content), nil
}

// inspect brings together what an image and the fleet, if any, tell.
func inspect(f *fleet.Fleet, img *sdimage.Image, content sdimage.Content) inspected {
	i := inspected{Schema: 1, File: img.Path, Size: img.Size, NixOS: content.NixOS, Kernel: content.Kernel, Pinned: "unknown"}
	if m := content.Marker; m != nil {
		i.Sealed, i.Host, i.Board, i.System, i.Pistack = content.Key != nil, m.Host, m.Board, m.System, m.Pistack
	}
	if content.Key == nil {
		return i
	}
	i.Key = ssh.FingerprintSHA256(content.Key)
	if f == nil || i.Host == "" {
		return i
	}
	if host, err := f.Host(i.Host); err == nil {
		i.Pinned = "no"
		if line, err := host.PublicKey(); err == nil && fingerprintOf(line) == i.Key {
			i.Pinned = "yes"
		}
	}
	return i
}

func (i inspected) print(c *ucli.Context) {
	w := c.App.Writer
	line := func(name, text string) {
		if text != "" {
			fmt.Fprintf(w, "%-8s %s\n", name, text)
		}
	}
	line("file", fmt.Sprintf("%s, %s", i.File, disk.Bytes(i.Size)))
	line("host", i.Host)
	line("board", i.Board)
	line("system", i.System)
	switch {
	case i.Key == "":
		line("key", "none: the first boot makes one")
	default:
		line("key", i.Key+map[string]string{"yes": ", pinned", "no": ", NOT the pinned one"}[i.Pinned])
	}
	line("nixos", i.NixOS)
	line("kernel", i.Kernel)
	line("pistack", i.Pistack)
}

package main

import (
	"fmt"
	"os"
	"time"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/disk"
	"pistack/internal/sdimage"
	"pistack/internal/term"
)

func imageWriteCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "write",
		Usage:     "write an image to an SD card",
		ArgsUsage: "HOST|FILE DEVICE",
		Description: `Shows the device and asks for its name, writes, syncs, reads everything back from
the card and compares. The disk that this machine runs on is never written. A
device that is mounted, in use, or not removable is written with --force only.

Examples:
  pistack image write rpi-box-01 /dev/sdb
  pistack image write rpi-box-01.img /dev/mmcblk0 --yes`,
		Flags: []ucli.Flag{
			cli.FleetFlag(),
			&ucli.BoolFlag{Name: "force", Usage: "also a device that is mounted or not removable"},
			cli.DryRunFlag(),
			cli.YesFlag(),
		},
		BashComplete: completeImages,
		Action:       writeImage,
	}
}

func writeImage(c *ucli.Context) error {
	if err := cli.Arguments(c, 2, 2); err != nil {
		return err
	}
	img, i, err := openInspected(c, c.Args().First())
	if err != nil {
		return err
	}
	defer img.Close()
	i.print(c)
	i.warn(c)
	device, err := disk.Machine{}.Find(c.Args().Get(1))
	if err != nil {
		return err
	}
	showDevice(c, device)
	if err := device.Check(img.Size, c.Bool("force")); err != nil {
		return err
	}
	if c.Bool("dry-run") {
		return nil
	}
	if err := cli.AgreeTyping(c, fmt.Sprintf("Everything on %s will be lost. Type its name, %s, to go on:", device.Path, device.Name), device.Name); err != nil {
		return err
	}
	card, err := disk.Machine{}.Open(device, img.Size, c.Bool("force"))
	if err != nil {
		return err
	}
	defer card.Close()
	if err := writeAndVerify(c, img, card); err != nil {
		return err
	}
	fmt.Fprintln(c.App.ErrWriter, i.whenWritten())
	return nil
}

// whenWritten says what to do when the card is written.
func (i inspected) whenWritten() string {
	if i.Key == "" {
		return "the card can be pulled out"
	}
	return fmt.Sprintf("the card can be pulled out; it holds a private key, and so does %s: remove that", i.File)
}

// warn says what will not work when the card is in the machine.
func (i inspected) warn(c *ucli.Context) {
	switch {
	case !i.Sealed:
		fmt.Fprintln(c.App.ErrWriter, "warning: the image is not sealed: the machine makes a key of its own, which is not pinned and opens no secret")
	case i.Pinned == "no":
		fmt.Fprintf(c.App.ErrWriter, "warning: its key is not the one that is pinned for %s: the machine will not be trusted, and cannot open its secrets\n", i.Host)
	}
}

func showDevice(c *ucli.Context, d disk.Device) {
	model := d.Model
	if model == "" {
		model = "unknown model"
	}
	state := "not mounted"
	if len(d.Mounts) > 0 {
		state = fmt.Sprintf("mounted at %v", d.Mounts)
	}
	kind := "removable"
	if !d.Removable {
		kind = "NOT removable"
	}
	fmt.Fprintf(c.App.Writer, "device   %s: %s, %s, %s, %s\n", d.Path, model, disk.Bytes(d.Size), kind, state)
}

// writeAndVerify writes the image and reads it back, with progress.
func writeAndVerify(c *ucli.Context, img *sdimage.Image, card *disk.Card) error {
	for _, step := range []struct {
		name string
		run  func(done func(int64)) error
	}{
		{"wrote", func(done func(int64)) error { return card.Write(c.Context, img.File(), img.Size, done) }},
		{"read back and compared", func(done func(int64)) error { return card.Verify(c.Context, img.File(), img.Size, done) }},
	} {
		begun := time.Now()
		progress := term.StartProgress(os.Stderr)
		err := step.run(func(done int64) {
			progress.Show("%s %s of %s (%d %%)", step.name, disk.Bytes(done), disk.Bytes(img.Size), done*100/img.Size)
		})
		progress.Stop()
		if err != nil {
			return err
		}
		fmt.Fprintf(c.App.Writer, "%s %s in %.1f s\n", step.name, disk.Bytes(img.Size), time.Since(begun).Seconds())
	}
	return nil
}

package main

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	"filippo.io/age"
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/run"
	"pistack/internal/sdimage"
)

func imageBuildCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "build",
		Usage:     "build a host's image and put its key into it",
		ArgsUsage: "HOST",
		Description: `Builds with Nix, copies the image out of the store, decompresses it and seals it.
The first boot has ssh with the pinned key and opens all secrets.

The key is the given one; or that of the image that was built before, when it is
pinned; or a new one. A new key is pinned, and the host's secrets are encrypted to
it before the image is built, because the image holds them: if the build fails, the
old key is put back. After a kill the next run makes another new key.
` + sealedHelp + `

An aarch64-linux image needs a machine that builds for it: a remote builder, or
emulation by binfmt. See docs/BUILDING_SD_IMAGE_ON_UBUNTU_X86.md.

Examples:
  pistack image build rpi-box-01              into images/rpi-box-01.img
  pistack image build rpi-box-01 --explain    print the commands and stop
  pistack image build rpi-box-01 --new-key    for a card whose predecessor was lost`,
		Flags: append(sealFlags(),
			&ucli.PathFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the image to `FILE` instead of images/HOST.img"},
			&ucli.BoolFlag{Name: "new-key", Usage: "make a new key even if the last image has the pinned one"},
			&ucli.BoolFlag{Name: "explain", Usage: "like --dry-run, and print the commands so that you could run them by hand"},
		),
		BashComplete: completeImages,
		Action:       buildImage,
	}
}

func buildImage(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 1, 1)
	if err != nil {
		return err
	}
	if c.Bool("new-key") && c.Path("key") != "" {
		return cli.Usage("say --key or --new-key")
	}
	return buildAndSeal(sealing{c: c, fleet: f, host: host}, c.Bool("new-key"))
}

// buildAndSeal does all of it. fresh has it make a new key in any case.
func buildAndSeal(s sealing, fresh bool) error {
	c, host := s.c, s.host
	b := &imageBuild{sealing: s, out: c.Path("out")}
	defer b.forget()
	if err := b.place(); err != nil {
		return err
	}
	if err := readyToBuild(c); err != nil {
		return err
	}
	if err := b.chooseKey(fresh); err != nil {
		return err
	}
	if err := b.plan(); err != nil {
		return err
	}
	b.show()
	if c.Bool("dry-run") || c.Bool("explain") {
		return nil
	}
	if err := cli.Agree(c, fmt.Sprintf("Build the image of %s?", host.Name)); err != nil {
		return err
	}
	return b.run()
}

// imageBuild is an image that is built and sealed.
type imageBuild struct {
	sealing
	out string
}

// place says where the image goes, and refuses a bad one before anything is built.
func (b *imageBuild) place() error {
	if b.out == "" {
		b.out = imageOf(b.fleet, b.host)
	} else if err := refuseCommittable(b.c.Context, b.fleet, b.out); err != nil {
		return err
	}
	return refuseForeign(b.c, b.out, b.host.Name)
}

// readyToBuild refuses a host whose generated files are not what its stacks say: the
// image would not be, either.
func readyToBuild(c *ucli.Context) error {
	w, results, err := openHosts(c)
	if err != nil {
		return err
	}
	defer w.Close()
	if err := refuseErrors(c, results, "no image was built"); err != nil {
		return err
	}
	changes, err := w.Plan(results[0])
	if err != nil {
		return err
	}
	host := results[0].Host
	if len(changes) > 0 {
		return &fleet.Problem{File: generate.Dir(host), Message: fmt.Sprintf("is stale (%s %s)", changes[0].Action, changes[0].File),
			Fix: fmt.Sprintf("pistack generate %s && git add hosts/%s", host.Name, host.Name)}
	}
	if missing := w.NotTracked(results[0]); len(missing) > 0 {
		return &fleet.Problem{Message: strings.Join(missing, ", ") + ": Git does not track it, so the flake would not see it", Fix: "git add " + strings.Join(missing, " ")}
	}
	return nil
}

// chooseKey takes the given key, or the pinned one out of the last image, or a new
// one.
func (b *imageBuild) chooseKey(fresh bool) error {
	if b.c.Path("key") != "" || fresh {
		return b.makeKey()
	}
	pinned, err := b.host.PublicKey()
	if err != nil {
		return b.makeKey() // none is pinned
	}
	img, err := sdimage.Open(b.out, false)
	if errors.Is(err, fs.ErrNotExist) {
		return b.makeKey() // there is no last image
	}
	if err != nil {
		return err
	}
	defer img.Close()
	found, err := img.HostKey(b.c.Context)
	if err != nil {
		return err
	}
	if found.Public == nil || found.Fingerprint() != fingerprintOf(pinned) {
		found.Forget()
		return b.makeKey()
	}
	b.key, b.origin = found, "of the last image"
	return nil
}

func (b *imageBuild) show() {
	showKeyChange(b.c, b.change, b.key.Fingerprint()+" ("+b.origin+")")
	fmt.Fprintf(b.c.App.Writer, "image:  %s\n", shown(b.out))
	if b.c.Bool("explain") {
		for _, command := range b.commands() {
			fmt.Fprintf(b.c.App.Writer, "(cd %s && %s)\n", run.Quote(b.fleet.Root), command)
		}
		return
	}
	fmt.Fprintf(b.c.App.Writer, "%s\n", b.nix("sdImage", "--out-link", b.link()))
}

// commands are what is run, in order.
func (b *imageBuild) commands() []run.Command {
	image := b.nix("sdImage", "--out-link", b.link())
	if len(b.change.Rekey.Changes) == 0 {
		return []run.Command{image}
	}
	return []run.Command{b.nix("toplevel", "--no-link"), image}
}

// run builds, in one of two orders. Without secrets that change, nothing of the
// fleet is touched before the image is there. Else they have to change first; what
// takes long is built before that, so that little can go wrong in between.
func (b *imageBuild) run() error {
	if err := makeImagesDir(b.fleet); err != nil {
		return err
	}
	if len(b.change.Rekey.Changes) == 0 {
		last, err := b.build()
		if err != nil {
			return err
		}
		defer b.image.Discard()
		if err := b.change.Apply(last); err != nil {
			return err
		}
		return b.done()
	}
	identities, err := b.identities()
	if err != nil {
		return err
	}
	if err := b.stream(b.nix("toplevel", "--no-link")); err != nil {
		return err
	}
	if err := b.change.Apply(nil, identities...); err != nil {
		return err
	}
	if err := b.buildRekeyed(); err != nil {
		return errors.Join(err, b.putBack(identities))
	}
	return b.done()
}

// buildRekeyed builds and seals when the host's secrets are for the new key.
func (b *imageBuild) buildRekeyed() error {
	last, err := b.build()
	if err != nil {
		return err
	}
	defer b.image.Discard()
	return last()
}

// putBack undoes the change of key after a build that failed.
func (b *imageBuild) putBack(identities []age.Identity) error {
	lost := fmt.Sprintf("hosts/%s has a key that is in no image", b.host.Name)
	if b.change.Old == "" {
		return &fleet.Problem{Message: lost, Fix: "run this again: it makes another one"}
	}
	back, err := b.change.Back()
	if err == nil {
		err = back.Apply(nil, identities...)
	}
	if err != nil {
		return errors.Join(&fleet.Problem{Message: lost, Fix: "run this again, or git checkout hosts/" + b.host.Name}, err)
	}
	fmt.Fprintf(b.c.App.ErrWriter, "note: the old key of %s is pinned again, and its secrets are for that key\n", b.host.Name)
	return nil
}

// build runs Nix, makes a draft of the image and computes the sealed one; the
// function that it returns writes it.
func (b *imageBuild) build() (func() error, error) {
	if err := b.stream(b.nix("sdImage", "--out-link", b.link())); err != nil {
		return nil, err
	}
	link := filepath.Join(b.fleet.Root, b.link())
	defer os.Remove(link)
	file, err := imageIn(link)
	if err != nil {
		return nil, err
	}
	if b.image, err = unpackImage(b.c, file, b.out); err != nil {
		return nil, err
	}
	last, err := b.check()
	if err != nil {
		return nil, errors.Join(err, b.image.Discard())
	}
	return last, nil
}

// check refuses an image of another host, and prepares to seal it.
func (b *imageBuild) check() (func() error, error) {
	content, err := b.image.Inspect(b.c.Context)
	if err != nil {
		return nil, err
	}
	if !content.Of(b.host.Name) {
		return nil, &sdimage.Error{File: b.out, Message: fmt.Sprintf("Nix built %s, and not a system of %s", content.NixOS, b.host.Name), Fix: "networking.hostName has to be the host's name"}
	}
	return b.prepare()
}

// shown is a path as somebody in the current folder would write it.
func shown(path string) string {
	here, err := os.Getwd()
	if err != nil {
		return path
	}
	if relative, err := filepath.Rel(here, path); err == nil && !strings.HasPrefix(relative, "..") {
		return relative
	}
	return path
}

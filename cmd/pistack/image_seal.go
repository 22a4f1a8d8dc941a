package main

import (
	"fmt"
	"os"
	"strings"

	"filippo.io/age"
	ucli "github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"pistack/internal/cli"
	"pistack/internal/disk"
	"pistack/internal/fleet"
	"pistack/internal/readers"
	"pistack/internal/sdimage"
	"pistack/internal/term"
)

func imageSealCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "seal",
		Usage:     "put a host's key into an image that was built before",
		ArgsUsage: "HOST FILE",
		Description: `FILE is an image of NixOS's sd-image modules, raw or compressed by zstd. A raw one
is sealed where it is, without root and without mounting it: at any time it is
either as it was, or sealed. The host's key is pinned and its secrets are encrypted
to it in the same transaction.

An image holds the secrets as they were encrypted when it was built. With another
key its first boot cannot open them; a deploy brings the new ones. "pistack image
build" does it in the right order.
` + sealedHelp + `

Examples:
  pistack image seal rpi-box-01 nixos-image-sd-card.img.zst --out rpi-box-01.img
  pistack image seal rpi-box-01 rpi-box-01.img --key old_card/ssh_host_ed25519_key`,
		Flags: append(sealFlags(),
			&ucli.PathFlag{Name: "out", Aliases: []string{"o"}, Usage: "write the sealed image to `FILE`, and leave the given one as it is"}),
		BashComplete: completeImages,
		Action:       sealImage,
	}
}

// sealFlags are those of everything that seals.
func sealFlags() []ucli.Flag {
	return []ucli.Flag{
		cli.FleetFlag(),
		&ucli.PathFlag{Name: "key", Usage: "use the host key in `FILE`, an ssh-ed25519 private key, instead of a new one"},
		cli.IdentityFlag(),
		cli.DryRunFlag(),
		cli.YesFlag(),
	}
}

func sealImage(c *ucli.Context) error {
	f, host, err := cli.LoadHost(c, 2, 2)
	if err != nil {
		return err
	}
	file := c.Args().Get(1)
	img, err := openToSeal(c, f, host, file)
	if err != nil {
		return err
	}
	defer img.Discard()
	s := &sealing{c: c, fleet: f, host: host, image: img}
	defer s.forget()
	if err := s.takeKey(); err != nil {
		return err
	}
	return s.run()
}

// openToSeal opens an image in place, or makes a draft where another file was asked
// for or is needed.
func openToSeal(c *ucli.Context, f *fleet.Fleet, host fleet.Host, file string) (*sdimage.Image, error) {
	out := c.Path("out")
	if out == "" && !strings.HasSuffix(file, ".zst") {
		if err := refuseCommittable(c.Context, f, file); err != nil {
			return nil, err
		}
		return sdimage.Open(file, true)
	}
	if out == "" {
		out = strings.TrimSuffix(file, ".zst")
	}
	if err := refuseCommittable(c.Context, f, out); err != nil {
		return nil, err
	}
	if err := refuseForeign(c, out, host.Name); err != nil {
		return nil, err
	}
	return unpackImage(c, file, out)
}

// unpackImage makes a draft, with progress.
func unpackImage(c *ucli.Context, file, out string) (*sdimage.Image, error) {
	progress := term.StartProgress(os.Stderr)
	defer progress.Stop()
	return sdimage.Unpack(c.Context, file, out, func(done, total int64) {
		progress.Show("reading %s: %s of %s", file, disk.Bytes(done), disk.Bytes(total))
	})
}

// sealing is an image that gets the key of a host.
type sealing struct {
	c        *ucli.Context
	fleet    *fleet.Fleet
	host     fleet.Host
	replaces bool // the old machine or card is gone, and what it knows is asked for
	image    *sdimage.Image
	key      sdimage.HostKey
	origin   string // where the key comes from
	inside   bool   // it is in the image already
	change   *readers.KeyChange
}

func (s *sealing) forget() { s.key.Forget() }

// takeKey takes the key that the image has already, after a run that was killed
// before it was pinned, or the given one, or a new one.
func (s *sealing) takeKey() error {
	found, err := s.image.HostKey(s.c.Context)
	if err != nil {
		return err
	}
	content, err := s.image.Inspect(s.c.Context)
	if err != nil {
		return err
	}
	if !content.Of(s.host.Name) {
		return &sdimage.Error{File: s.image.Path, Message: fmt.Sprintf("holds the system %s, and not one of %s", content.NixOS, s.host.Name), Fix: "pistack image build " + s.host.Name}
	}
	if found.Public == nil {
		return s.makeKey()
	}
	s.key, s.origin, s.inside = found, "the one that is in it", true
	if marked := content.Marker; marked == nil || marked.Host != s.host.Name {
		return &sdimage.Error{File: s.image.Path, Message: "has a host key already, and not from being sealed for " + s.host.Name, Fix: "build the image anew: pistack image build " + s.host.Name}
	}
	if file := s.c.Path("key"); file != "" {
		given, err := sdimage.ReadHostKey(file)
		if err != nil {
			return err
		}
		given.Forget()
		if !given.Is(found.Public) {
			return &sdimage.Error{File: s.image.Path, Message: "is sealed with another key than the given one", Fix: "build the image anew: pistack image build " + s.host.Name}
		}
	}
	return nil
}

// makeKey reads the given key or makes one.
func (s *sealing) makeKey() (err error) {
	if file := s.c.Path("key"); file != "" {
		s.key, err = sdimage.ReadHostKey(file)
		s.origin = "of " + file
		return err
	}
	s.key, err = sdimage.NewHostKey(s.host.Name)
	s.origin = "new"
	return err
}

// run shows what would be done, asks, and does it: when every file of the fleet is
// ready, the image is sealed, and then they are replaced.
func (s *sealing) run() error {
	if err := s.plan(); err != nil {
		return err
	}
	if s.inside && !s.change.Needed() {
		return s.keep()
	}
	last, err := s.prepare()
	if err != nil {
		return err
	}
	s.show()
	if s.c.Bool("dry-run") {
		return nil
	}
	if err := cli.Agree(s.c, fmt.Sprintf("Seal the image for %s?", s.host.Name)); err != nil {
		return err
	}
	identities, err := s.identities()
	if err != nil {
		return err
	}
	if err := s.c.Context.Err(); err != nil {
		return err
	}
	if err := s.change.Apply(last, identities...); err != nil {
		return err
	}
	return s.done()
}

// keep leaves an image alone that has the pinned key, and a copy of it where one was
// asked for.
func (s *sealing) keep() error {
	if !s.c.Bool("dry-run") {
		if err := s.image.Keep(); err != nil {
			return err
		}
	}
	fmt.Fprintf(s.c.App.Writer, "%s is sealed already\n", s.image.Name())
	return nil
}

func (s *sealing) plan() (err error) {
	s.change, err = readers.PlanKey(s.fleet, s.host, s.key.Public, readers.Plugins(s.fleet, s.c.App.ErrWriter))
	return err
}

// prepare computes the sealed image; the function that it returns writes it.
func (s *sealing) prepare() (func() error, error) {
	if s.inside {
		return s.image.Keep, nil
	}
	prepared, err := s.image.Prepare(s.c.Context, s.key, sdimage.Marker{
		Host: s.host.Name, Board: s.host.Board, System: s.host.System, Pistack: cli.Version(),
	})
	if err != nil {
		return nil, err
	}
	return prepared.Apply, nil
}

// identities are needed only when there are secrets to encrypt anew.
func (s *sealing) identities() ([]age.Identity, error) {
	if len(s.change.Rekey.Changes) == 0 {
		return nil, nil
	}
	return readers.Identities(s.c.Context, s.c.Path("identity"), readers.Plugins(s.fleet, s.c.App.ErrWriter))
}

func (s *sealing) show() {
	w := s.c.App.Writer
	showKeyChange(s.c, s.change, s.key.Fingerprint()+" ("+s.origin+")")
	if n := len(s.change.Rekey.Changes); n > 0 && !s.inside {
		fmt.Fprintf(s.c.App.ErrWriter, "warning: the image holds the secrets as they were when it was built: its first boot opens them only if that was with this key; else deploy, or use pistack image build\n")
	}
	fmt.Fprintf(w, "image:  %s, %s\n", s.image.Name(), disk.Bytes(s.image.Size))
}

// showKeyChange says which key goes and comes, and which files follow.
func showKeyChange(c *ucli.Context, change *readers.KeyChange, key string) {
	w := c.App.Writer
	fmt.Fprintf(w, "pinned: %s\nkey:    %s\n", fingerprintOf(change.Old), key)
	for _, r := range change.Rekey.Changes {
		fmt.Fprintf(w, "~ %s: %s\n", r.Entry.File, r.Difference)
	}
	if change.Old != "" && !readers.SameKey(change.Old, change.New) {
		fmt.Fprintf(c.App.ErrWriter, "note: a machine that runs as %s with the pinned key will not be trusted any more, and cannot open what it gets\n", change.Host.Name)
	}
}

// fingerprintOf is that of a key's line.
func fingerprintOf(line string) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(line))
	if err != nil {
		return "none"
	}
	return ssh.FingerprintSHA256(key)
}

// done says what was done and what comes next.
func (s *sealing) done() error {
	fmt.Fprintf(s.c.App.Writer, "sealed %s\n", s.image.Name())
	fmt.Fprintf(s.c.App.ErrWriter, "next: git add hosts/%s && git commit, then pistack image write %s /dev/…\n", s.host.Name, s.image.Name())
	if s.replaces {
		return readers.PrintReplaced(s.c.Context, s.c.App.Writer, s.change)
	}
	readers.PrintLost(s.c.Context, s.c.App.Writer, s.fleet, s.change.Rekey)
	return nil
}

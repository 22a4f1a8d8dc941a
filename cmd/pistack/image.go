package main

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/sdimage"
	"pistack/secrets/durable"
)

func imageCommand() *ucli.Command {
	return &ucli.Command{
		Name:        "image",
		Usage:       "make SD cards that boot with the pinned host key",
		Subcommands: []*ucli.Command{imageBuildCommand(), imageSealCommand(), imageWriteCommand(), imageInspectCommand()},
	}
}

// sealedHelp is what everybody should know who has a sealed image.
const sealedHelp = `
A sealed image holds the host's private key: whoever has the file, or the card, is
that machine and can read its secrets. It has mode 0600. Remove it when the card is
written. The key is made in memory, and is on no disk of this workstation but in
that file; after a kill, what the run left beside it (NAME.partial, NAME.sealing)
may hold it as well, and is removed or put back by the next run.`

// imagesDir is where images of a fleet are, relative to its root. Git ignores it.
const imagesDir = "images"

// imageOf is where the image of a host is built.
func imageOf(f *fleet.Fleet, host fleet.Host) string {
	return filepath.Join(f.Root, imagesDir, host.Name+".img")
}

// makeImagesDir makes the folder, for its owner alone, and has Git ignore it.
func makeImagesDir(f *fleet.Fleet) error {
	dir := filepath.Join(f.Root, imagesDir)
	if err := durable.MkdirAll(dir); err != nil {
		return err
	}
	if err := os.Chmod(dir, 0o700); err != nil {
		return err
	}
	return os.WriteFile(filepath.Join(dir, ".gitignore"), []byte("*\n"), 0o600)
}

// refuseCommittable refuses a place for an image from which "git add" would take it.
func refuseCommittable(ctx context.Context, f *fleet.Fleet, path string) error {
	places, err := realPlaces(path)
	if err != nil {
		return err
	}
	root, err := filepath.EvalSymlinks(f.Root)
	if err != nil {
		return err
	}
	for _, place := range places {
		inside, err := filepath.Rel(root, place)
		if err != nil || inside == ".." || strings.HasPrefix(inside, "../") {
			continue
		}
		if err := refuseTracked(ctx, f, path, inside); err != nil {
			return err
		}
	}
	return nil
}

// realPlaces is where a file is or would be, without symlinks in its folders: by its
// name, and where a symlink of that name leads.
func realPlaces(path string) ([]string, error) {
	absolute, err := filepath.Abs(path)
	if err != nil {
		return nil, err
	}
	var places []string
	if target, err := filepath.EvalSymlinks(absolute); err == nil {
		places = append(places, target)
	}
	dir, rest := filepath.Dir(absolute), filepath.Base(absolute)
	for {
		target, err := filepath.EvalSymlinks(dir)
		if err == nil {
			return append(places, filepath.Join(target, rest)), nil
		}
		if !errors.Is(err, fs.ErrNotExist) || dir == filepath.Dir(dir) {
			return nil, err
		}
		dir, rest = filepath.Dir(dir), filepath.Join(filepath.Base(dir), rest)
	}
}

// refuseTracked refuses a file of the fleet, relative to its root, that Git does not
// ignore.
func refuseTracked(ctx context.Context, f *fleet.Fleet, path, inside string) error {
	tree, err := git.Read(ctx, f.Root)
	var none *git.NotARepository
	if errors.As(err, &none) {
		return nil
	}
	if err != nil {
		return err
	}
	defer tree.Close()
	ignored, err := tree.Ignored(filepath.ToSlash(inside))
	if err == nil && !ignored {
		err = &sdimage.Error{File: path, Message: "git add would take it into the history, with the private key", Fix: "name a place outside of the fleet, or one that .gitignore lists"}
	}
	return err
}

// refuseForeign refuses to replace a file that is not an image of the host, after it
// has put back one that a killed run was sealing.
func refuseForeign(c *ucli.Context, path, host string) error {
	if _, err := sdimage.Recover(path); err != nil {
		return err
	}
	if _, err := os.Lstat(path); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	img, err := sdimage.Open(path, false)
	if err == nil {
		defer img.Close()
		content, err := img.Inspect(c.Context)
		if err == nil && content.Marker != nil && content.Marker.Host == host {
			return nil
		}
	}
	return &sdimage.Error{File: path, Message: "exists, and is not a sealed image of " + host, Fix: "move it away, or name another place with --out"}
}

// findImage takes an argument that names a host, or a file with an image. f is nil
// where there is no fleet.
func findImage(c *ucli.Context, argument string) (path string, f *fleet.Fleet, err error) {
	f, err = cli.LoadFleet(c)
	if err == nil {
		if host, err := f.Host(argument); err == nil {
			return imageOf(f, host), f, nil
		}
	}
	if isFile(argument) {
		return argument, f, nil
	}
	if err != nil {
		return "", nil, fmt.Errorf("%s: is not a file, and there is no fleet in which it could be a host: %w", argument, err)
	}
	_, err = f.Host(argument)
	return "", nil, err
}

// isFile tells whether an argument is meant as a file: one that is there, or was
// until a killed run set it aside, or what no host can be called.
func isFile(argument string) bool {
	_, err := os.Stat(argument)
	return err == nil || sdimage.Unfinished(argument) || strings.ContainsAny(argument, "/.")
}

// completeImages offers hosts for the first argument.
func completeImages(c *ucli.Context) { cli.CompleteHosts(c) }

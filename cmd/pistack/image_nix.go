package main

import (
	"errors"
	"fmt"
	"path/filepath"
	"strings"

	"pistack/internal/fleet"
	"pistack/internal/run"
	"pistack/internal/sdimage"
)

// nix builds a part of the host's image configuration.
func (b *imageBuild) nix(part string, flags ...string) run.Command {
	argv := append([]string{"nix", "--extra-experimental-features", "nix-command flakes", "build", "--print-build-logs"}, flags...)
	return run.Command{
		Argv: append(argv, fmt.Sprintf(".#nixosConfigurations.%s-sd.config.system.build.%s", b.host.Name, part)),
		Dir:  b.fleet.Root,
	}
}

// link keeps the result from being collected as garbage while it is copied.
func (b *imageBuild) link() string { return filepath.Join(imagesDir, "."+b.host.Name+".result") }

// stream runs a command and passes on what it says.
func (b *imageBuild) stream(command run.Command) error {
	fmt.Fprintf(b.c.App.ErrWriter, "%s: %s\n", b.host.Name, command)
	err := run.Stream(b.c.Context, command, func(line string) { fmt.Fprintf(b.c.App.ErrWriter, "%s | %s\n", b.host.Name, line) })
	var failed *run.Error
	switch {
	case b.c.Context.Err() != nil:
		return b.c.Context.Err()
	case errors.As(err, &failed) && failed.Code > 0:
		return &buildError{fmt.Errorf("%s: nix build failed with status %d", b.host.Name, failed.Code), buildHint(b.host, failed.Last)}
	}
	return err
}

// buildError is a build that failed.
type buildError struct {
	error
	fix string
}

func (e *buildError) Hint() string { return e.fix }

// buildHint knows what most often is wrong.
func buildHint(host fleet.Host, last []string) string {
	said := strings.Join(last, "\n")
	switch {
	case strings.Contains(said, "required to build"), strings.Contains(said, "Exec format error"), strings.Contains(said, "platform mismatch"):
		return fmt.Sprintf("nothing here builds for %s: set up a remote builder or binfmt, see docs/BUILDING_SD_IMAGE_ON_UBUNTU_X86.md", host.System)
	case strings.Contains(said, "No space left"):
		return "the disk is full: nix-collect-garbage makes room in the store"
	}
	return "see what Nix says above; --explain prints the command"
}

// imageIn finds the image in a result of NixOS's sd-image modules.
func imageIn(result string) (string, error) {
	for _, pattern := range []string{"sd-image/*.img.zst", "sd-image/*.img"} {
		found, err := filepath.Glob(filepath.Join(result, pattern))
		if err == nil && len(found) == 1 {
			return found[0], nil
		}
	}
	return "", &sdimage.Error{File: result, Message: "Nix built no image in sd-image/", Fix: "the configuration HOST-sd has to import NixOS's sd-image modules, as pistack's do"}
}

package main

import (
	"bytes"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"
	"unicode"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/secrets"
)

// maxRaw bounds what is shown of a file that is no secret, in bytes; maxShown
// what is read of any.
const (
	maxRaw   = 64 << 10
	maxShown = 4 << 20
)

func textconvCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "textconv",
		Usage:     "describe an encrypted file, for git diff",
		ArgsUsage: "FILE",
		Description: `Prints what the header tells without a key, and a fingerprint of the encrypted
payload: a rekey changes readers and keeps it, a new value changes it. "git diff"
and "git log -p" show that instead of base64 after "pisec git-setup".

Readers are named as far as the fleet of now knows their keys; the current folder or
--fleet says which one. age keys are anonymous in a header. Nothing is verified: see
"pisec verify". A file that is no secret is shown as it is, without an error.

Examples:
  pisec textconv hosts/rpi-box-01/secrets/OPENAI_KEY.age
  pisec git-setup && git log -p hosts/rpi-box-01/secrets`,
		Flags:        []ucli.Flag{cli.FleetFlag()},
		BashComplete: completeFiles,
		Action:       textconv,
	}
}

func textconv(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, 1); err != nil {
		return err
	}
	data, err := readShown(c.Args().First())
	if err != nil {
		return err
	}
	header, err := secrets.ReadHeader(bytes.NewReader(data))
	if err != nil {
		return showRaw(c.App.Writer, data, err)
	}
	ciphertext, err := secrets.ReadCiphertext(data)
	if err != nil {
		return showRaw(c.App.Writer, data, err)
	}
	return describe(c.App.Writer, header, ciphertext.Payload[:], sourcesOf(c))
}

// readShown reads a regular file, of a large one only the beginning.
func readShown(path string) ([]byte, error) {
	info, err := os.Stat(path)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() {
		return nil, fmt.Errorf("%s is not a regular file", path)
	}
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	return io.ReadAll(io.LimitReader(f, maxShown))
}

// describe prints a header in an order that does not depend on that of its
// stanzas, which a rekey may change.
func describe(w io.Writer, h secrets.Header, payload []byte, sources map[string][]string) error {
	var readers []string
	for _, s := range h.Readers {
		text := strings.TrimSpace(s.Type + " " + s.Tag)
		if known := sources[s.Tag]; s.Tag != "" && len(known) > 0 {
			text += " (" + strings.Join(known, ", ") + ")"
		}
		readers = append(readers, text)
	}
	slices.Sort(readers)
	set := "unknown"
	if at, err := h.Label.SetAt(); err == nil {
		set = at.Format(time.RFC3339)
	}
	text := fmt.Sprintf("host:    %s\nname:    %s\nversion: %s\nset at:  %s\npayload: %x\n", h.Label.Host, h.Label.Name, h.Label.Version, set, payload[:8])
	for _, r := range readers {
		text += "reader:  " + r + "\n"
	}
	_, err := io.WriteString(w, text)
	return err
}

// sourcesOf names the ssh keys of the fleet by their tag. Without a fleet, or for
// keys that are not in order, there are no names.
func sourcesOf(c *ucli.Context) map[string][]string {
	sources := map[string][]string{}
	f, err := cli.LoadFleet(c)
	if f == nil || err != nil {
		return sources
	}
	add := func(source, text string) {
		// Without plugins: a diff starts none.
		if r, err := secrets.ParseReader(source, text, nil); err == nil && r.Tag != "" {
			sources[r.Tag] = append(sources[r.Tag], source)
		}
	}
	for _, h := range f.Hosts {
		if key, err := h.PublicKey(); err == nil {
			add(h.Dir()+"/"+fleet.KeyFile, key)
		}
	}
	for i, text := range f.Operators {
		add(fleet.OperatorSource(i), text)
	}
	return sources
}

// showRaw prints the beginning of a file that is no secret. An error would end
// "git log -p" there.
func showRaw(w io.Writer, data []byte, reason error) error {
	text := strings.Map(func(r rune) rune {
		if r == '\n' || r == '\t' || unicode.IsPrint(r) {
			return r
		}
		return unicode.ReplacementChar
	}, string(data[:min(len(data), maxRaw)]))
	if text != "" && !strings.HasSuffix(text, "\n") {
		text += "\n"
	}
	if len(data) > maxRaw {
		text += fmt.Sprintf("… and more, after %d bytes\n", maxRaw)
	}
	_, err := fmt.Fprintf(w, "not a secret of pisec: %v\n%s", reason, text)
	return err
}

// completeFiles offers the fleet's secrets as paths from the current folder.
func completeFiles(c *ucli.Context) {
	f, err := cli.LoadFleet(c)
	here, dirErr := os.Getwd()
	if err != nil || dirErr != nil || c.NArg() > 0 {
		return
	}
	for _, h := range f.Hosts {
		entries, _ := secrets.Store{Root: f.Root}.List(h.Name)
		for _, e := range entries {
			if path, err := filepath.Rel(here, filepath.Join(f.Root, e.File)); err == nil {
				fmt.Fprintln(c.App.Writer, path)
			}
		}
	}
}

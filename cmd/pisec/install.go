package main

import (
	"bytes"
	"fmt"
	"io"
	"os"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
	"pistack/secrets/install"
	"pistack/secrets/manifest"
)

func installCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "install",
		Usage:     "on a device: decrypt its secrets into memory",
		ArgsUsage: "MANIFEST",
		Description: `Run by pistack-secrets.service. All secrets are decrypted before anything is
changed; if one fails, the old ones stay in place and every culprit is named.

Examples:
  pisec install /nix/store/…-pistack-manifest.json
  pisec install --check manifest.json
  pisec install --try "$XDG_RUNTIME_DIR/try" manifest.json`,
		Flags: []ucli.Flag{
			&ucli.BoolFlag{Name: "check", Usage: "only check manifest and files; needs no key"},
			&ucli.PathFlag{Name: "output", Usage: "with --check: write the manifest to `FILE` when it is right, as the builder of a system does"},
			&ucli.PathFlag{Name: "try", Usage: "install below `DIR` (on a tmpfs) as this user, to see what a device would do"},
		},
		Action: installManifest,
	}
}

func installManifest(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, 1); err != nil {
		return err
	}
	if c.IsSet("output") && !c.Bool("check") {
		return cli.Usage("--output goes with --check")
	}
	file, err := os.Open(c.Args().First())
	if err != nil {
		return fmt.Errorf("manifest: %w", err)
	}
	defer file.Close()
	var text bytes.Buffer
	m, err := manifest.Read(io.TeeReader(file, &text))
	if err != nil {
		return err
	}
	if c.Bool("check") {
		return checkManifest(c, m, text.Bytes())
	}
	report, err := install.Run(m, install.Options{Try: c.Path("try")})
	if err != nil {
		return err
	}
	showReport(c.App.Writer, report)
	return nil
}

func checkManifest(c *ucli.Context, m *manifest.Manifest, text []byte) error {
	if err := install.Check(m); err != nil {
		return err
	}
	if output := c.Path("output"); output != "" {
		if err := os.WriteFile(output, text, 0o444); err != nil {
			return fmt.Errorf("--output: %w", err)
		}
	}
	_, err := fmt.Fprintf(c.App.Writer, "%s: %s, %s, %s: ok\n", m.Host,
		cli.Count(len(m.Secrets), "secret"), cli.Count(len(m.Files), "file"), cli.Count(len(m.EnvFiles), "env file"))
	return err
}

// showReport names what changed; the journal of the device keeps it.
func showReport(w io.Writer, r install.Report) {
	if r.Same() {
		fmt.Fprintf(w, "%s: generation %d is up to date, %s\n", r.Root, r.Generation, cli.Count(r.Unchanged, "file"))
		return
	}
	fmt.Fprintf(w, "%s: generation %d: %d added, %d changed, %d removed, %d unchanged\n",
		r.Root, r.Generation, len(r.Added), len(r.Changed), len(r.Removed), r.Unchanged)
	for _, group := range []struct {
		symbol string
		paths  []string
	}{{"+", r.Added}, {"~", r.Changed}, {"-", r.Removed}} {
		for _, p := range group.paths {
			fmt.Fprintf(w, "  %s %s\n", group.symbol, p)
		}
	}
}

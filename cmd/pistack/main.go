// Command pistack runs a fleet of Raspberry Pis from one Git repository: it
// checks their Compose stacks, generates their NixOS modules, and deploys.
package main

import (
	"io"
	"os"
	"runtime/debug"

	"github.com/sirupsen/logrus"
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
)

func main() {
	if os.Getenv("GOGC") == "" {
		debug.SetGCPercent(400) // loading stacks makes garbage: a third of the time goes, for memory that is small anyway
	}
	logrus.SetOutput(io.Discard) // compose-go logs what we report as findings, without a place
	os.Exit(cli.Main(app()))
}

func app() *ucli.App {
	return &ucli.App{
		Name:  "pistack",
		Usage: "Compose stacks on a fleet of NixOS machines, from one Git repository",
		Description: `Plain Compose files and encrypted secrets go in, generated NixOS modules come
out, nixos-rebuild deploys them. Begin with pistack init; then work in this order:
pisec add, pistack check, pistack lock, pistack generate, git commit, pistack deploy.

` + cli.ExitHelp,
		Commands: []*ucli.Command{
			initCommand(), hostCommand(), stackCommand(), checkCommand(), lockCommand(), buildCommand(), generateCommand(), diffCommand(), planCommand(), deployCommand(),
			statusCommand(), rollbackCommand(), logsCommand(), execCommand(), rebootCommand(), unlockCommand(), doctorCommand(), imageCommand(),
		},
	}
}

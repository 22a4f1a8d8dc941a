// Command pisec keeps container secrets in a fleet repository, encrypted to
// each machine, and installs them on the machine.
package main

import (
	"io"
	"os"
	"syscall"

	"github.com/sirupsen/logrus"
	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
)

func main() {
	noCoreDumps()
	logrus.SetOutput(io.Discard) // compose-go would log what an env file refers to, which can be half of a password
	os.Exit(cli.Main(app()))
}

func app() *ucli.App {
	return &ucli.App{
		Name:  "pisec",
		Usage: "container secrets in Git, encrypted to the machine that needs them",
		Description: `A secret is one age file, hosts/HOST/secrets/NAME.age. The host's ssh key and
the operators of fleet.toml can read it; "age -d -i KEY FILE" opens it too.

` + cli.ExitHelp,
		Commands: []*ucli.Command{
			addCommand(), listCommand(), showCommand(), editCommand(), rotateCommand(), rmCommand(),
			cpCommand(), importCommand(),
			hostKeyCommand(), rekeyCommand(), verifyCommand(), auditCommand(), operatorsCommand(),
			textconvCommand(), gitSetupCommand(),
			installCommand(),
		},
	}
}

// noCoreDumps keeps plaintext out of core files. Best effort: where the limit
// cannot be set, nothing else would work better.
func noCoreDumps() {
	_ = syscall.Setrlimit(syscall.RLIMIT_CORE, &syscall.Rlimit{})
}

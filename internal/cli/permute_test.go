package cli

import (
	"slices"
	"strings"
	"testing"

	"github.com/urfave/cli/v2"
)

// TestPermute looks inside: through Main the order of flags does not show.
func TestPermute(t *testing.T) {
	app := &cli.App{
		Name:  "app",
		Flags: []cli.Flag{&cli.StringFlag{Name: "global"}, &cli.BoolFlag{Name: "quiet"}},
		Commands: []*cli.Command{{
			Name: "add", Aliases: []string{"a"},
			Flags: []cli.Flag{
				&cli.StringFlag{Name: "file", Aliases: []string{"f"}},
				&cli.PathFlag{Name: "dir"},
				&cli.BoolFlag{Name: "replace"},
				&cli.IntFlag{Name: "count", Aliases: []string{"n"}},
			},
		}},
	}
	for _, c := range []struct{ name, in, want string }{
		{"nothing", "", ""},
		{"command alone", "add", "add"},
		{"no flags", "add x y", "add x y"},
		{"flags first already", "add --replace --file a x y", "add --replace --file a x y"},
		{"bool after the arguments", "add x y --replace", "add --replace x y"},
		{"value after the arguments", "add x --file a y", "add --file a x y"},
		{"value that looks like a flag", "add x --file --replace y", "add --file --replace x y"},
		{"value with =", "add x --file=a y", "add --file=a x y"},
		{"short", "add x -f a y -n 3", "add -f a -n 3 x y"},
		{"one dash", "add x -file a y", "add -file a x y"},
		{"path", "add x --dir /a y", "add --dir /a x y"},
		{"order of flags is kept", "add --count 1 x --count 2", "add --count 1 --count 2 x"},
		{"value is missing", "add x --file", "add --file x"},
		{"dash is an argument", "add - --replace", "add --replace -"},
		{"dash as a value", "add x --file - y", "add --file - x y"},
		{"after --", "add x -- --replace y", "add -- x --replace y"},
		{"before and after --", "add x --replace -- --file y", "add --replace -- x --file y"},
		{"-- as a value", "add x --file -- y", "add --file -- x y"},
		{"unknown flag", "add x --nope y", "add --nope x y"},
		{"help", "add x --help", "add --help"},
		{"short help", "add x -h --replace", "add --help"},
		{"help as a value", "add x --file --help", "add --file --help x"},
		{"help after --", "add x -- --help", "add -- x --help"},
		{"alias of the command", "a x --replace", "a --replace x"},
		{"unknown command", "nope x --replace", "nope x --replace"},
		{"flag of the app", "--quiet add x --replace", "--quiet add --replace x"},
		{"flag of the app with a value", "--global add add x --replace", "--global add add --replace x"},
		{"flag of the app with =", "--global=g add x --replace", "--global=g add --replace x"},
		{"only flags of the app", "--quiet --global", "--quiet --global"},
		{"-- before the command", "-- add x --replace", "-- add x --replace"},
		{"completion stays last", "add x --generate-bash-completion", "add x --generate-bash-completion"},
		{"completion is no value", "add x --file --generate-bash-completion", "add --file x --generate-bash-completion"},
		{"completion after a flag", "add x --replace --generate-bash-completion", "add --replace x --generate-bash-completion"},
		{"completion of commands", "--generate-bash-completion", "--generate-bash-completion"},
	} {
		t.Run(c.name, func(t *testing.T) {
			in := append([]string{"app"}, strings.Fields(c.in)...)
			before := slices.Clone(in)
			got := permute(app, in)
			if want := append([]string{"app"}, strings.Fields(c.want)...); !slices.Equal(got, want) {
				t.Errorf("got %q, want %q", got, want)
			}
			if !slices.Equal(in, before) {
				t.Errorf("the arguments were changed to %q", in)
			}
			sorted := slices.Sorted(slices.Values(got))
			if !strings.Contains(c.name, "help") && !slices.Equal(sorted, slices.Sorted(slices.Values(before))) {
				t.Errorf("words were lost or made up: %q", got)
			}
		})
	}
}

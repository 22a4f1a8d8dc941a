package cli_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"testing"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/cli"
)

// Main reads os.Args and writes to standard output: the tests run this binary
// as a child that is the app below.
const childVariable = "PISTACK_CLI_TEST_CHILD"

func TestMain(m *testing.M) {
	if os.Getenv(childVariable) == "" {
		os.Exit(m.Run())
	}
	os.Exit(cli.Main(&ucli.App{Name: "app", Usage: "test", Commands: commands()}))
}

type advice struct{}

func (advice) Error() string { return "no luck" }
func (advice) Hint() string  { return "try again" }

func commands() []*ucli.Command {
	fails := func(name string, err error) *ucli.Command {
		return &ucli.Command{Name: name, Action: func(*ucli.Context) error { return err }}
	}
	return []*ucli.Command{
		{
			Name: "echo", ArgsUsage: "WORD", Flags: []ucli.Flag{&ucli.StringFlag{Name: "suffix"}, &ucli.IntFlag{Name: "count"}},
			Action: func(c *ucli.Context) error {
				if err := cli.Arguments(c, 1, 2); err != nil {
					return err
				}
				_, err := fmt.Fprintln(c.App.Writer, c.Args().Slice(), c.String("suffix"))
				return err
			},
		},
		{Name: "json", Action: func(c *ucli.Context) error { return cli.PrintJSON(c.App.Writer, map[string]string{"a": "<b> & c"}) }},
		fails("fail", errors.New("first line\nsecond line")),
		fails("several", errors.Join(errors.New("one"), errors.Join(fmt.Errorf("two: %w", advice{}), errors.New("three")))),
		fails("differences", cli.Differences()),
		fails("usage", cli.Usage("bad %s", "words")),
		{Name: "interrupt", Action: func(c *ucli.Context) error {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Signal(os.Interrupt)
			}
			<-c.Context.Done()
			return errors.Join(err, c.Context.Err())
		}},
		{Name: "interrupt-fail", Action: func(c *ucli.Context) error {
			self, err := os.FindProcess(os.Getpid())
			if err == nil {
				err = self.Signal(os.Interrupt)
			}
			<-c.Context.Done()
			return errors.Join(err, errors.New("half done"))
		}},
		{Name: "group", Subcommands: []*ucli.Command{
			{Name: "in", ArgsUsage: "WORD", Action: func(c *ucli.Context) error { return cli.Arguments(c, 1, 1) }},
			{Name: "asks", Action: func(c *ucli.Context) error { return cli.Agree(c, "Sure?") }},
		}},
		{Name: "pick", BashComplete: func(c *ucli.Context) { fmt.Fprint(c.App.Writer, "box\n@ai\n@arm\n") }, Action: func(*ucli.Context) error { return nil }},
		{Name: "work", Action: func(c *ucli.Context) error {
			for c.Context.Err() == nil {
				fmt.Fprintln(c.App.Writer, "at work") // its end is not looked at
			}
			return os.WriteFile(os.Getenv("PISTACK_CLI_TEST_FILE"), []byte(context.Cause(c.Context).Error()), 0o600)
		}},
		{Name: "deaf", Action: func(c *ucli.Context) error { fmt.Fprintln(c.App.Writer, "x"); return cli.Differences() }},
		fails("canceled", fmt.Errorf("x: %w", context.Canceled)),
	}
}

func TestMainFunction(t *testing.T) {
	for _, c := range []struct {
		args   string
		status int
		out    string // standard output: exact, or the beginning before "…"
		errs   string // standard error
	}{
		{"echo a", 0, "[a] \n", ""},
		{"echo a --suffix s b", 0, "[a b] s\n", ""},
		{"echo -- --suffix", 0, "[--suffix] \n", ""},
		{"echo a --suffix=s", 0, "[a] s\n", ""},
		{"echo", 2, "", "app: usage: app echo WORD\n"},
		{"echo a b c", 2, "", "app: usage: app echo WORD\n"},
		{"echo a --nope", 2, "", "app: flag provided but not defined: -nope; see: app echo --help\n"},
		{"echo a --count x", 2, "", "app: invalid value \"x\" for flag -count: parse error; see: app echo --help\n"},
		{"--nope", 2, "", "app: flag provided but not defined: -nope; see: app --help\n"},
		{"nope", 2, "", "app: no command \"nope\"; see: app --help\n"},
		{"", 0, "NAME:\n   app - test\n…", ""},
		{"--help", 0, "NAME:\n   app - test\n…", ""},
		{"echo a --help", 0, "NAME:\n   app echo\n…", ""},
		{"json", 0, "{\n  \"a\": \"<b> & c\"\n}\n", ""},
		{"fail", 1, "", "app: first line\n  second line\n"},
		{"several", 1, "", "app: one\napp: two: no luck\n  hint: try again\napp: three\n"},
		{"differences", 3, "", ""},
		{"usage", 2, "", "app: bad words\n"},
		{"interrupt", 130, "", "app: interrupted\n"},
		{"interrupt-fail", 130, "", "app: half done\n"},
		{"canceled", 1, "", "app: x: context canceled\n"},
		{"group in", 2, "", "app: usage: app group in WORD\n"},
		{"group in --nope", 2, "", "app: flag provided but not defined: -nope; see: app group in --help\n"},
		{"group", 2, "", "app: usage: app group in|asks\n"},
		{"group asks", 2, "", "app: group asks asks before it changes anything, and there is no terminal: say --yes\n"},
		{"group in --help", 0, "NAME:\n   app group in\n…", ""},
		{"help group in", 0, "NAME:\n   app group in\n…", ""},
		{"group help in", 0, "NAME:\n   app group in\n…", ""},
		{"help group", 0, "NAME:\n   app group\n…", ""},
		{"help", 0, "NAME:\n   app - test\n…", ""},
		{"help help", 0, "NAME:\n   app - test\n…", ""},
		{"help nope", 2, "", "app: no command \"nope\"; see: app --help\n"},
		{"help group nope", 2, "", "app: usage: app group in|asks\n"},
		{"completion --generate-bash-completion", 0, "bash\nzsh\nfish\n", ""},
		{"completion", 2, "", "app: usage: app completion bash|zsh|fish\n"},
		{"completion csh", 2, "", "app: no completion for \"csh\": bash, zsh and fish are known\n"},
		{"completion bash", 0, "_app() {\n…", ""},
		{"completion zsh", 0, "#compdef app\n…", ""},
		{"completion fish", 0, "complete -c app …", ""},
	} {
		t.Run("app "+c.args, func(t *testing.T) {
			cmd := exec.Command(os.Args[0], strings.Fields(c.args)...)
			cmd.Env = append(os.Environ(), childVariable+"=1", "GORACE=atexit_sleep_ms=0")
			var out, errs bytes.Buffer
			cmd.Stdout, cmd.Stderr = &out, &errs
			err := cmd.Run()
			var exit *exec.ExitError
			if err != nil && !errors.As(err, &exit) {
				t.Fatal(err)
			}
			if status := cmd.ProcessState.ExitCode(); status != c.status {
				t.Errorf("exit status %d, want %d", status, c.status)
			}
			want, open := strings.CutSuffix(c.out, "…")
			if out.String() != want && !(open && strings.HasPrefix(out.String(), want)) {
				t.Errorf("standard output:\n%s\nwant:\n%s", out.String(), c.out)
			}
			if errs.String() != c.errs {
				t.Errorf("standard error:\n%s\nwant:\n%s", errs.String(), c.errs)
			}
		})
	}
}

// TestCompletionScripts: the shells accept the scripts.
func TestCompletionScripts(t *testing.T) {
	for _, shell := range []string{"bash", "zsh", "fish"} {
		t.Run(shell, func(t *testing.T) {
			path, err := exec.LookPath(shell)
			if err != nil {
				t.Skip(shell + " not on PATH")
			}
			cmd := exec.Command(os.Args[0], "completion", shell)
			cmd.Env = append(os.Environ(), childVariable+"=1", "GORACE=atexit_sleep_ms=0")
			script, err := cmd.Output()
			if err != nil {
				t.Fatal(err)
			}
			check := exec.Command(path, "-n")
			check.Stdin = bytes.NewReader(script)
			if out, err := check.CombinedOutput(); err != nil {
				t.Errorf("%v\n%s", err, out)
			}
		})
	}
}

// TestBashCompletesAfterAt: bash cuts "@ai" into two words, and replaces both.
func TestBashCompletesAfterAt(t *testing.T) {
	bash, err := exec.LookPath("bash")
	if err != nil {
		t.Skip("bash not on PATH")
	}
	for _, c := range []struct{ typed, want string }{
		{"''", "box @ai @arm"}, {"b", "box"}, {"x", ""},
		{"@", "@ai @arm"}, {"@ a", "@ai @arm"}, {"@ ar", "@arm"}, {"@ b", ""}, {"@ ai b", "box"},
	} {
		script := `source <("$0" completion bash); COMP_WORDS=("$0" pick ` + c.typed + `); COMP_CWORD=$((${#COMP_WORDS[@]} - 1)); _app; echo "${COMPREPLY[*]}"`
		cmd := exec.Command(bash, "--norc", "-c", script, os.Args[0])
		cmd.Env = append(os.Environ(), childVariable+"=1", "GORACE=atexit_sleep_ms=0")
		out, err := cmd.CombinedOutput()
		if got := strings.TrimSuffix(string(out), "\n"); err != nil || got != c.want {
			t.Errorf("%s: %q, want %q (%v)", c.typed, got, c.want, err)
		}
	}
}

func TestUsageWraps(t *testing.T) {
	var status *cli.StatusError
	if err := cli.Usage("a: %w", advice{}); !errors.As(err, &status) || status.Status != cli.ExitUsage || !errors.Is(err, advice{}) {
		t.Errorf("%v", err)
	}
	if got := cli.Differences().Error(); got != "exit status 3" {
		t.Error(got)
	}
}

package main

import (
	"errors"
	"fmt"
	"io"
	"slices"
	"strings"
	"text/tabwriter"

	ucli "github.com/urfave/cli/v2"
	"golang.org/x/crypto/ssh"

	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/secrets"
)

func operatorsCommand() *ucli.Command {
	return &ucli.Command{
		Name:  "operators",
		Usage: "list, add or remove the people who read every secret",
		Description: `Operators are the recipients in fleet.toml: age1… or ssh-ed25519 …. Adding or
removing one changes fleet.toml and rekeys every secret, all in one transaction.

Who is removed still knows every value he could read: the list at the end says
which, and pisec audit keeps it.`,
		Subcommands: []*ucli.Command{operatorsListCommand(), operatorsAddCommand(), operatorsRmCommand()},
	}
}

func operatorsListCommand() *ucli.Command {
	return &ucli.Command{
		Name:        "list",
		Usage:       "list the operators, and how many secrets they read",
		Description: "Examples:\n  pisec operators list\n  pisec operators list --json",
		Flags:       []ucli.Flag{cli.FleetFlag(), cli.JSONFlag()},
		Action:      listOperators,
	}
}

func operatorsAddCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "add",
		Usage:     "let somebody read every secret",
		ArgsUsage: "RECIPIENT|FILE.pub",
		Description: `Examples:
  pisec operators add ~/.ssh/id_ed25519.pub
  pisec operators add age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p
  pisec operators add ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAA… alice@laptop`,
		Flags:  changeFlags(),
		Action: addOperator,
	}
}

func operatorsRmCommand() *ucli.Command {
	return &ucli.Command{
		Name:      "rm",
		Usage:     "rekey every secret without somebody",
		ArgsUsage: "RECIPIENT|FINGERPRINT|COMMENT",
		Description: `Examples:
  pisec operators rm alice@laptop
  pisec operators rm SHA256:0gtmQvl4bVQP8qCp2y5ZoBTcAYZk3AzGLlWhYzLQl7o --dry-run`,
		Flags:        changeFlags(),
		BashComplete: completeOperators,
		Action:       removeOperator,
	}
}

func changeFlags() []ucli.Flag {
	return []ucli.Flag{cli.FleetFlag(), identityFlag(), cli.DryRunFlag(), cli.YesFlag()}
}

// operatorListing is the JSON form of "pisec operators list"; it is only ever
// extended.
type operatorListing struct {
	Schema    int              `json:"schema"`
	Operators []listedOperator `json:"operators"`
}

type listedOperator struct {
	Source    string `json:"source"`    // where it stands: "fleet.toml: operators[0]"
	Type      string `json:"type"`      // "ssh-ed25519", "X25519"; empty for a plugin's
	Recipient string `json:"recipient"` // without comment
	Comment   string `json:"comment,omitempty"`
	Key       string `json:"fingerprint,omitempty"` // of ssh keys
	Secrets   *int   `json:"secrets,omitempty"`     // that it reads; absent when headers do not tell
}

func listOperators(c *ucli.Context) error {
	if err := cli.Arguments(c, 0, 0); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	readers, err := operatorsOf(c, f, f.Operators)
	if err != nil {
		return err
	}
	counts, problem := countByTag(f)
	out := operatorListing{Schema: 1, Operators: []listedOperator{}}
	for i, r := range readers {
		item := listedOperator{Source: r.Source, Type: r.Type, Recipient: r.Text, Comment: commentOf(f.Operators[i]), Key: fingerprintOf(r)}
		if n := counts[r.Tag]; r.Tag != "" {
			item.Secrets = &n
		}
		out.Operators = append(out.Operators, item)
	}
	if c.Bool("json") {
		err = cli.PrintJSON(c.App.Writer, out)
	} else {
		err = printOperators(c.App.Writer, out)
	}
	return errors.Join(problem, err)
}

// countByTag counts the secrets that each ssh key reads, as headers tell.
func countByTag(f *fleet.Fleet) (map[string]int, error) {
	counts := map[string]int{}
	var problems []error
	for _, h := range f.Hosts {
		entries, err := secrets.Store{Root: f.Root}.List(h.Name)
		problems = append(problems, err)
		for _, e := range entries {
			for _, r := range e.Header.Readers {
				counts[r.Tag]++
			}
		}
	}
	return counts, errors.Join(problems...)
}

func printOperators(w io.Writer, l operatorListing) error {
	t := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	fmt.Fprintln(t, "COMMENT\tKEY\tSECRETS")
	for _, o := range l.Operators {
		key, count := o.Key, "unknown"
		if key == "" {
			key = o.Recipient
		}
		if o.Secrets != nil {
			count = fmt.Sprint(*o.Secrets)
		}
		fmt.Fprintf(t, "%s\t%s\t%s\n", orDash(o.Comment), key, count)
	}
	return t.Flush()
}

// commentOf is what follows the key in a line of ssh form.
func commentOf(recipient string) string {
	_, comment, _, _, err := ssh.ParseAuthorizedKey([]byte(recipient))
	if err != nil {
		return ""
	}
	return comment
}

// fingerprintOf is that of an ssh key; of others it is empty.
func fingerprintOf(r secrets.Reader) string {
	key, _, _, _, err := ssh.ParseAuthorizedKey([]byte(r.Text))
	if err != nil {
		return ""
	}
	return ssh.FingerprintSHA256(key)
}

func addOperator(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, -1); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	text, err := cli.Recipient(strings.Join(c.Args().Slice(), " "))
	if err != nil {
		return err
	}
	all, err := operatorsOf(c, f, append(slices.Clone(f.Operators), text))
	if err != nil {
		return err
	}
	last := len(all) - 1
	for _, r := range all[:last] {
		if r.Text == all[last].Text {
			return fmt.Errorf("%s is that key already", r.Source)
		}
	}
	return changeOperators(c, f, operatorChange{
		wanted: append(slices.Clone(f.Operators), text), symbol: "+", who: text,
		edit: func() ([]byte, error) { return f.WithOperator(text) },
	})
}

func removeOperator(c *ucli.Context) error {
	if err := cli.Arguments(c, 1, -1); err != nil {
		return err
	}
	f, err := cli.LoadFleet(c)
	if err != nil {
		return err
	}
	i, err := findOperator(c, f, strings.Join(c.Args().Slice(), " "))
	if err != nil {
		return err
	}
	if len(f.Operators) == 1 {
		return &secrets.Error{Message: "that is the only operator: nobody but the hosts could read a secret again", Fix: "first: pisec operators add"}
	}
	return changeOperators(c, f, operatorChange{
		wanted: slices.Delete(slices.Clone(f.Operators), i, i+1), symbol: "-", who: f.Operators[i],
		edit: func() ([]byte, error) { return f.WithoutOperator(i) },
	})
}

// findOperator finds the one that is meant, by recipient, fingerprint or comment.
func findOperator(c *ucli.Context, f *fleet.Fleet, who string) (int, error) {
	readers, err := operatorsOf(c, f, f.Operators)
	if err != nil {
		return 0, err
	}
	var found []int
	var names []string
	for i, r := range readers {
		known := []string{f.Operators[i], r.Text, r.Source, commentOf(f.Operators[i]), fingerprintOf(r)}
		if who != "" && slices.Contains(known, who) {
			found = append(found, i)
		}
		names = append(names, displayName(f.Operators[i], r))
	}
	switch len(found) {
	case 1:
		return found[0], nil
	case 0:
		return 0, &secrets.Error{Message: fmt.Sprintf("no operator %q", who), Fix: "fleet.toml has: " + strings.Join(names, ", ")}
	}
	return 0, &secrets.Error{Message: fmt.Sprintf("%q means several operators", who), Fix: "name one by its fingerprint: pisec operators list"}
}

// displayName is the shortest text that says who an operator is.
func displayName(recipient string, r secrets.Reader) string {
	if comment := commentOf(recipient); comment != "" {
		return comment
	}
	if key := fingerprintOf(r); key != "" {
		return key
	}
	return r.Text
}

func completeOperators(c *ucli.Context) {
	f, err := cli.LoadFleet(c)
	if err != nil || c.NArg() > 0 {
		return
	}
	readers, _ := operatorsOf(c, f, f.Operators)
	for i, r := range readers {
		fmt.Fprintln(c.App.Writer, displayName(f.Operators[i], r))
	}
}

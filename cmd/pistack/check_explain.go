package main

import (
	"fmt"
	"io"
	"text/tabwriter"

	ucli "github.com/urfave/cli/v2"

	"pistack/compose"
	"pistack/compose/rules"
	"pistack/internal/cli"
)

// explain prints what there is to know about a code, or about all.
func explain(c *ucli.Context) error {
	if err := cli.Arguments(c, 0, 0); err != nil {
		return cli.Usage("--explain takes one code and no host; see: pistack check --explain list")
	}
	switch code := c.String("explain"); code {
	case "list":
		return listCodes(c.App.Writer)
	case "all":
		return explainAll(c.App.Writer)
	default:
		rule, known := rules.Lookup(compose.Code(code))
		if !known {
			return cli.Usage("no finding has the code %q%s; see: pistack check --explain list", code, compose.DidYouMean(code, rules.Codes()))
		}
		_, err := io.WriteString(c.App.Writer, rule.Explain())
		return err
	}
}

func listCodes(w io.Writer) error {
	table := tabwriter.NewWriter(w, 0, 0, 2, ' ', 0)
	for _, r := range rules.All() {
		fmt.Fprintf(table, "%s\t%s\t%s\n", r.Code, r.Severity, r.Summary)
	}
	return table.Flush()
}

func explainAll(w io.Writer) error {
	for i, r := range rules.All() {
		if i > 0 {
			fmt.Fprintln(w)
		}
		if _, err := io.WriteString(w, r.Explain()); err != nil {
			return err
		}
	}
	return nil
}

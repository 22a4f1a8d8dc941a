package main

import (
	"fmt"
	"slices"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/internal/build"
	"pistack/internal/cli"
	"pistack/internal/image"
)

// buildReport is the JSON form of "pistack build"; it is only ever extended.
type buildReport struct {
	Schema  int          `json:"schema"`
	Written bool         `json:"written"` // whether lock files were
	Images  []builtImage `json:"images"`
}

type builtImage struct {
	Services  []builtService `json:"services"`
	Reference string         `json:"reference"`
	Platforms []string       `json:"platforms"`
	Status    build.Status   `json:"status"`
	Digest    string         `json:"digest,omitempty"`
	IDs       []string       `json:"ids,omitempty"`
}

type builtService struct {
	Stack   string `json:"stack"`
	Service string `json:"service"`
}

func showBuilds(c *ucli.Context, results []build.Result, files []image.LockFile, written bool) error {
	locks := countChanges(files)
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, newBuildReport(results, written && locks > 0))
	}
	for _, r := range results {
		showBuild(c, r)
	}
	var parts []string
	for _, status := range []build.Status{build.Pushed, build.Built, build.Needed, build.Found, build.Unchanged} {
		if n := countStatus(results, status); n > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", n, status))
		}
	}
	summary := cli.Count(len(results), "image")
	if len(parts) > 0 {
		summary += ": " + strings.Join(parts, ", ")
	}
	switch {
	case locks > 0 && written:
		summary += "; next: pistack generate && git add stacks hosts"
	case unlocked(results):
		summary += "; nothing is locked without --push"
	}
	fmt.Fprintln(c.App.ErrWriter, summary)
	return nil
}

// unlocked tells whether something was built that is in no lock file.
func unlocked(results []build.Result) bool {
	return slices.ContainsFunc(results, func(r build.Result) bool { return r.Status == build.Built && len(r.IDs) == 0 })
}

func countStatus(results []build.Result, status build.Status) int {
	n := 0
	for _, r := range results {
		if r.Status == status {
			n++
		}
	}
	return n
}

// showBuild prints a line: what becomes of the image, and what it is called.
func showBuild(c *ucli.Context, r build.Result) {
	symbol := map[build.Status]string{build.Unchanged: " ", build.Found: "~"}[r.Status]
	if symbol == "" {
		symbol = "+"
	}
	platforms := strings.Join(r.Task.Platforms, ", ")
	fmt.Fprintf(c.App.Writer, "%s %s: %s %s (%s)", symbol, r.Task.Title(), r.Status, r.Task.Reference, platforms)
	if r.Digest != "" {
		fmt.Fprintf(c.App.Writer, " %s", short(r.Digest))
	}
	fmt.Fprintln(c.App.Writer)
}

func newBuildReport(results []build.Result, written bool) buildReport {
	report := buildReport{Schema: 1, Written: written, Images: []builtImage{}}
	for _, r := range results {
		i := builtImage{Services: []builtService{}, Reference: r.Task.Reference, Platforms: r.Task.Platforms, Status: r.Status, Digest: r.Digest, IDs: r.IDs}
		for _, u := range r.Task.Uses {
			i.Services = append(i.Services, builtService{u.Stack, u.Service})
		}
		report.Images = append(report.Images, i)
	}
	return report
}

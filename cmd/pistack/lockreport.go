package main

import (
	"fmt"
	"strings"

	ucli "github.com/urfave/cli/v2"

	"pistack/compose/images"
	"pistack/internal/cli"
	"pistack/internal/image"
)

// lockReport is the JSON form of "pistack lock"; it is only ever extended.
type lockReport struct {
	Schema  int           `json:"schema"`
	Written bool          `json:"written"`
	Stacks  []lockedStack `json:"stacks"`
}

type lockedStack struct {
	Stack  string        `json:"stack"`
	File   string        `json:"file"`
	Images []lockedImage `json:"images"`
}

type lockedImage struct {
	Reference string       `json:"reference"`
	Status    image.Status `json:"status"`
	Digest    string       `json:"digest"`
	Previous  string       `json:"previous,omitempty"` // digest
	Platforms []string     `json:"platforms"`
	Date      string       `json:"date"`
}

func showLocks(c *ucli.Context, files []image.LockFile, written bool) error {
	if c.Bool("json") {
		return cli.PrintJSON(c.App.Writer, newLockReport(files, written))
	}
	for _, f := range files {
		showLock(c, f)
	}
	summary := fmt.Sprintf("%s of %s: up to date", cli.Count(countImages(files), "image"), cli.Count(len(files), "stack"))
	if n := countChanges(files); n > 0 {
		what := map[bool]string{true: "written; next: pistack generate && git add stacks hosts", false: "not written"}[written]
		if c.Bool("check") {
			what = "found; run: pistack lock --update"
		}
		summary = fmt.Sprintf("%s %s", cli.Count(n, "change"), what)
	}
	fmt.Fprintln(c.App.ErrWriter, summary)
	return nil
}

func showLock(c *ucli.Context, f image.LockFile) {
	if !f.Changed() {
		return
	}
	fmt.Fprintln(c.App.Writer, images.Path(f.Stack))
	for _, i := range f.Images {
		e := i.Entry
		switch i.Status {
		case image.Added:
			fmt.Fprintf(c.App.Writer, "+ %s %s (%s)\n", e.Reference, short(e.Digest), strings.Join(e.Platforms, ", "))
		case image.Updated:
			fmt.Fprintf(c.App.Writer, "~ %s %s -> %s (%s)\n", e.Reference, short(i.Previous), short(e.Digest), strings.Join(e.Platforms, ", "))
		case image.Removed:
			fmt.Fprintf(c.App.Writer, "- %s\n", e.Reference)
		}
	}
}

// short is enough of a digest to tell two apart.
func short(digest string) string {
	return digest[:min(len(digest), len("sha256:")+12)]
}

func newLockReport(files []image.LockFile, written bool) lockReport {
	report := lockReport{Schema: 1, Written: written, Stacks: []lockedStack{}}
	for _, f := range files {
		s := lockedStack{Stack: f.Stack, File: images.Path(f.Stack), Images: []lockedImage{}}
		for _, i := range f.Images {
			s.Images = append(s.Images, lockedImage{i.Entry.Reference, i.Status, i.Entry.Digest, i.Previous, i.Entry.Platforms, i.Entry.Date})
		}
		report.Stacks = append(report.Stacks, s)
	}
	return report
}

func countChanges(files []image.LockFile) int {
	n := 0
	for _, f := range files {
		for _, i := range f.Images {
			if i.Status != image.Unchanged {
				n++
			}
		}
	}
	return n
}

func countImages(files []image.LockFile) int {
	n := 0
	for _, f := range files {
		n += len(f.Lock())
	}
	return n
}

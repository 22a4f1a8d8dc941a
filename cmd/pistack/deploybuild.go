package main

import (
	"context"
	"fmt"

	ucli "github.com/urfave/cli/v2"

	"pistack/compose/images"
	"pistack/internal/build"
	"pistack/internal/cli"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/git"
	"pistack/internal/image"
)

// overSSH brings the images to machines that no registry has.
type overSSH struct{ d *deployment }

// Own lists the images that only a workstation has.
func (overSSH) Own(references []string) []string {
	var own []string
	for _, r := range references {
		if images.IsLocal(r) {
			own = append(own, r)
		}
	}
	return own
}

// Send copies images over ssh.
func (s overSSH) Send(ctx context.Context, host string, references []string, line func(string)) error {
	target := build.Target{Config: s.d.machines.config.Path(), Host: host, Sudo: s.d.Sudo(host)}
	for _, r := range references {
		line("sending " + r)
		var tenth int64
		err := build.Send(ctx, target, r, func(done, total int64) {
			if n := done * 10 / max(total, 1); n > tenth && total > 1e6 { // what is small is there before anybody reads it
				tenth = n
				line(fmt.Sprintf("sent %d%% of %d MB", n*10, total/1e6))
			}
		})
		if err != nil {
			return err
		}
	}
	return nil
}

// buildFirst is "deploy --build": it builds what is new, locks it, generates the
// files of the hosts, and lets Git see both; committing them is left to the user.
// When there is nothing to build it still does the rest: a run that was cut short, or
// a build without generate, is brought to its end.
func buildFirst(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) error {
	w, err := generate.Open(c.Context, f, nil)
	if err != nil {
		return err
	}
	o := buildOptions{push: f.Registry.Images != fleet.BySSH, timeout: image.DefaultTimeout}
	results, files, err := o.run(c, w, f.Stacks, hosts)
	w.Close()
	if err != nil || len(results) == 0 {
		return err
	}
	var written []string
	for _, r := range results {
		fmt.Fprintf(c.App.ErrWriter, "%s: %s %s\n", r.Task.Title(), r.Status, r.Task.Reference)
		for _, u := range r.Task.Uses {
			written = append(written, images.Path(u.Stack))
		}
	}
	generated, err := generateAgain(c, f, hosts)
	if err != nil {
		return err
	}
	if n := generated + changedFiles(files); n > 0 {
		fmt.Fprintf(c.App.ErrWriter, "%s written; commit them when the deploy is as you want it\n", cli.Count(n, "file"))
	}
	for _, h := range hosts {
		written = append(written, generate.Dir(h))
	}
	return git.Add(c.Context, f.Root, written)
}

// changedFiles counts the lock files that are not as they were.
func changedFiles(files []image.LockFile) int {
	n := 0
	for _, f := range files {
		if f.Changed() {
			n++
		}
	}
	return n
}

// generateAgain writes the generated files of hosts, and counts those that were not
// as they should be.
func generateAgain(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) (int, error) {
	w, err := generate.Open(c.Context, f, openMemo())
	if err != nil {
		return 0, err
	}
	defer w.Close()
	results, err := loadAll(c, w, hosts)
	if err != nil {
		return 0, err
	}
	if err := refuseErrors(c, results, "nothing was deployed"); err != nil {
		return 0, err
	}
	changes, err := w.Write(c.Context, results)
	return len(changes), err
}

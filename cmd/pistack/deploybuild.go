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
			if n := done * 10 / max(total, 1); n > tenth {
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
// hosts' files, and lets Git see both. Committing them is left to the user.
func buildFirst(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) error {
	w, err := generate.Open(c.Context, f, nil)
	if err != nil {
		return err
	}
	o := buildOptions{push: f.Registry.Images != fleet.BySSH, timeout: image.DefaultTimeout}
	results, files, err := o.run(c, w, f.Stacks, hosts)
	w.Close()
	if err != nil {
		return err
	}
	for _, r := range results {
		fmt.Fprintf(c.App.ErrWriter, "%s: %s %s\n", r.Task.Title(), r.Status, r.Task.Reference)
	}
	if countChanges(files) == 0 {
		return nil
	}
	var written []string
	for _, file := range files {
		written = append(written, images.Path(file.Stack))
	}
	generated, err := generateAgain(c, f, hosts)
	if err != nil {
		return err
	}
	return git.Add(c.Context, f.Root, append(written, generated...))
}

// generateAgain writes the generated files of hosts, and names those that it
// changed.
func generateAgain(c *ucli.Context, f *fleet.Fleet, hosts []fleet.Host) ([]string, error) {
	w, err := generate.Open(c.Context, f, openMemo())
	if err != nil {
		return nil, err
	}
	defer w.Close()
	results, err := loadAll(c, w, hosts)
	if err != nil {
		return nil, err
	}
	if err := refuseErrors(c, results, "nothing was deployed"); err != nil {
		return nil, err
	}
	var files []string
	for _, r := range results {
		changes, err := w.Plan(r)
		if err == nil {
			err = w.Apply(changes)
		}
		if err != nil {
			return nil, err
		}
		for _, change := range changes {
			if change.Action != generate.Delete {
				files = append(files, change.File)
			}
		}
	}
	fmt.Fprintf(c.App.ErrWriter, "%s generated; commit them when the deploy is as you want it\n", cli.Count(len(files), "file"))
	return files, nil
}

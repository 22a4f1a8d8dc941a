// Package generate brings a host's parts together: what the fleet says of it,
// its stacks as Compose reads them, and its secrets' names and versions. From
// these come the findings of "pistack check" and the files of "pistack
// generate". Nothing here reaches the network or opens a secret.
package generate

import (
	"context"
	"errors"
	"os"
	"path/filepath"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/nixgen"
	"pistack/secrets"
)

// Workspace is a fleet repository's work tree, read once for many hosts.
type Workspace struct {
	*Snapshot
	tree git.Tree
	root *os.Root // reads that cannot leave the repository, also by symlinks
}

// Open reads fleet and Git index at root. Close it after use.
func Open(ctx context.Context, f *fleet.Fleet) (*Workspace, error) {
	tree, err := git.Read(ctx, f.Root)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, err
	}
	return &Workspace{&Snapshot{Fleet: f, Files: root.FS(), Tracked: tree.Tracked, ignored: tree.Ignored}, tree, root}, nil
}

// Close releases the work tree.
func (w *Workspace) Close() error { return errors.Join(w.tree.Close(), w.root.Close()) }

// Result is what a host comes to.
type Result struct {
	Host     fleet.Host
	Secrets  []secrets.Entry
	Stacks   []*compose.Stack       // nil when a finding is an error
	Locks    map[string]images.Lock // of those stacks that have one
	Files    nixgen.Files           // nil when a finding is an error
	Findings []compose.Finding      // sorted by place
}

// Host loads and checks everything of one host. Problems of its own files are
// findings; the error is for what keeps the work from being done at all.
func (s *Snapshot) Host(ctx context.Context, h fleet.Host) (Result, error) {
	r := Result{Host: h, Locks: map[string]images.Lock{}}
	entries, err := s.Secrets(h.Name)
	if err != nil {
		return r, err
	}
	r.Secrets = entries
	versions := Versions(entries)
	for _, name := range h.Stacks {
		stack, findings := s.Stack(ctx, h, name, versions)
		r.Findings = append(r.Findings, findings...)
		if stack != nil {
			r.Stacks = append(r.Stacks, stack)
			r.lock(s, stack)
		}
	}
	r.Findings = check(s.Files, s.Tracked, r)
	if compose.HasErrors(r.Findings) {
		r.Stacks = nil
		return r, ctx.Err()
	}
	r.Files, err = nixgen.Generate(nixgen.Host{Name: h.Name, Env: h.Env, Secrets: versions, Stacks: r.Stacks, Locks: r.Locks})
	return r, errors.Join(err, ctx.Err())
}

// Dir is a host's generated folder, relative to the root.
func Dir(h fleet.Host) string { return h.Dir() + "/generated" }

func (w *Workspace) path(file string) string {
	return filepath.Join(w.Fleet.Root, filepath.FromSlash(file))
}

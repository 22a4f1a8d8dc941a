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
	"slices"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/internal/memo"
	"pistack/nixgen"
)

// Workspace is a fleet repository's work tree, read once for many hosts.
type Workspace struct {
	*Snapshot
	tree git.Tree
	root *os.Root // reads that cannot leave the repository, also by symlinks
}

// Open reads fleet and Git index at root. results remembers what hosts came to;
// nil remembers nothing. Close the workspace after use.
func Open(ctx context.Context, f *fleet.Fleet, results *memo.Store) (*Workspace, error) {
	tree, err := git.Read(ctx, f.Root)
	if err != nil {
		return nil, err
	}
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, err
	}
	return &Workspace{&Snapshot{Fleet: f, Files: root.FS(), Tracked: tree.Tracked, ignored: tree.Ignored, results: results}, tree, root}, nil
}

// Close releases the work tree.
func (w *Workspace) Close() error {
	w.results.Close()
	return errors.Join(w.tree.Close(), w.root.Close())
}

// Result is what a host comes to. But for Host it survives JSON.
type Result struct {
	Host     fleet.Host        `json:"-"`
	Files    nixgen.Files      `json:"files"`    // nil when a finding is an error
	Needed   []string          `json:"needed"`   // files of the repository that these refer to; likewise
	Images   []StackImages     `json:"images"`   // of each stack; likewise
	Findings []compose.Finding `json:"findings"` // sorted by place
}

// StackImages is what images a stack uses on a host, and its lock.
type StackImages struct {
	Stack  string         `json:"stack"`
	Uses   []images.Use   `json:"uses"`
	Builds []images.Build `json:"builds"`
	Lock   images.Lock    `json:"lock"`
}

// LocalImages lists the images that come to the host over ssh, each once: no
// registry has them, and they have to be there before anything runs.
func (r Result) LocalImages() []string {
	var names []string
	for _, i := range r.Images {
		for _, name := range images.Override(i.Builds, i.Lock) {
			if images.IsLocal(name) {
				names = append(names, name)
			}
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

// Dir is a host's generated folder, relative to the root.
func Dir(h fleet.Host) string { return h.Dir() + "/generated" }

func (w *Workspace) path(file string) string {
	return filepath.Join(w.Fleet.Root, filepath.FromSlash(file))
}

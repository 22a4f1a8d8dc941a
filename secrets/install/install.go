// Package install puts a device's secrets in place. It runs on the device,
// before Docker starts and at every switch, as "pisec install MANIFEST".
//
// # Order
//
// The order of the steps is the safety argument. Everything is decrypted to
// memory first, and every culprit is collected. Only when nothing failed a new
// generation is written beside the old one, and one rename of a symlink makes
// it the current one:
//
//	<root>/generations/7/{secrets,stacks,env,docker}/…
//	<root>/current -> generations/7
//
// A failure, a full file system or a kill at any step leaves the old generation
// current and complete. What a killed run left behind is removed by the next.
//
// # Where
//
// root is a ramfs, or a tmpfs with noswap: plaintext never reaches a disk. The
// installer refuses anything else. Files are made inaccessible, filled, given
// their owner and mode, and only then become reachable through the symlink.
package install

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"pistack/secrets/manifest"
)

// Options change how Run works.
type Options struct {
	// Try is a folder to install below instead of the manifest's root, to see
	// on a workstation what a device would do: a swappable tmpfs is accepted
	// and owners are left as they are.
	Try string
}

// Report says what a run did.
type Report struct {
	Root       string   // where it installed to
	Generation int      // number of the generation that is current now
	Added      []string // paths below the generation, sorted
	Changed    []string // content, owner or mode differs
	Removed    []string
	Unchanged  int // how many files are as they were
}

// Same tells that nothing had to be done.
func (r Report) Same() bool { return len(r.Added)+len(r.Changed)+len(r.Removed) == 0 }

// Run installs the secrets of a manifest. On error nothing has changed, and
// the error names every secret that failed.
func Run(m *manifest.Manifest, o Options) (Report, error) {
	root := m.Root
	if o.Try != "" {
		root = o.Try
	}
	if err := checkStorage(root, o.Try != ""); err != nil {
		return Report{}, err
	}
	unlock, err := lock(root)
	if err != nil {
		return Report{}, err
	}
	defer unlock()

	values, err := decrypt(m)
	defer values.clear()
	if err != nil {
		return Report{}, err
	}
	wanted, err := render(m, values)
	if err != nil {
		return Report{}, err
	}
	defer wanted.clear()
	return replace(root, wanted, o.Try == "")
}

// replace makes the wanted files the current generation of root.
func replace(root string, wanted fileSet, chown bool) (Report, error) {
	gens, err := openGenerations(root)
	if err != nil {
		return Report{}, err
	}
	if err := gens.sweep(); err != nil {
		return Report{}, err
	}
	report := gens.compare(wanted, chown)
	report.Root, report.Generation = root, gens.current
	if report.Same() && gens.current > 0 {
		return report, nil
	}
	next := gens.current + 1
	if err := gens.write(next, wanted, chown); err != nil {
		return Report{}, errors.Join(fmt.Errorf("the old secrets stay in place: %w", err), gens.remove(next))
	}
	if err := gens.flip(next); err != nil {
		return Report{}, errors.Join(fmt.Errorf("the old secrets stay in place: %w", err), gens.remove(next))
	}
	report.Generation = next
	return report, gens.prune(next)
}

// generations is the folder of generations below a root.
type generations struct {
	root    string
	current int // 0 when there is none yet
}

func openGenerations(root string) (generations, error) {
	g := generations{root: root}
	if err := os.MkdirAll(filepath.Join(root, "generations"), 0o711); err != nil {
		return g, err
	}
	target, err := os.Readlink(g.link())
	if errors.Is(err, fs.ErrNotExist) {
		return g, nil
	}
	if err != nil {
		return g, err
	}
	if _, err := fmt.Sscanf(target, "generations/%d", &g.current); err != nil {
		return g, fmt.Errorf("%s points to %q, which is no generation", g.link(), target)
	}
	return g, nil
}

func (g generations) link() string { return filepath.Join(g.root, "current") }

func (g generations) dir(n int) string {
	return filepath.Join(g.root, "generations", fmt.Sprint(n))
}

func (g generations) remove(n int) error { return os.RemoveAll(g.dir(n)) }

// sweep removes what a killed run left: generations newer than the current one.
func (g generations) sweep() error {
	return g.removeWhere(func(n int) bool { return n > g.current })
}

// prune keeps the new generation and the one before it: a container may still
// be starting with a file of that one.
func (g generations) prune(newest int) error {
	return g.removeWhere(func(n int) bool { return n < newest-1 })
}

func (g generations) removeWhere(unwanted func(int) bool) error {
	entries, err := os.ReadDir(filepath.Join(g.root, "generations"))
	if err != nil {
		return err
	}
	var problems []error
	for _, e := range entries {
		var n int
		if _, err := fmt.Sscanf(e.Name(), "%d", &n); err != nil || unwanted(n) {
			problems = append(problems, os.RemoveAll(filepath.Join(g.root, "generations", e.Name())))
		}
	}
	return errors.Join(problems...)
}

// flip makes generation n the current one, by renaming a new symlink over the
// old one.
func (g generations) flip(n int) error {
	temporary := filepath.Join(g.root, ".current.new")
	if err := os.Remove(temporary); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := os.Symlink(fmt.Sprintf("generations/%d", n), temporary); err != nil {
		return err
	}
	return os.Rename(temporary, g.link())
}

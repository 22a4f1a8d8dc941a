package audit

import (
	"context"
	"errors"
	"io/fs"
	"maps"
	"os"
	"path"
	"slices"
	"strings"

	"pistack/internal/fleet"
	"pistack/internal/git"
	"pistack/secrets"
)

// history is what Git tells of the files that matter, in the order of the commits.
type history struct {
	clone   git.Clone
	commits int
	skipped int
	absent  int
	secrets []secrets.Change
	keys    keyring
	head    map[string]string // files of HEAD, to their object
	objects *objects
}

// keyPaths are where keys stand, as Git's pathspecs, and allPaths secrets too;
// kindOf tells them apart.
func keyPaths() []string {
	return []string{":(glob)hosts/*/" + fleet.KeyFile, ":(literal)" + fleet.Marker}
}

func allPaths() []string { return append(keyPaths(), ":(glob)hosts/*/secrets/*.age") }

// kind of a file.
type kind int

const (
	other kind = iota
	secretFile
	keyFile
	settingsFile
)

func kindOf(file string) kind {
	parts := strings.Split(file, "/")
	switch {
	case file == fleet.Marker:
		return settingsFile
	case len(parts) == 4 && parts[0] == "hosts" && parts[2] == "secrets" && path.Ext(file) == ".age":
		return secretFile
	case len(parts) == 3 && parts[0] == "hosts" && parts[2] == fleet.KeyFile:
		return keyFile
	}
	return other
}

// entry is one commit of the log.
type entry struct {
	commit  *secrets.Commit
	beside  string // object of fleet.toml
	changes []git.Change
}

// readHistory reads the commits, then every version of every file with one
// process, and puts both together.
func readHistory(ctx context.Context, root string, all bool, paths []string) (*history, error) {
	clone, err := git.Describe(ctx, root)
	if err != nil {
		return nil, err
	}
	h := &history{clone: clone, keys: keyring{spans: map[source]*secrets.Span{}}, objects: newObjects()}
	var log []entry
	if clone.Head != "" || all {
		if log, err = h.readLog(ctx, root, git.Query{All: all, Paths: paths, Beside: fleet.Marker}); err != nil {
			return nil, err
		}
	}
	if clone.Head != "" {
		if err := h.readHead(ctx, root); err != nil {
			return nil, err
		}
	}
	if err := h.objects.read(ctx, root); err != nil {
		return nil, err
	}
	for _, e := range log {
		for _, c := range e.changes {
			h.add(e, c)
		}
	}
	h.skipped, h.absent = h.objects.skipped, h.objects.absent
	return h, nil
}

func (h *history) readLog(ctx context.Context, root string, query git.Query) ([]entry, error) {
	var log []entry
	err := git.Log(ctx, root, query, func(c git.Commit, changes []git.Change) error {
		h.commits++
		if len(changes) == 0 {
			return nil
		}
		e := entry{commit: &secrets.Commit{Hash: c.Hash, At: c.At, Author: c.Author}, beside: c.Beside, changes: changes}
		log = append(log, e)
		h.objects.want(fleet.Marker, c.Beside)
		for _, change := range changes {
			h.objects.want(change.Path, change.Before)
			h.objects.want(change.Path, change.After)
		}
		return nil
	})
	return log, err
}

func (h *history) readHead(ctx context.Context, root string) error {
	files, err := git.ListCommit(ctx, root, h.clone.Head, "hosts", fleet.Marker)
	if err != nil {
		return err
	}
	maps.DeleteFunc(files, func(file, _ string) bool { return kindOf(file) == other })
	for file, object := range files {
		h.objects.want(file, object)
	}
	h.head = files
	return nil
}

// add takes over one change of a commit.
func (h *history) add(e entry, c git.Change) {
	if kindOf(c.Path) != secretFile {
		h.keys.change(e.commit, h.objects.sources(c.Path, c.Before), h.objects.sources(c.Path, c.After))
		return
	}
	h.secrets = append(h.secrets, secrets.Change{
		At: e.commit, File: c.Path, Before: h.objects.secrets[c.Before], After: h.objects.secrets[c.After],
		Listed: h.objects.recipients(e.beside),
	})
}

// addWorkTree adds what differs between HEAD and the work tree, as a last change
// that is not committed. In now, a version that the history has becomes that very one.
func (h *history) addWorkTree(f *fleet.Fleet, now map[string]*secrets.Ciphertext) {
	at := &secrets.Commit{}
	var listed []secrets.Recipient
	for _, o := range f.Operators {
		if r, ok := secrets.AnonymousRecipient(o); ok {
			listed = append(listed, r)
		}
	}
	for _, file := range union(h.head, now) {
		if kindOf(file) != secretFile {
			continue
		}
		before, after := h.objects.secrets[h.head[file]], h.objects.known(now[file])
		if after != nil {
			now[file] = after
		}
		if before == after {
			continue
		}
		h.secrets = append(h.secrets, secrets.Change{At: at, File: file, Before: before, After: after, Listed: listed})
	}
	h.addWorkKeys(at, f.Root)
}

// addWorkKeys does the same for pinned keys and operators.
func (h *history) addWorkKeys(at *secrets.Commit, root string) {
	texts := map[string][]byte{}
	pinned, _ := fs.Glob(os.DirFS(root), "hosts/*/"+fleet.KeyFile)
	for _, file := range append(pinned, fleet.Marker) {
		if text, err := readSmall(root, file); err == nil {
			texts[file] = text
		}
	}
	for _, file := range union(h.head, texts) {
		if kindOf(file) != keyFile && kindOf(file) != settingsFile {
			continue
		}
		after := sourcesIn(file, texts[file])
		h.keys.change(at, h.objects.sources(file, h.head[file]), after)
		for _, s := range after {
			h.keys.span(s).Holds()
		}
	}
}

// readSmall reads a regular file of the fleet.
func readSmall(root, file string) ([]byte, error) {
	dir, err := os.OpenRoot(root)
	if err != nil {
		return nil, err
	}
	defer dir.Close()
	info, err := dir.Stat(file)
	if err != nil {
		return nil, err
	}
	if !info.Mode().IsRegular() || info.Size() > maxSmall {
		return nil, errors.New("is not a small file")
	}
	return dir.ReadFile(file)
}

// union lists the keys of two maps, sorted.
func union[A, B any](a map[string]A, b map[string]B) []string {
	names := map[string]bool{}
	for name := range a {
		names[name] = true
	}
	for name := range b {
		names[name] = true
	}
	return slices.Sorted(maps.Keys(names))
}

package status

import (
	"context"
	"errors"
	"fmt"
	"os"

	"pistack/internal/fleet"
	"pistack/internal/git"
)

// Work is how the repository stands to what was deployed to a host last.
type Work struct {
	Err      error    // why it cannot be told
	Commit   string   // of HEAD
	Changed  []string // files that differ from it, as far as the host is made of them
	Revision string   // that was deployed; "" when nothing is known of it
	Unknown  bool     // this clone does not have it
	Behind   int      // commits of HEAD that were not deployed
	Ahead    int      // commits that were deployed and are not in HEAD
	Whole    bool     // all commits and files count: what the host is made of cannot be told
}

// Repository answers what Judge wants to know of the work tree. It asks Git once
// for what all hosts share, and is for one look.
type Repository struct {
	root    string
	commit  string
	err     error
	tracked git.Files
}

// OpenRepository asks Git about the work tree at root. What goes wrong is said of
// every host: the machines can be asked without.
func OpenRepository(ctx context.Context, root string) *Repository {
	r := &Repository{root: root}
	state, err := git.ReadState(ctx, root)
	if err != nil {
		r.err = err
		return r
	}
	r.commit = state.Commit
	tree, err := git.Read(ctx, root)
	if err != nil {
		r.err = err
		return r
	}
	r.tracked = tree.Tracked
	r.err = tree.Close()
	return r
}

// Work compares the work tree with a revision that a host has. Git takes that for
// nothing but the name of a commit.
func (r *Repository) Work(ctx context.Context, h fleet.Host, revision string) Work {
	if !isCommit(revision) {
		revision = ""
	}
	w := Work{Commit: r.commit, Err: r.err}
	if r.err != nil || r.commit == "" {
		return w
	}
	paths, known := Made(os.DirFS(r.root), r.tracked, h)
	if w.Whole = !known; w.Whole {
		paths = nil
	}
	if w.Changed, w.Err = git.Edited(ctx, r.root, paths); w.Err != nil || revision == "" {
		return w
	}
	w.compare(ctx, r.root, revision, paths)
	return w
}

func (w *Work) compare(ctx context.Context, root, revision string, paths []string) {
	w.Revision = revision
	commit, err := git.Resolve(ctx, root, revision)
	var none *git.NoRevision
	if errors.As(err, &none) {
		w.Unknown = true
		return
	}
	if err == nil {
		w.Behind, err = git.Count(ctx, root, commit, w.Commit, paths)
	}
	if err == nil {
		w.Ahead, err = git.Count(ctx, root, w.Commit, commit, paths)
	}
	w.Err = err
}

// repository says how the work tree stands to what was deployed.
func (j *judgement) repository() {
	w, again := j.Work, "pistack deploy "+j.name()
	if w.Err != nil {
		j.found(Note, hintOf(w.Err), "Git does not say how far it is behind: %v", w.Err)
		return
	}
	if r := j.Receipt; r != nil && r.Dirty {
		j.found(NotCommitted, "commit, then "+again, "it runs changes on top of %s that were never committed", short(r.Revision))
	}
	if len(w.Changed) > 0 {
		j.found(NotCommitted, "git diff HEAD; commit, then "+again, "the work tree has changes that are in no commit: %s", some(w.Changed))
	}
	if j.Receipt != nil && w.Revision == "" && w.Commit != "" {
		j.found(Behind, again, "its receipt names no commit: what it lacks is not known")
	}
	of := ""
	if w.Whole {
		of = " (all commits count: what the host is made of cannot be told from its files)"
	}
	switch {
	case w.Unknown:
		j.found(Behind, "git fetch", "it runs %s, which this clone does not have", short(w.Revision))
	case w.Behind > 0 && w.Ahead > 0:
		j.found(Behind, "git pull, then "+again, "it lacks %s, and has %s that HEAD has not%s", commits(w.Behind), commits(w.Ahead), of)
	case w.Behind > 0:
		j.found(Behind, again, "behind by %s%s", commits(w.Behind), of)
	case w.Ahead > 0:
		j.found(Behind, "git pull", "HEAD is behind the host by %s%s", commits(w.Ahead), of)
	}
}

func commits(n int) string {
	if n == 1 {
		return "1 commit"
	}
	return fmt.Sprintf("%d commits", n)
}

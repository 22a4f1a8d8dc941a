package compare

import (
	"cmp"
	"context"
	"errors"
	"slices"
	"strings"

	"pistack/compose"
	"pistack/internal/fleet"
	"pistack/internal/generate"
	"pistack/internal/git"
)

// Side is one of two versions of a fleet.
type Side struct {
	*generate.Snapshot
	Name     string // for people: "HEAD (1a2b3c4d5e6f)"
	side     string // "base" or "head"
	revision *git.Revision
	err      error // what fleet.Load found wrong
}

// Pair is what is compared. Close it after use.
type Pair struct {
	Base, Head *Side
	differ     git.Files
	close      []func() error
}

// Open reads two versions of the fleet at root. The base is where its history
// and that of head met last, as for a pull request; head is a revision, or "" for
// the work tree. Where head is a commit that came before base, both are compared
// as they are: that is what going back would do.
func Open(ctx context.Context, root, base, head string) (*Pair, error) {
	p := &Pair{}
	if err := p.open(ctx, root, base, head); err != nil {
		p.Close()
		return nil, err
	}
	return p, nil
}

func (p *Pair) open(ctx context.Context, root, base, head string) error {
	from, to, err := commits(ctx, root, base, head)
	if err != nil {
		return err
	}
	if p.Base, err = p.revision(ctx, root, "base", base, from); err != nil {
		return err
	}
	if head != "" {
		if p.Head, err = p.revision(ctx, root, "head", head, to); err != nil {
			return err
		}
		p.differ = p.Base.revision.Differ(p.Head.revision)
		return nil
	}
	if p.Head, err = p.workTree(ctx, root); err != nil {
		return err
	}
	p.differ, err = git.DifferFromTree(ctx, root, from)
	return err
}

// commits are those to compare.
func commits(ctx context.Context, root, base, head string) (from, to string, err error) {
	if from, err = git.Resolve(ctx, root, base); err != nil {
		return "", "", err
	}
	if to, err = git.Resolve(ctx, root, cmp.Or(head, "HEAD")); err != nil {
		return "", "", err
	}
	if from == to {
		return from, to, nil
	}
	met, err := git.MergeBase(ctx, root, from, to)
	if err != nil {
		return "", "", err
	}
	if met == to && head != "" {
		return from, to, nil
	}
	return met, to, nil
}

func (p *Pair) revision(ctx context.Context, root, side, name, commit string) (*Side, error) {
	r, err := git.OpenRevision(ctx, root, commit)
	if err != nil {
		return nil, err
	}
	p.close = append(p.close, r.Close)
	f, err := fleet.LoadFS(r, "")
	if f == nil {
		return nil, err
	}
	short := commit[:min(12, len(commit))]
	if !strings.HasPrefix(commit, name) {
		short = name + " (" + short + ")"
	}
	return &Side{Snapshot: generate.At(r, f), Name: short, side: side, revision: r, err: err}, nil
}

func (p *Pair) workTree(ctx context.Context, root string) (*Side, error) {
	f, err := fleet.Load(root)
	if f == nil {
		return nil, err
	}
	w, openErr := generate.Open(ctx, f, nil)
	if openErr != nil {
		return nil, openErr
	}
	p.close = append(p.close, w.Close)
	return &Side{Snapshot: w.Snapshot, Name: "the work tree", side: "head", err: err}, nil
}

// Close ends what Open began. A process that the end of ctx has stopped is no
// error of its own.
func (p *Pair) Close() {
	for _, c := range p.close {
		_ = c()
	}
	p.close = nil
}

// problems are those of a side's own files, as far as they concern the hosts.
func (s *Side) problems(hosts []string) []Finding {
	var found []Finding
	for _, err := range flatten(s.err) {
		f := compose.Finding{Code: "fleet", Severity: compose.Error, Message: err.Error()}
		var p *fleet.Problem
		if errors.As(err, &p) {
			f.File, f.Line, f.Column, f.Message, f.Fix = p.File, p.Line, p.Column, p.Message, p.Fix
		}
		if host, ok := strings.CutPrefix(f.File, "hosts/"); ok && !slices.Contains(hosts, strings.SplitN(host, "/", 2)[0]) {
			continue
		}
		found = append(found, Finding{s.side, f})
	}
	return found
}

// broken tells whether a host's own host.toml could not be read on a side: what
// it has not must not count as taken away.
func (s *Side) broken(host string) bool {
	return slices.ContainsFunc(flatten(s.err), func(err error) bool {
		var p *fleet.Problem
		return errors.As(err, &p) && p.File == "hosts/"+host+"/host.toml"
	})
}

func flatten(err error) []error {
	if err == nil {
		return nil
	}
	if joined, ok := err.(interface{ Unwrap() []error }); ok {
		return joined.Unwrap()
	}
	return []error{err}
}

package build

import (
	"context"
	"fmt"
	"slices"
	"time"

	v1 "github.com/google/go-containerregistry/pkg/v1"

	"pistack/compose/images"
	"pistack/internal/image"
	"pistack/internal/run"
)

// Registry is what is needed of a registry; image.Pusher is one.
type Registry interface {
	Find(ctx context.Context, reference string) (bool, image.Image, error)
	Check(ctx context.Context, reference string) error
	Push(ctx context.Context, reference string, index v1.ImageIndex) error
}

// Status is what becomes of an image.
type Status string

// What can become of one. Needed is what a plan says of an image that is to be
// built; one that is Built and neither pushed nor local is not locked.
const (
	Unchanged Status = "unchanged" // locked, and there
	Found     Status = "found"     // in the registry: somebody else has built it
	Needed    Status = "needed"
	Built     Status = "built"
	Pushed    Status = "pushed"
)

// Result is what became of a task.
type Result struct {
	Task   Task
	Status Status
	Digest string   // of the index; empty for a local image, and for one that was not pushed
	IDs    []string // of a local image, in the order of its platforms
}

// Look finds out what there is to do. push asks registries also about what is
// locked, and whether they would take what is to be built. Without it a registry
// that cannot be asked has nothing; the reason goes to note.
func Look(ctx context.Context, registry Registry, tasks []Task, s Settings, push bool, note func(error)) ([]Result, error) {
	results := make([]Result, len(tasks))
	for i, t := range tasks {
		r, err := s.look(ctx, registry, t, push)
		if err != nil && !push && ctx.Err() == nil {
			note(err)
			r, err = Result{Task: t, Status: Needed}, nil
		}
		if err != nil {
			return nil, err
		}
		results[i] = r
		if push && r.Status == Needed && !t.Local() {
			if err := registry.Check(ctx, t.Reference); err != nil {
				return nil, err
			}
		}
	}
	return results, nil
}

func (s Settings) look(ctx context.Context, registry Registry, t Task, push bool) (Result, error) {
	needed := Result{Task: t, Status: Needed}
	locked := Result{Task: t, Status: Unchanged, Digest: t.Locked.Digest, IDs: t.Locked.IDs}
	switch {
	case s.Force:
		return needed, nil
	case t.Local() && !t.IsLocked():
		return needed, nil
	case t.Local() && push:
		return locked, nil // there is nothing to push, and the lock says what is to be
	case t.Local():
		if here, err := haveAll(ctx, t); err != nil || !here {
			return needed, err
		}
		return locked, nil
	case t.IsLocked() && !push:
		return locked, nil
	case t.IsLocked():
		if found, _, err := registry.Find(ctx, t.Recipe.Image+"@"+t.Locked.Digest); err != nil || found {
			return locked, err
		}
	}
	found, there, err := registry.Find(ctx, t.Reference)
	whole := !slices.ContainsFunc(t.Platforms, func(p string) bool { return !images.Covers(there.Platforms, p) })
	if err != nil || !found || !whole {
		return needed, err
	}
	return Result{Task: t, Status: Found, Digest: there.Digest}, nil
}

// haveAll tells whether the user's engine has the locked images of a local task.
func haveAll(ctx context.Context, t Task) (bool, error) {
	for _, id := range t.Locked.IDs {
		have, err := haveLocal(ctx, images.LocalName(t.Reference, id))
		if err != nil || !have {
			return false, err
		}
	}
	return true, nil
}

// Apply builds what is needed, and pushes it when push is set. All is built before
// the first is pushed: when one cannot be built, no registry and no name in the
// engine has changed. again hashes a recipe anew: files that changed while they
// were built are noticed.
func Apply(ctx context.Context, registry Registry, results []Result, s Settings, push bool, again func(context.Context, images.Recipe) (string, error)) (err error) {
	var todo []*Result
	for i := range results {
		if results[i].Status == Needed {
			todo = append(todo, &results[i])
		}
	}
	defer func() {
		if err != nil {
			untagAll(ctx, todo, push)
		}
	}()
	for _, r := range todo {
		for _, platform := range r.Task.Platforms {
			if err := s.buildOne(ctx, r.Task, platform); err != nil {
				return err
			}
		}
	}
	for _, r := range todo {
		if hash, err := again(ctx, r.Task.Recipe); err != nil {
			return err
		} else if hash != r.Task.Hash {
			return &Error{Message: r.Task.Title() + ": its files changed while they were built; nothing was pushed", Fix: "run the command again"}
		}
	}
	for _, r := range todo {
		if err := s.publish(ctx, registry, r, push); err != nil {
			return err
		}
	}
	return nil
}

// untagAll removes the names of images that were built in vain, after an interrupt
// too. Without a push these names are what the user asked for.
func untagAll(ctx context.Context, results []*Result, push bool) {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), 10*time.Second)
	defer cancel()
	for _, r := range results {
		if push || r.Task.Local() {
			r.Task.untag(ctx)
		}
	}
}

// publish pushes what was built, or names it as its hosts will.
func (s Settings) publish(ctx context.Context, registry Registry, r *Result, push bool) error {
	t := r.Task
	if !t.Local() && !push {
		r.Status = Built
		return nil
	}
	dir, remove, err := temporary()
	if err != nil {
		return err
	}
	defer remove()
	archives, platforms, err := t.saveAll(ctx, dir)
	if err != nil {
		return err
	}
	if t.Local() {
		r.Status, r.IDs = Built, nil
		return r.name(ctx, archives)
	}
	index := indexOf(archives, platforms)
	digest, err := index.Digest()
	if err != nil {
		return fmt.Errorf("%s: %w", t.Title(), err)
	}
	ended := s.Pushing(t.Title())
	err = registry.Push(ctx, t.Reference, index)
	ended()
	if err != nil {
		return err
	}
	r.Status, r.Digest = Pushed, digest.String()
	t.untag(ctx)
	return nil
}

// saveAll takes the images of all platforms out of the engine.
func (t Task) saveAll(ctx context.Context, dir string) ([]archive, []*v1.Platform, error) {
	var archives []archive
	var platforms []*v1.Platform
	for _, platform := range t.Platforms {
		a, err := save(ctx, dir, t.localTag(platform))
		if err != nil {
			return nil, nil, err
		}
		p, err := a.checkPlatform(t.Title(), platform)
		if err != nil {
			return nil, nil, err
		}
		archives, platforms = append(archives, a), append(platforms, p)
	}
	return archives, platforms, nil
}

// name gives local images the names that hosts run them by.
func (r *Result) name(ctx context.Context, archives []archive) error {
	for i, a := range archives {
		name := images.LocalName(r.Task.Reference, a.id)
		if _, err := run.Output(ctx, run.Command{Argv: []string{"docker", "image", "tag", r.Task.localTag(r.Task.Platforms[i]), name}}); err != nil {
			return err
		}
		r.IDs = append(r.IDs, a.id)
	}
	r.Task.untag(ctx)
	return nil
}

// untag removes the names that images were built under. One that stays is no
// harm.
func (t Task) untag(ctx context.Context) {
	argv := []string{"docker", "image", "rm"}
	for _, platform := range t.Platforms {
		argv = append(argv, t.localTag(platform))
	}
	run.Output(ctx, run.Command{Argv: slices.Clip(argv)})
}

package build

import (
	"context"
	"errors"
	"fmt"

	"pistack/compose"
	"pistack/compose/images"
	"pistack/internal/contexts"
)

// Hasher hashes recipes, each once.
type Hasher struct {
	repository contexts.Repository
	known      map[string]hashed
}

type hashed struct {
	hash string
	err  error
}

// NewHasher makes a hasher. It is for one goroutine.
func NewHasher(r contexts.Repository) *Hasher { return &Hasher{r, map[string]hashed{}} }

// Hash is contexts.Hash.
func (h *Hasher) Hash(ctx context.Context, recipe images.Recipe) (string, error) {
	key := recipe.Key()
	known, ok := h.known[key]
	if !ok {
		known.hash, known.err = contexts.Hash(ctx, h.repository, recipe)
		h.known[key] = known
	}
	return known.hash, known.err
}

// Stale reports the services of a stack, as one host has them, whose locked image
// is of other files than those that are there now, or of files that only this
// machine has. What is not locked at all is images.CheckBuilds'. The error is that
// of ctx.
func (h *Hasher) Stale(ctx context.Context, stack string, builds []images.Build, lock images.Lock) ([]compose.Finding, error) {
	var findings []compose.Finding
	for _, b := range builds {
		entry, locked := lock.Built(b.Recipe.Key(), b.Platform)
		if !locked {
			continue
		}
		hash, err := h.Hash(ctx, b.Recipe)
		if ctx.Err() != nil {
			return nil, ctx.Err()
		}
		f := compose.Finding{Code: images.CodeStale, Severity: compose.Error, Stack: stack, Service: b.Service}
		var wrong *contexts.Error
		switch {
		case errors.As(err, &wrong):
			f.Code, f.Message, f.Fix = images.CodeUnbuildable, fmt.Sprintf("service %s: %v", b.Service, err), wrong.Fix
		case err != nil:
			return nil, err
		case Current(entry, hash):
			continue
		default:
			f.Message = fmt.Sprintf("service %s: its files are not those that the image of %s:%d was built from", b.Service, images.Path(stack), entry.Line)
			f.Fix = "pistack build " + stack + " --push"
			if images.IsLocal(entry.Reference) {
				f.Fix = "pistack build " + stack
			}
		}
		findings = append(findings, f.At(b.Place))
	}
	return compose.SortFindings(findings), nil
}

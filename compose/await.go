package compose

import (
	"context"
	"fmt"
)

// await calls compose-go, which heeds no context, and returns when that is done
// or the context is. In the latter case the call goes on, and nobody looks at
// what it gives.
func await(ctx context.Context, load func(context.Context) (map[string]any, error)) (map[string]any, error) {
	if err := ctx.Err(); err != nil {
		return nil, err
	}
	type result struct {
		dict map[string]any
		err  error
	}
	done := make(chan result, 1)
	go func() {
		dict, err := guarded(ctx, load)
		done <- result{dict, err}
	}()
	select {
	case r := <-done:
		return r.dict, r.err
	case <-ctx.Done():
		return nil, ctx.Err()
	}
}

// guarded makes a panic an error: whatever is in a file, it must not end the program.
func guarded(ctx context.Context, load func(context.Context) (map[string]any, error)) (dict map[string]any, err error) {
	defer func() {
		if r := recover(); r != nil {
			dict, err = nil, fmt.Errorf("compose-go cannot read this: %v", r)
		}
	}()
	return load(ctx)
}

// interrupted reports that the context is done, if it is.
func (l *loading) interrupted(ctx context.Context) bool {
	if ctx.Err() == nil {
		return false
	}
	l.report(Position{File: l.src.Dir() + "/compose.yaml"}, CodeRead, Error, "loading it was interrupted", "")
	return true
}

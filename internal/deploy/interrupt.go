package deploy

import (
	"context"
	"errors"
)

// ErrInterrupted is why a run ended that the user broke off.
var ErrInterrupted = errors.New("interrupted")

// interruption is why a context ended, in words for people; nil when it did not.
func interruption(ctx context.Context) error {
	if cause := context.Cause(ctx); !errors.Is(cause, context.Canceled) {
		return cause
	}
	return ErrInterrupted
}

// reason prefers why the context ended over what came of that.
func reason(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return interruption(ctx)
	}
	return err
}

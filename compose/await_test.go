package compose

import (
	"context"
	"errors"
	"strings"
	"testing"
)

// TestAwait: a call that never ends is left when the context is done, and one
// that panics is an error.
func TestAwait(t *testing.T) {
	ctx, cancel := context.WithCancel(t.Context())
	never := make(chan struct{})
	defer close(never)
	_, err := await(ctx, func(context.Context) (map[string]any, error) {
		cancel()
		<-never
		return nil, nil
	})
	if !errors.Is(err, context.Canceled) {
		t.Errorf("got %v, want %v", err, context.Canceled)
	}
	_, err = await(t.Context(), func(context.Context) (map[string]any, error) { panic("no") })
	if err == nil || !strings.Contains(err.Error(), "no") {
		t.Errorf("a panic became %v", err)
	}
}

//go:build !linux

package fleettest

import (
	"errors"
	"testing"
)

// start is never called: Start leaves the test out.
func (h *Host) start(testing.TB) error { return errors.New("machines need Linux") }

//go:build !linux

package fleettest

import (
	"errors"
	"syscall"
	"testing"
)

// start is never called: Start leaves the test out.
func (h *Host) start(testing.TB) error { return errors.New("machines need Linux") }

// ownNamespace is never called either.
func ownNamespace() *syscall.SysProcAttr { return nil }

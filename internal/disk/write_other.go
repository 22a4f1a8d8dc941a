//go:build !linux

package disk

import (
	"context"
	"os"
)

// Card is a device that is open to be written; on Linux only.
type Card struct{ Device }

func unsupported(d Device) error {
	return &Error{Device: d.Path, Message: "cards are written on Linux only", Fix: "use Raspberry Pi Imager, or dd, with the sealed image"}
}

// Open is for Linux.
func (Machine) Open(d Device, _ int64, _ bool) (*Card, error) { return nil, unsupported(d) }

// Close is for Linux.
func (c *Card) Close() error { return nil }

// Write is for Linux.
func (c *Card) Write(_ context.Context, _ *os.File, _ int64, _ func(int64)) error {
	return unsupported(c.Device)
}

// Verify is for Linux.
func (c *Card) Verify(_ context.Context, _ *os.File, _ int64, _ func(int64)) error {
	return unsupported(c.Device)
}

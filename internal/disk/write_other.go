//go:build !linux

package disk

import (
	"context"
	"os"
)

func unsupported(d Device) error {
	return &Error{Device: d.Path, Message: "cards are written on Linux only", Fix: "use Raspberry Pi Imager, or dd, with the sealed image"}
}

// Write is for Linux.
func Write(_ context.Context, _ *os.File, _ int64, d Device, _ func(int64)) error {
	return unsupported(d)
}

// Verify is for Linux.
func Verify(_ context.Context, _ *os.File, _ int64, d Device, _ func(int64)) error {
	return unsupported(d)
}

//go:build !linux

package holes

// lseek(2) of Darwin.
const (
	seekHole = 3
	seekData = 4
)

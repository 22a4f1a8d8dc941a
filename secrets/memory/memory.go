// Package memory tells what kind of file system a folder is on: plaintext goes
// only where it stays in memory.
package memory

// Kind of file system.
type Kind int

// The kinds, the safest last.
const (
	Disk    Kind = iota // anything that is not known to stay in memory
	Swapped             // tmpfs, whose pages can be swapped to a disk
	Pinned              // ramfs, or tmpfs that is never swapped out
)

// Package holes tells where a file has data: images of disks are mostly empty.
package holes

import (
	"errors"
	"os"
	"syscall"
)

// piece is the most that EachData hands over at once, in bytes.
const piece = 1 << 20

// EachData calls a function for every part of a file that is not a hole, piece by
// piece. Where the file system knows no holes, that is the whole.
func EachData(file *os.File, size int64, data func(start, end int64) error) error {
	for at := int64(0); at < size; {
		start, err := file.Seek(at, seekData)
		if errors.Is(err, syscall.ENXIO) {
			return nil // a hole up to the end
		}
		if err != nil {
			start = at
		}
		end, err := file.Seek(start, seekHole)
		if err != nil || end <= at {
			end = size
		}
		end = min(end, size)
		for ; start < end; start += piece {
			if err := data(start, min(start+piece, end)); err != nil {
				return err
			}
		}
		at = end
	}
	return nil
}

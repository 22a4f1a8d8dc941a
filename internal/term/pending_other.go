//go:build !linux

package term

import "os"

// pending is known on Linux only.
func pending(*os.File) bool { return false }

package term

import (
	"os"

	"golang.org/x/sys/unix"
)

// pending tells whether more was typed or pasted, and takes it away: what reads
// the terminal next is the user's shell.
func pending(tty *os.File) bool {
	n, err := unix.IoctlGetInt(int(tty.Fd()), unix.TIOCINQ)
	if err != nil || n == 0 {
		return false
	}
	_ = unix.IoctlSetInt(int(tty.Fd()), unix.TCFLSH, unix.TCIFLUSH)
	return true
}

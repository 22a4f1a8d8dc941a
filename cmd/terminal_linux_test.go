package cmd_test

import (
	"bytes"
	"fmt"
	"os"
	"os/exec"
	"sync"
	"syscall"
	"testing"
	"time"

	"golang.org/x/sys/unix"
)

// terminal is a command at a pseudo terminal of its own.
type terminal struct {
	t      *testing.T
	cmd    *exec.Cmd
	master *os.File
	hungUp chan struct{} // closed once no process has the terminal open

	mu     sync.Mutex
	screen []byte // all that was written to it
}

// atTerminal starts a command that has a pseudo terminal for its standard
// streams and for its controlling terminal.
func atTerminal(t *testing.T, cmd *exec.Cmd) *terminal {
	t.Helper()
	master, slave := pseudoTerminal(t)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = slave, slave, slave
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true, Setctty: true}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	slave.Close()
	term := &terminal{t: t, cmd: cmd, master: master, hungUp: make(chan struct{})}
	go term.watch()
	t.Cleanup(func() { cmd.Process.Kill(); master.Close() })
	return term
}

func pseudoTerminal(t *testing.T) (master, slave *os.File) {
	t.Helper()
	master, err := os.OpenFile("/dev/ptmx", os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	fd := int(master.Fd())
	if err := unix.IoctlSetPointerInt(fd, unix.TIOCSPTLCK, 0); err != nil {
		t.Fatal(err)
	}
	number, err := unix.IoctlGetInt(fd, unix.TIOCGPTN)
	if err != nil {
		t.Fatal(err)
	}
	if err := unix.IoctlSetWinsize(fd, unix.TIOCSWINSZ, &unix.Winsize{Row: 24, Col: 80}); err != nil {
		t.Fatal(err)
	}
	slave, err = os.OpenFile(fmt.Sprintf("/dev/pts/%d", number), os.O_RDWR|syscall.O_NOCTTY, 0)
	if err != nil {
		t.Fatal(err)
	}
	return master, slave
}

func (term *terminal) watch() {
	defer close(term.hungUp)
	for buf := make([]byte, 4096); ; {
		n, err := term.master.Read(buf)
		term.mu.Lock()
		term.screen = append(term.screen, buf[:n]...)
		term.mu.Unlock()
		if err != nil {
			return
		}
	}
}

// await waits until a text has been written; what was written up to it is
// forgotten.
func (term *terminal) await(text string) {
	term.t.Helper()
	for deadline := time.Now().Add(time.Minute); time.Now().Before(deadline); time.Sleep(5 * time.Millisecond) {
		term.mu.Lock()
		at := bytes.Index(term.screen, []byte(text))
		if at >= 0 {
			term.screen = term.screen[at+len(text):]
		}
		term.mu.Unlock()
		if at >= 0 {
			return
		}
	}
	term.mu.Lock()
	defer term.mu.Unlock()
	term.t.Fatalf("%q was not written; there is %q", text, term.screen)
}

func (term *terminal) typed(keys string) {
	term.t.Helper()
	if _, err := term.master.WriteString(keys); err != nil {
		term.t.Fatal(err)
	}
}

// ended waits for the command, and for all others at its terminal, to end.
func (term *terminal) ended() (status int) {
	term.t.Helper()
	timer := time.AfterFunc(time.Minute, func() { term.cmd.Process.Kill() })
	defer timer.Stop()
	_ = term.cmd.Wait() // the status says it
	select {
	case <-term.hungUp:
	case <-time.After(time.Minute):
		term.t.Error("a process is still at the terminal")
	}
	return term.cmd.ProcessState.ExitCode()
}

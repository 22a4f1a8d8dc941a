// Package term asks people: for a value that is not shown, and for a yes.
package term

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"strings"

	"golang.org/x/term"
)

// IsTerminal tells whether a file is a terminal.
func IsTerminal(f *os.File) bool { return term.IsTerminal(int(f.Fd())) }

// ErrNoTerminal says that a question could not be asked.
var ErrNoTerminal = errors.New("there is no terminal to ask at")

// ReadSecret asks for a line at the terminal without showing what is typed.
func ReadSecret(prompt string) ([]byte, error) {
	tty, err := os.OpenFile("/dev/tty", os.O_RDWR, 0)
	if err != nil {
		return nil, ErrNoTerminal
	}
	defer tty.Close()
	fmt.Fprint(tty, prompt)
	defer fmt.Fprintln(tty)
	return term.ReadPassword(int(tty.Fd()))
}

// Confirm asks a question at the terminal; only "y" and "yes" agree.
func Confirm(question string) (bool, error) {
	if !IsTerminal(os.Stdin) {
		return false, ErrNoTerminal
	}
	fmt.Fprintf(os.Stderr, "%s [y/N] ", question)
	line, err := bufio.NewReader(os.Stdin).ReadString('\n')
	if err != nil {
		return false, nil
	}
	answer := strings.ToLower(strings.TrimSpace(line))
	return answer == "y" || answer == "yes", nil
}

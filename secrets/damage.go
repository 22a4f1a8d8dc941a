package secrets

import (
	"errors"
	"fmt"
	"io/fs"
)

// What is wrong with a file is said in the same words wherever it is noticed.
var (
	errNotAge     = errors.New("is not an armored age file, or is damaged")
	errNotRegular = errors.New("is not a regular file")
)

// writeAgain is what helps a secret whose file is of no use.
func writeAgain(host, name string) string {
	return fmt.Sprintf("write it again: pisec add --replace %s %s", host, name)
}

// unreadable is a secret whose file cannot be read at all.
func unreadable(host, name string, err error) error {
	fix := ""
	switch {
	case errors.Is(err, errNotRegular):
		fix = fmt.Sprintf("remove it, and write it again: pisec add %s %s", host, name)
	case errors.Is(err, fs.ErrPermission):
		fix = "pisec has to be able to read it: see who owns it"
	}
	return &Error{Message: File(host, name), Err: fileReason(err), Fix: fix}
}

// movedHere is a secret whose file holds another one.
func movedHere(host, name string, holds Label) error {
	return &Error{
		Message: fmt.Sprintf("%s: holds secret %s of %s: the file was moved or copied", File(host, name), holds.Name, holds.Host),
		Fix:     "the device would refuse it; " + writeAgain(host, name),
	}
}

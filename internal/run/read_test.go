package run_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"testing"

	"pistack/internal/run"
)

func TestRead(t *testing.T) {
	gaveUp := errors.New("gave up")
	all := func(want string) func(io.Reader) error {
		return func(r io.Reader) error {
			got, err := io.ReadAll(r)
			if err == nil && string(got) != want {
				err = fmt.Errorf("read %q", got)
			}
			return err
		}
	}
	for _, c := range []struct {
		name   string
		script string
		stdin  string
		read   func(io.Reader) error
		want   string // error; empty for none
	}{
		{"bytes", `printf 'a\0b\377'`, "", all("a\x00b\xff"), ""},
		{"standard input", "cat", "x\ny", all("x\ny"), ""},
		{"standard error is no output", "echo e >&2; echo o", "", all("o\n"), ""},
		{"child fails", "echo o; echo why >&2; exit 7", "", all("o\n"), "sh: exit status 7"},
		{"reader gives up on a child without end", "while :; do echo y; done", "", func(r io.Reader) error {
			if _, err := bufio.NewReader(r).ReadString('\n'); err != nil {
				return err
			}
			return gaveUp
		}, "gave up"},
		{"reader gives up, child fails", "exit 7", "", func(io.Reader) error { return gaveUp }, "gave up"},
		{"output breaks off", "printf half; exit 7", "", func(r io.Reader) error {
			_, err := io.ReadFull(r, make([]byte, 8))
			return err
		}, "sh: exit status 7"},
		{"output breaks off, child is content", "printf half", "", func(r io.Reader) error {
			_, err := io.ReadFull(r, make([]byte, 8))
			return err
		}, "unexpected EOF"},
	} {
		t.Run(c.name, func(t *testing.T) {
			err := run.Read(t.Context(), run.Command{Argv: []string{"sh", "-c", c.script}, Stdin: strings.NewReader(c.stdin)}, c.read)
			if text := fmt.Sprint(err); text != c.want && (err != nil || c.want != "") {
				t.Errorf("error %v, want %q", err, c.want)
			}
		})
	}
	t.Run("last lines", func(t *testing.T) {
		err := run.Read(t.Context(), run.Command{Argv: []string{"sh", "-c", "echo why >&2; exit 7"}}, all(""))
		var failed *run.Error
		if !errors.As(err, &failed) || failed.Code != 7 || strings.Join(failed.Last, "") != "why" {
			t.Errorf("error %#v", err)
		}
	})
	t.Run("no such program", func(t *testing.T) {
		err := run.Read(t.Context(), run.Command{Argv: []string{"no-such-program"}}, all(""))
		if err == nil || err.Error() != "no-such-program: not found on PATH" {
			t.Errorf("error %v", err)
		}
	})
	t.Run("canceled", func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		err := run.Read(ctx, run.Command{Argv: []string{"sh", "-c", "echo o; exec sleep 1000"}}, func(r io.Reader) error {
			_, err := bufio.NewReader(r).ReadString('\n')
			cancel()
			_, rest := io.Copy(io.Discard, r)
			return errors.Join(err, rest)
		})
		if err == nil || !strings.HasPrefix(err.Error(), "sh: signal: ") {
			t.Errorf("error %v", err)
		}
	})
}

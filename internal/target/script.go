package target

import (
	"bytes"
	"context"
	"embed"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"pistack/internal/remote"
)

//go:embed script/*.sh
var scripts embed.FS

// script is a script's text, with the common part in the place of the line that
// reads it: one text is all that the machine is sent.
func script(name string) string {
	const include = "\n. ./common.sh\n"
	return strings.Replace(text(name), include, "\n"+text("common.sh")+"\n", 1)
}

func text(name string) string {
	data, err := scripts.ReadFile("script/" + name)
	if err != nil {
		panic(err) // it is part of this program
	}
	return string(data)
}

// Exit statuses of the scripts, as in common.sh.
const (
	statusLockLost = 71
	statusHeld     = 72
	statusFired    = 73
	statusNotArmed = 74
	statusPending  = 75
)

// step is one script and how it is run.
type step struct {
	script string
	says   string // what it does, for errors
	args   []string
	stdin  io.Reader
	fresh  bool
	limit  time.Duration
	line   func(string)
	output int
}

// run runs a step. What the scripts' own exit statuses say is in the error.
func (m Machine) run(ctx context.Context, s step) ([]byte, error) {
	return m.text(ctx, script(s.script), s)
}

// text is run for a text that is not one script's.
func (m Machine) text(ctx context.Context, script string, s step) ([]byte, error) {
	out, err := m.shell.Run(ctx, remote.Call{
		Host: m.host, Step: s.says, Script: script, Args: s.args, Stdin: s.stdin,
		Fresh: s.fresh, Limit: s.limit, Line: s.line, Output: s.output,
	})
	return out, m.explain(s, out, err)
}

func (m Machine) explain(s step, out []byte, err error) error {
	var exit *remote.ExitError
	if !errors.As(err, &exit) {
		return err
	}
	switch exit.Code {
	case statusLockLost:
		return m.because(ErrLockLost, s)
	case statusFired:
		return m.because(ErrFired, s)
	case statusNotArmed:
		return m.because(ErrNotArmed, s)
	case statusPending:
		return m.because(ErrPending, s)
	case statusHeld:
		a, parsed := parse(out)
		if parsed != nil {
			return m.nonsense(s, parsed)
		}
		return &Held{m.host, a.owner("")}
	}
	return err
}

func (m Machine) because(why error, s step) error {
	return fmt.Errorf("%s: %s: %w", m.host, s.says, why)
}

// nonsense is an answer that is none.
func (m Machine) nonsense(s step, err error) error {
	return fmt.Errorf("%s: %s: the answer is not understood: %w", m.host, s.says, err)
}

// ask runs a step and reads its answer with read, which takes what it knows;
// what is left is an error.
func (m Machine) ask(ctx context.Context, s step, read func(*answer)) error {
	out, err := m.run(ctx, s)
	if err == nil {
		err = m.understand(s, out, read)
	}
	return err
}

func (m Machine) understand(s step, out []byte, read func(*answer)) error {
	a, err := parse(out)
	if err == nil {
		read(a)
		err = a.finish()
	}
	if err != nil {
		return m.nonsense(s, err)
	}
	return nil
}

// part is one script of several, and what reads its answer; nil where it has none.
type part struct {
	script string
	args   []string
	read   func(*answer)
}

// askAll runs the scripts of parts one after another in one session, each in a
// shell of its own, until one fails: a session takes longer than most scripts do.
// whole says what that is, and how it is run.
func (m Machine) askAll(ctx context.Context, whole step, parts ...part) error {
	var all strings.Builder
	all.WriteString("set -e\n")
	for _, p := range parts {
		fmt.Fprintf(&all, "(\nset -- %s\n%s\n)\n", remote.Words(p.args), script(p.script))
	}
	out, err := m.text(ctx, all.String(), whole)
	if err != nil {
		return err
	}
	for _, p := range parts {
		if p.read == nil {
			continue
		}
		own := out
		if at := bytes.Index(out, endOfAnswer); at >= 0 {
			own = out[:at+len(endOfAnswer)]
		}
		if err := m.understand(whole, own, p.read); err != nil {
			return err
		}
		out = out[len(own):]
	}
	if len(out) > 0 {
		return m.nonsense(whole, fmt.Errorf("line %q", out[:min(len(out), 100)]))
	}
	return nil
}

var endOfAnswer = []byte("\nend\t\n")

// lines runs a step whose answer is a text.
func (m Machine) lines(ctx context.Context, s step) ([]string, error) {
	out, err := m.run(ctx, s)
	if err != nil {
		return nil, err
	}
	all := strings.Split(strings.TrimRight(string(out), "\n"), "\n")
	if len(all) == 1 && all[0] == "" {
		return nil, nil
	}
	return all, nil
}

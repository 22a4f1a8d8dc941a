package target

import (
	"context"
	"fmt"
	"regexp"
	"strings"
	"unicode"

	"pistack/internal/remote"
)

var idForm = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9-]{0,63}$`)

func checkID(id string) error {
	if !idForm.MatchString(id) {
		return fmt.Errorf("%q is not the id of a run", id)
	}
	return nil
}

// Lock takes the machine's lock for a run; it is no error to have it already. An
// error is *Held when another run has it.
func (m Machine) Lock(ctx context.Context, o Owner) error {
	if err := checkID(o.ID); err != nil {
		return err
	}
	_, err := m.run(ctx, step{script: "lock.sh", says: "taking the lock", args: o.words()})
	return err
}

// LockAndProbe takes the lock as Lock does, and asks what the machine is and runs
// once that is done, in one session. With an error, the lock may be taken, unless
// it is *Held.
func (m Machine) LockAndProbe(ctx context.Context, o Owner) (State, error) {
	if err := checkID(o.ID); err != nil {
		return State{}, err
	}
	var s State
	err := m.askAll(ctx, step{says: "taking the lock", output: 4 << 20},
		part{script: "lock.sh", args: o.words()},
		part{script: "probe.sh", read: func(a *answer) { s = a.state() }})
	if err != nil {
		return State{}, err
	}
	return s, nil
}

// words are the owner's for lock.sh.
func (o Owner) words() []string {
	dirty := "no"
	if o.Dirty {
		dirty = "yes"
	}
	return []string{o.ID, plain(o.User), plain(o.From), plain(o.Revision), dirty, fmt.Sprint(max(0, o.Since.Unix()))}
}

// plain makes one short line of a text, whatever somebody's user name holds.
func plain(text string) string {
	text = strings.Map(func(r rune) rune {
		if unicode.IsControl(r) || r == unicode.ReplacementChar {
			return -1
		}
		return r
	}, strings.ToValidUTF8(text, ""))
	if runes := []rune(text); len(runes) > 200 {
		text = string(runes[:200])
	}
	return strings.TrimSpace(text)
}

// Unlock gives a run's lock back. It is no error when nobody has it any more; it
// is *Held when another run has it.
func (m Machine) Unlock(ctx context.Context, id string) error {
	if err := checkID(id); err != nil {
		return err
	}
	_, err := m.run(ctx, step{script: "unlock.sh", says: "giving the lock back", args: []string{id}})
	return err
}

// BreakLock takes the lock away from whoever has it, who is told by ErrLockLost
// at the next step. The owner is empty when nobody had it. An undo that is armed
// stays armed: the machine goes back to what it ran before that deploy.
func (m Machine) BreakLock(ctx context.Context) (Owner, error) {
	var o Owner
	err := m.ask(ctx, step{script: "break.sh", says: "breaking the lock"}, func(a *answer) {
		if len(a.values) > 0 {
			o = a.owner("")
		}
	})
	return o, err
}

// isLost tells that the connection broke, or never was.
func isLost(err error) bool {
	return remote.Is(err, remote.Lost) || remote.Is(err, remote.Unreachable) || remote.Is(err, remote.TimedOut)
}

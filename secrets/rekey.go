package secrets

import (
	"errors"
	"fmt"

	"filippo.io/age"
)

// Wanted says who shall read a host's secrets.
type Wanted struct {
	Host    string
	Readers []Reader
}

// Rekey is a plan to give secrets other readers. Values stay as they are.
type Rekey struct {
	Changes   []Rewrap
	Unchanged int // files whose readers are the wanted ones already
}

// Rewrap is one file of a Rekey.
type Rewrap struct {
	Entry      Entry
	Difference Difference
	readers    []Reader
}

// PlanRekey compares the readers of all secrets of some hosts with the wanted
// ones. It needs no key and writes nothing. With all, files whose readers look
// right are rewrapped too: an age key that took another one's place does not
// show in a header.
func (s Store) PlanRekey(wanted []Wanted, all bool) (*Rekey, error) {
	plan := &Rekey{}
	var problems []error
	for _, w := range wanted {
		entries, err := s.List(w.Host)
		problems = append(problems, err)
		for _, e := range entries {
			d := e.Header.Compare(w.Readers)
			if d.None() && !all {
				plan.Unchanged++
				continue
			}
			plan.Changes = append(plan.Changes, Rewrap{Entry: e, Difference: d, readers: w.Readers})
		}
	}
	return plan, errors.Join(problems...)
}

// ApplyRekey carries out a plan in one transaction: all files, or none. The
// identities must open every file. Each result is opened before anything is
// replaced.
func (s Store) ApplyRekey(plan *Rekey, identities ...age.Identity) error {
	if len(plan.Changes) == 0 {
		return nil
	}
	t, err := s.begin()
	if err != nil {
		return err
	}
	defer t.end()
	if err := s.stageAll(t, plan.Changes, identities); err != nil {
		return errors.Join(err, t.abandon())
	}
	return t.commit()
}

// stageAll stages every file, and names each that cannot be. What is wrong with
// a key or a plugin would be wrong with every file: it is said once.
func (s Store) stageAll(t *transaction, changes []Rewrap, identities []age.Identity) error {
	var problems []error
	for _, c := range changes {
		err := s.stageRewrap(t, c, identities)
		var key keyError
		if errors.As(err, &key) {
			return key.err
		}
		problems = append(problems, err)
	}
	return errors.Join(problems...)
}

// keyError is an error of a key or a plugin, whatever the file.
type keyError struct{ err error }

func (e keyError) Error() string { return e.err.Error() }

func (s Store) stageRewrap(t *transaction, c Rewrap, identities []age.Identity) error {
	old, err := readSecret(s.path(c.Entry.File))
	if err != nil {
		return fmt.Errorf("%s: %w", c.Entry.File, fileReason(err))
	}
	rewrapped, err := rewrap(old, c.readers, identities...)
	if errors.Is(err, ErrNotAReader) {
		return &Error{Message: c.Entry.File, Err: err, Fix: "use a key that can read it now: pisec rekey --identity FILE …"}
	}
	var refused *Error
	if errors.As(err, &refused) {
		return keyError{refused}
	}
	if err != nil {
		return fmt.Errorf("%s: %w", c.Entry.File, err)
	}
	return t.stage(c.Entry.File, rewrapped)
}

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
	also      []companion
	last      func() error
}

// companion is another file of the fleet that a rekey replaces.
type companion struct {
	file    string
	content func() ([]byte, error)
}

// Also has a file replaced in the same transaction, such as the list that says
// who the readers are: fleet.toml, or a host's pinned key. content is asked for
// when nobody else can change secrets any more.
func (r *Rekey) Also(file string, content func() ([]byte, error)) {
	r.also = append(r.also, companion{file, content})
}

// Last has do called when all new files are durable, and before the first takes its
// place: nothing that comes afterwards needs room on the disk. When do fails, nothing
// is replaced.
func (r *Rekey) Last(do func() error) { r.last = do }

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
	if len(plan.Changes)+len(plan.also) == 0 {
		return nil
	}
	t, err := s.begin()
	if err != nil {
		return err
	}
	defer t.end()
	err = s.stageAll(t, plan.Changes, identities)
	for _, c := range plan.also {
		if err == nil {
			err = stageCompanion(t, c)
		}
	}
	if err != nil {
		return errors.Join(err, t.abandon())
	}
	return t.commit(plan.last)
}

// stageAll stages every file, and names each that cannot be. What is wrong with
// a key or a plugin would be wrong with every file: it is said once.
//
// Several files are rewrapped at once; they are staged one after another, in the
// order of the plan.
func (s Store) stageAll(t *transaction, changes []Rewrap, identities []age.Identity) error {
	atOnce := 2 * cores()
	if asksSomebody(changes, identities) {
		atOnce = 1
	}
	var problems []error
	err := inOrder(len(changes), atOnce, func(i int) rewrapped {
		content, err := s.rewrapOne(changes[i], identities)
		return rewrapped{content, err}
	}, func(i int, r rewrapped) error {
		err := r.err
		if err == nil {
			err = named(changes[i].Entry.File, t.stage(changes[i].Entry.File, r.content))
		}
		if key := (keyError{}); errors.As(err, &key) {
			return key
		}
		problems = append(problems, err)
		return nil
	})
	if key := (keyError{}); errors.As(err, &key) {
		return key.err
	}
	return errors.Join(append(problems, err)...)
}

// rewrapped is the new version of a file, or what keeps it from having one.
type rewrapped struct {
	content []byte
	err     error
}

// asksSomebody tells whether a key or a reader is of a plugin, which may want
// somebody to touch a device or to type, one file after another.
func asksSomebody(changes []Rewrap, identities []age.Identity) bool {
	for _, id := range identities {
		if !shareable(id) {
			return true
		}
	}
	for _, c := range changes {
		for _, r := range c.readers {
			if r.Type == "" {
				return true
			}
		}
	}
	return false
}

func stageCompanion(t *transaction, c companion) error {
	content, err := c.content()
	if err != nil {
		return err
	}
	return named(c.file, t.stage(c.file, content))
}

// named says of an error which file it is about.
func named(file string, err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("%s: %w", file, fileReason(err))
}

// keyError is an error of a key or a plugin, whatever the file.
type keyError struct{ err error }

func (e keyError) Error() string { return e.err.Error() }

// rewrapOne reads a file and gives it its wanted readers, in memory.
func (s Store) rewrapOne(c Rewrap, identities []age.Identity) ([]byte, error) {
	old, err := readSecret(s.files(), c.Entry.File)
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Entry.File, fileReason(err))
	}
	content, err := rewrap(old, c.readers, identities...)
	if errors.Is(err, ErrNotAReader) {
		return nil, &Error{Message: c.Entry.File, Err: err, Fix: "use a key that can read it now: pisec rekey --identity FILE …"}
	}
	var refused *Error
	if errors.As(err, &refused) {
		return nil, keyError{refused}
	}
	if err != nil {
		return nil, fmt.Errorf("%s: %w", c.Entry.File, err)
	}
	return content, nil
}

package secrets

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"

	"github.com/google/renameio/v2"

	"pistack/secrets/durable"
)

// A transaction replaces several files, all or none, whatever happens to the
// process. The order of the steps is the safety argument:
//
//  1. take the lock, so that there is one transaction at a time
//  2. write the new files into hosts/.pisec/, and a draft of the journal, which
//     names them, and sync: nothing after this needs room on the disk
//  3. rename the draft to the journal, and sync: from here on, it is done
//  4. rename each into place, and sync the folders
//  5. remove the journal and hosts/.pisec/
//
// A crash before step 3 leaves files that nobody uses; the next transaction
// removes them. A crash after it leaves a journal; the next transaction, before
// anything else, does steps 4 and 5 again. A rename that was done before finds
// no staged file and is done.
type transaction struct {
	store  Store
	unlock func()
	files  []string                // relative to the root, in the order of staging
	step   func(name string) error // called before every effect; tests crash there
}

// staging is the folder of a transaction, relative to the root.
const staging = "hosts/.pisec"

const journalName = "journal.json"

// journal is the list of files that a committed transaction replaces. File i
// is staged as "<i>.age".
type journal struct {
	Schema int      `json:"schema"`
	Files  []string `json:"files"`
}

// begin starts a transaction and first completes what an earlier one left.
func (s Store) begin() (*transaction, error) {
	if err := durable.MkdirAll(s.path("hosts")); err != nil {
		return nil, err
	}
	unlock, err := s.lock()
	if err != nil {
		return nil, err
	}
	t := &transaction{store: s, unlock: unlock, step: s.step}
	if t.step == nil {
		t.step = func(string) error { return nil }
	}
	if err := t.recover(); err != nil {
		unlock()
		return nil, &Error{Message: staging + ": completing an earlier run", Err: err,
			Fix: "mend what it names and run this again; if it came with a clone: git rm -r " + staging + ", and see what pisec verify says"}
	}
	if s.Check != nil {
		if err := s.Check(); err != nil {
			unlock()
			return nil, err
		}
	}
	return t, nil
}

// Unfinished tells whether a killed run left a transaction that the next command
// that writes will complete or remove.
func (s Store) Unfinished() bool {
	_, err := os.Lstat(s.path(staging))
	return err == nil
}

// Recover completes or removes what a killed run left, and tells whether there
// was anything.
func (s Store) Recover() (bool, error) {
	if !s.Unfinished() {
		s.sweepLock()
		return false, nil
	}
	s.Check = nil // nothing new is written
	t, err := s.begin()
	if err != nil {
		return false, err
	}
	t.end()
	return true, nil
}

// Alone does something to the fleet's files while nobody changes secrets, after it
// has completed what a killed run left.
func (s Store) Alone(do func() error) error {
	t, err := s.begin()
	if err != nil {
		return err
	}
	defer t.end()
	return do()
}

func (t *transaction) end() { t.unlock() }

func (t *transaction) path(name string) string {
	return filepath.Join(t.store.path(staging), name)
}

func staged(i int) string { return fmt.Sprintf("%d.age", i) }

// stage writes a new version of a file beside the others of the transaction.
func (t *transaction) stage(file string, content []byte) error {
	if err := t.step("stage " + file); err != nil {
		return err
	}
	if err := replaceableFile(t.store.path(file)); err != nil {
		return err
	}
	if err := t.makeStaging(); err != nil {
		return err
	}
	if err := os.WriteFile(t.path(staged(len(t.files))), content, 0o644); err != nil {
		return err
	}
	t.files = append(t.files, file)
	return nil
}

// replaceableFile refuses what a rename could not replace, or should not: it would
// leave a journal that nothing completes.
func replaceableFile(path string) error {
	info, err := os.Lstat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err == nil && !info.Mode().IsRegular() {
		return errors.New("is not a regular file")
	}
	return err
}

// makeStaging makes the folder of the transaction, which Git never takes.
func (t *transaction) makeStaging() error {
	if len(t.files) > 0 {
		return nil
	}
	if err := os.MkdirAll(t.store.path(staging), 0o700); err != nil {
		return err
	}
	return os.WriteFile(t.path(".gitignore"), []byte("*\n"), 0o600)
}

// abandon removes what was staged.
func (t *transaction) abandon() error {
	if err := t.step("remove staging"); err != nil {
		return err
	}
	return os.RemoveAll(t.store.path(staging))
}

// commit makes the staged files and a draft of the journal durable, then names the
// draft the journal, then replaces. last is called in between, nil for nothing: when
// it fails, nothing is replaced.
func (t *transaction) commit(last func() error) error {
	if err := t.sync(); err != nil {
		return errors.Join(err, t.abandon())
	}
	if err := t.step("draft"); err != nil {
		return err
	}
	draft, err := t.draftJournal()
	if err != nil {
		return errors.Join(err, t.abandon())
	}
	if last != nil {
		if err := last(); err != nil {
			return errors.Join(err, draft.Cleanup(), t.abandon())
		}
	}
	if err := t.step("journal"); err != nil {
		return err
	}
	if err := draft.CloseAtomicallyReplace(); err != nil {
		return errors.Join(err, t.abandonWithoutJournal())
	}
	if err := errors.Join(durable.SyncDir(t.store.path(staging)), durable.SyncDir(t.store.path("hosts"))); err != nil {
		return err
	}
	return t.replace(t.files)
}

// draftJournal writes a journal, durably, that is not named so yet.
func (t *transaction) draftJournal() (*renameio.PendingFile, error) {
	data, err := json.Marshal(journal{Schema: 1, Files: t.files})
	if err != nil {
		return nil, err
	}
	draft, err := renameio.NewPendingFile(t.path(journalName), renameio.WithTempDir(t.store.path(staging)), renameio.WithPermissions(0o600))
	if err != nil {
		return nil, err
	}
	_, err = draft.Write(data)
	if err := errors.Join(err, draft.Sync()); err != nil {
		return nil, errors.Join(err, draft.Cleanup())
	}
	return draft, nil
}

// abandonWithoutJournal removes what was staged when the journal surely is not
// there. Where it may be, the next transaction reads it and completes this one.
func (t *transaction) abandonWithoutJournal() error {
	if _, err := os.Lstat(t.path(journalName)); !errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	return t.abandon()
}

// sync makes the staged files durable with one call, where the system has one.
func (t *transaction) sync() error {
	if err := t.step("sync"); err != nil {
		return err
	}
	var files []string
	for i := range t.files {
		files = append(files, t.path(staged(i)))
	}
	return durable.Sync(t.store.path(staging), files)
}

// replace moves staged files into place and clears the transaction.
func (t *transaction) replace(files []string) error {
	dirs := map[string]bool{}
	for i, file := range files {
		if err := t.step("rename " + file); err != nil {
			return err
		}
		target := t.store.path(file)
		dirs[filepath.Dir(target)] = true // also of a rename that a crash kept from being synced
		if _, err := os.Lstat(t.path(staged(i))); errors.Is(err, fs.ErrNotExist) {
			continue // done before a crash
		}
		if err := os.Rename(t.path(staged(i)), target); err != nil {
			return fmt.Errorf("%s: %w", file, fileReason(err))
		}
	}
	for dir := range dirs {
		if err := t.step("sync " + dir); err != nil {
			return err
		}
		if err := durable.SyncDir(dir); err != nil {
			return err
		}
	}
	return t.clear()
}

// clear removes the journal first: what is left without one is nobody's.
func (t *transaction) clear() error {
	if err := t.step("remove journal"); err != nil {
		return err
	}
	if err := os.Remove(t.path(journalName)); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := durable.SyncDir(t.store.path(staging)); err != nil {
		return err
	}
	return t.abandon()
}

// replaceable tells which files a journal may name. It can come with a clone:
// nobody shall get a file of his put anywhere else.
func replaceable(file string) bool {
	return secretFile(file) || file == "fleet.toml" || pinnedKey(file)
}

// recover does what a killed transaction could not.
func (t *transaction) recover() error {
	data, err := readBounded(t.path(journalName), 64<<20)
	if errors.Is(err, fs.ErrNotExist) {
		return t.abandon()
	}
	if err != nil {
		return err
	}
	var j journal
	if err := json.Unmarshal(data, &j); err != nil || j.Schema != 1 {
		return fmt.Errorf("%s is damaged or of a newer pisec", journalName)
	}
	for _, file := range j.Files {
		if !replaceable(file) {
			return fmt.Errorf("%s names %q, which is no secret", journalName, file)
		}
	}
	return t.replace(j.Files)
}

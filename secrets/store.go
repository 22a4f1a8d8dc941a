package secrets

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"filippo.io/age"
	"filippo.io/age/armor"

	"pistack/secrets/durable"
)

// Store is the secrets of one fleet repository.
type Store struct {
	Root string // absolute path of the repository's root

	// Check is called when the store is locked for a change, before anything is
	// written: whether what the change was made from still holds, such as who the
	// readers are. Somebody can take a while to type a value. It may be nil.
	Check func() error

	step func(name string) error // see transaction; nil but in tests
}

// Entry is one secret in the store.
type Entry struct {
	Host   string
	Name   string
	File   string // relative to the root, with slashes
	Header Header
}

// File is where a secret stands, relative to the root, with slashes.
func File(host, name string) string { return Dir(host) + "/" + name + ".age" }

// Dir is the folder of a host's secrets, relative to the root.
func Dir(host string) string { return "hosts/" + host + "/secrets" }

// secretFile tells whether a path has the form that File gives.
func secretFile(file string) bool {
	parts := strings.Split(file, "/")
	if len(parts) != 4 || strings.HasPrefix(parts[1], ".") || parts[1] == "" {
		return false
	}
	name, ok := strings.CutSuffix(parts[3], ".age")
	return ok && CheckName(name) == nil && file == File(parts[1], name)
}

// pinnedKey tells whether a path is that of a host's pinned ssh key.
func pinnedKey(file string) bool {
	parts := strings.Split(file, "/")
	return len(parts) == 3 && parts[0] == "hosts" && parts[1] != "" && !strings.HasPrefix(parts[1], ".") && parts[2] == "ssh_host_ed25519_key.pub"
}

func (s Store) files() fs.FS { return os.DirFS(s.Root) }

func (s Store) path(file string) string { return filepath.Join(s.Root, filepath.FromSlash(file)) }

// Addition is a new value for a secret, encrypted and ready to be written.
type Addition struct {
	File       string // relative to the root
	Label      Label
	Replaces   bool // a file stands there and will be replaced
	Readers    []Reader
	ciphertext []byte
	before     string // version that the replaced file must still have; "" for any
}

// Replacing makes Apply refuse when the file no longer holds that version of the
// value: the new value was made from it.
func (a *Addition) Replacing(version string) { a.before = version }

// Plan encrypts a new value for its readers in memory; nothing is written.
// Replacing an existing secret must be asked for.
func (s Store) Plan(host, name string, value []byte, readers []Reader, replace bool, now time.Time) (*Addition, error) {
	version, err := NewVersion(now)
	if err != nil {
		return nil, err
	}
	return s.PlanVersion(Label{Host: host, Name: name, Version: version}, value, readers, replace)
}

// PlanVersion is Plan for a value that has its version already, since another
// host has it, too: so an audit can tell that it is the same.
func (s Store) PlanVersion(label Label, value []byte, readers []Reader, replace bool) (*Addition, error) {
	host, name := label.Host, label.Name
	if err := errors.Join(CheckName(name), CheckValue(value)); err != nil {
		return nil, err
	}
	if len(readers) == 0 {
		return nil, errors.New("nobody could read the secret: it has no readers")
	}
	if err := s.CheckAbsent(host, name, replace); err != nil {
		return nil, err
	}
	file := File(host, name)
	exists, err := s.exists(file)
	if err != nil {
		return nil, err
	}
	a := &Addition{File: file, Label: label, Replaces: exists, Readers: distinct(readers)}
	a.ciphertext, err = encrypt(value, a.Label, a.Readers)
	return a, err
}

// CheckAbsent refuses a secret that exists already, unless it is to be replaced.
func (s Store) CheckAbsent(host, name string, replace bool) error {
	file := File(host, name)
	exists, err := s.exists(file)
	if err != nil || !exists {
		return err
	}
	if replace {
		if err := replaceableFile(s.path(file)); err != nil {
			return &Error{Message: file + ": " + err.Error(), Fix: "move it elsewhere"}
		}
		return nil
	}
	return &Error{
		Message: fmt.Sprintf("%s: %s already has a secret %s", file, host, name),
		Fix:     fmt.Sprintf("to give it a new value: pisec add --replace %s %s", host, name),
	}
}

// CheckPresent refuses a secret that does not exist.
func (s Store) CheckPresent(host, name string) error {
	if err := CheckName(name); err != nil {
		return err
	}
	exists, err := s.exists(File(host, name))
	if err != nil || exists {
		return err
	}
	return &Error{Message: fmt.Sprintf("%s: %s has no secret %s", File(host, name), host, name), Fix: "see: pisec list " + host}
}

func (s Store) exists(file string) (bool, error) {
	_, err := os.Lstat(s.path(file))
	if errors.Is(err, fs.ErrNotExist) {
		return false, nil
	}
	return err == nil, err
}

// Apply writes what Plan made, in one transaction: all of it, or nothing.
func (s Store) Apply(additions ...*Addition) error {
	t, err := s.begin()
	if err != nil {
		return err
	}
	defer t.end()
	for _, a := range additions {
		err := s.checkFolders(a.Label.Host)
		if err == nil {
			err = s.checkBefore(a)
		}
		if err == nil {
			err = durable.MkdirAll(filepath.Dir(s.path(a.File)))
		}
		if err == nil {
			err = t.stage(a.File, a.ciphertext)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("%s: %w", a.File, fileReason(err)), t.abandon())
		}
	}
	return t.commit(nil)
}

// checkBefore refuses to overwrite what another command wrote since Plan.
func (s Store) checkBefore(a *Addition) error {
	exists, err := s.exists(a.File)
	if err != nil {
		return err
	}
	if !a.Replaces && exists {
		return errors.New("somebody else has added it meanwhile; nothing was written")
	}
	if a.before == "" {
		return nil
	}
	e, err := entry(s.files(), a.Label.Host, a.Label.Name+".age")
	if err != nil || e.Header.Label.Version != a.before {
		return errors.New("somebody else has changed it meanwhile; nothing was written")
	}
	return nil
}

// checkFolders refuses folders that lead out of the repository.
func (s Store) checkFolders(host string) error {
	for _, dir := range []string{"hosts/" + host, Dir(host)} {
		info, err := os.Lstat(s.path(dir))
		if err == nil && !info.IsDir() {
			return fmt.Errorf("%s is not a folder", dir)
		}
	}
	return nil
}

// Remove deletes a secret, durably.
func (s Store) Remove(host, name string) error {
	t, err := s.begin()
	if err != nil {
		return err
	}
	defer t.end()
	path := s.path(File(host, name))
	if err := os.Remove(path); err != nil {
		return fmt.Errorf("%s: %w", File(host, name), fileReason(err))
	}
	return durable.SyncDir(filepath.Dir(path))
}

// encrypt makes the armored file and reads its header back before anyone may
// rely on it.
func encrypt(value []byte, label Label, readers []Reader) ([]byte, error) {
	recipients := []age.Recipient{label}
	for _, r := range readers {
		recipients = append(recipients, r.Recipient)
	}
	var out bytes.Buffer
	armored := armor.NewWriter(&out)
	w, err := age.Encrypt(armored, recipients...)
	if err != nil {
		return nil, recipientError(err)
	}
	if _, err := w.Write(value); err != nil {
		return nil, err
	}
	if err := errors.Join(w.Close(), armored.Close()); err != nil {
		return nil, err
	}
	header, err := ReadHeader(bytes.NewReader(out.Bytes()))
	if err != nil {
		return nil, err
	}
	if header.Label != label || len(header.Readers) != len(readers) {
		return nil, errors.New("the encrypted file does not read back as it was written")
	}
	return out.Bytes(), nil
}

// recipientError takes a plugin's own words out of what age says around them.
func recipientError(err error) error {
	var refused *Error
	if errors.As(err, &refused) {
		return refused
	}
	return err
}

// Any tells whether a host has anything where its secrets are kept.
func (s Store) Any(host string) bool {
	files, err := os.ReadDir(s.path(Dir(host)))
	return len(files) > 0 || (err != nil && !errors.Is(err, fs.ErrNotExist))
}

// List reads the headers of all secrets of a host, sorted by name. Files that
// are no secrets are errors, joined; the entries that could be read are
// returned beside them.
func (s Store) List(host string) ([]Entry, error) { return ListFS(s.files(), host) }

// ListFS is List from any repository's files, such as those of a revision.
func ListFS(repository fs.FS, host string) ([]Entry, error) {
	files, err := fs.ReadDir(repository, Dir(host))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	// .gitkeep, or the temporary file of a writer that was killed
	files = slices.DeleteFunc(files, func(f fs.DirEntry) bool { return strings.HasPrefix(f.Name(), ".") })
	var entries []Entry
	var problems []error
	err = inOrder(len(files), 2*cores(), func(i int) listed {
		e, err := entry(repository, host, files[i].Name())
		return listed{e, err}
	}, func(_ int, l listed) error {
		if l.err == nil {
			entries = append(entries, l.entry)
		}
		problems = append(problems, l.err)
		return nil
	})
	return entries, errors.Join(append(problems, err)...)
}

// listed is an entry, or what keeps a file from being one.
type listed struct {
	entry Entry
	err   error
}

func entry(repository fs.FS, host, base string) (Entry, error) {
	file := Dir(host) + "/" + base
	name, ok := strings.CutSuffix(base, ".age")
	if !ok || CheckName(name) != nil {
		return Entry{}, &Error{Message: file + ": is not a secret", Fix: "secrets/ holds files named NAME.age only; move it elsewhere"}
	}
	f, err := openSecret(repository, file)
	if err != nil {
		return Entry{}, unreadable(host, name, err)
	}
	defer f.Close()
	header, err := ReadHeader(io.LimitReader(f, maxFile))
	if err != nil {
		return Entry{}, &Error{Message: file + ": " + err.Error(), Fix: writeAgain(host, name)}
	}
	if header.Label.Host != host || header.Label.Name != name {
		return Entry{}, movedHere(host, name, header.Label)
	}
	return Entry{Host: host, Name: name, File: file, Header: header}, nil
}

// Show decrypts one secret with the given identities and checks that it is
// the one of that host and name.
func (s Store) Show(host, name string, identities ...age.Identity) ([]byte, error) {
	opened, err := s.Open(host, name, identities...)
	return opened.Value, err
}

// Open is Show with the label, which carries the value's version.
func (s Store) Open(host, name string, identities ...age.Identity) (Opened, error) {
	if err := CheckName(name); err != nil {
		return Opened{}, err
	}
	file := File(host, name)
	data, err := readSecret(s.files(), file)
	if errors.Is(err, fs.ErrNotExist) {
		return Opened{}, &Error{Message: fmt.Sprintf("%s: %s has no secret %s", file, host, name), Fix: fmt.Sprintf("see: pisec list %s", host)}
	}
	if err != nil {
		return Opened{}, unreadable(host, name, err)
	}
	opened, err := Open(data, identities...)
	if errors.Is(err, ErrNotAReader) {
		return Opened{}, &Error{Message: file, Err: err, Fix: "use the key of an operator of fleet.toml: pisec show --identity FILE …"}
	}
	var refused *Error
	if errors.As(err, &refused) {
		return Opened{}, fmt.Errorf("%s: %w", file, err) // of an identity
	}
	if err != nil {
		return Opened{}, &Error{Message: file + ": " + err.Error(), Fix: writeAgain(host, name)}
	}
	if opened.Label.Host != host || opened.Label.Name != name {
		clear(opened.Value)
		return Opened{}, movedHere(host, name, opened.Label)
	}
	return opened, nil
}

// fileReason drops operation and absolute paths of a file error.
func fileReason(err error) error {
	var link *os.LinkError
	if errors.As(err, &link) {
		return link.Err
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// Package memo remembers what was computed from a repository, in the user's
// cache folder.
//
// # Why it cannot be wrong
//
// An entry holds the result and the trace of its computation: every question
// that it asked of the repository, with the answer. The entry counts only when
// each question, asked again, gets the same answer; it is a verifying trace, as
// build systems call it. The name of an entry is a hash of the program itself and
// of the key, which holds all that is not asked of the repository. While a
// result is computed each file is read once, so that the answer in the trace is
// about the very bytes that were used.
//
// An entry that is damaged, or missing, is computed anew. The folder can be
// deleted at any time.
package memo

import (
	"bytes"
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"fmt"
	"os"
	"path/filepath"
	"sync"
	"sync/atomic"
)

// Store is a folder of entries. The nil store remembers nothing.
type Store struct {
	dir     string
	program func() (string, error) // hash of what computes
	written atomic.Int64           // entries of this process
}

// Open uses the folder dir, which is made when it is first needed, for what this
// very executable computes. Without knowing which that is, nothing is remembered.
func Open(dir string) *Store {
	s := &Store{dir: dir, program: sync.OnceValues(executable)}
	go func() { _, _ = s.program() }() // 20 ms, in which others read the repository
	return s
}

// executable is a hash of what runs.
func executable() (string, error) {
	program, err := os.Executable()
	if err != nil {
		return "", err
	}
	data, err := os.ReadFile(program)
	if err != nil {
		return "", err
	}
	return hash(data), nil
}

// entry is the form of a file of the folder, behind a line with its hash.
type entry struct {
	Trace  []Observation   `json:"trace"`
	Result json.RawMessage `json:"result"`
}

// Do gives the result of compute for a key. compute may depend on the key and
// on what it asks of the repository that it is given, and on nothing else; its
// result must survive JSON. An error is not remembered.
func Do[T any](s *Store, repository Repository, key any, compute func(Repository) (T, error)) (T, error) {
	if s == nil {
		return compute(repository)
	}
	name, err := s.name(key)
	if err != nil {
		return compute(repository)
	}
	var result T
	if e, ok := s.read(name); ok && repository.agrees(e.Trace) && json.Unmarshal(e.Result, &result) == nil {
		return result, nil
	}
	w := watch(repository)
	result, err = compute(w.repository())
	if err != nil {
		return result, err
	}
	if trace, complete := w.trace(); complete {
		s.write(name, trace, result)
	}
	return result, nil
}

func (s *Store) name(key any) (string, error) {
	text, err := json.Marshal(key)
	if err != nil {
		return "", err
	}
	program, err := s.program()
	if err != nil {
		return "", err
	}
	return filepath.Join(s.dir, hash([]byte(program+"\n"+string(text)))), nil
}

// maxEntry bounds an entry, in bytes.
const maxEntry = 64 << 20

func (s *Store) read(name string) (entry, bool) {
	var e entry
	info, err := os.Stat(name)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxEntry {
		return e, false
	}
	data, err := os.ReadFile(name)
	if err != nil {
		return e, false
	}
	sum, body, found := bytes.Cut(data, []byte("\n"))
	if !found || string(sum) != hash(body) {
		return e, false
	}
	return e, json.Unmarshal(body, &e) == nil
}

// write replaces an entry. Failing is no error: there is just no entry then.
// Nothing is synced, for the hash tells a file that a crash cut short.
func (s *Store) write(name string, trace []Observation, result any) {
	text, err := json.Marshal(result)
	if err != nil {
		return
	}
	body, err := json.Marshal(entry{trace, text})
	if err != nil || len(body) > maxEntry || os.MkdirAll(s.dir, 0o700) != nil {
		return
	}
	f, err := os.CreateTemp(s.dir, ".new-*")
	if err != nil {
		return
	}
	defer os.Remove(f.Name()) // after the rename there is none
	_, err = fmt.Fprintf(f, "%s\n%s", hash(body), body)
	if closed := f.Close(); err == nil && closed == nil && os.Rename(f.Name(), name) == nil {
		s.written.Add(1)
	}
}

func hash(data []byte) string {
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

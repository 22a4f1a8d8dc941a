package deploy

import (
	"cmp"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"sync"
	"time"

	"github.com/google/renameio/v2"
)

// keptRuns is how many runs' logs and receipts are kept.
const keptRuns = 50

// Folder is an Archive below the user's state directory:
//
//	logs/RUN/HOST.log    everything that child processes wrote
//	receipts/HOST/TIME-RUN.json
type Folder struct {
	dir string
	run string // begins with the time, so that names sort

	mu    sync.Mutex
	files map[string]*os.File
}

// NewFolder is the archive of a run that begins now. Nothing is written yet.
func NewFolder(dir, id string, begun time.Time) *Folder {
	return &Folder{dir: dir, run: begun.UTC().Format("20060102T150405Z") + "-" + id[:min(8, len(id))], files: map[string]*os.File{}}
}

// runLog is the log of what concerns all hosts; no host can have this name.
const runLog = "_run"

// Log gives a function that adds lines to a host's log. What cannot be written
// is lost: a full disk here must not end a deploy there.
func (f *Folder) Log(host string) func(string) {
	return func(line string) {
		f.mu.Lock()
		defer f.mu.Unlock()
		if file := f.open(cmp.Or(host, runLog)); file != nil {
			fmt.Fprintf(file, "%s %s\n", time.Now().UTC().Format("15:04:05.000"), line)
		}
	}
}

func (f *Folder) open(name string) *os.File {
	if file, known := f.files[name]; known {
		return file
	}
	path := f.path(name)
	_ = os.MkdirAll(filepath.Dir(path), 0o700) // else the next line fails
	file, err := os.OpenFile(path, os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		file = nil
	}
	f.files[name] = file
	return file
}

func (f *Folder) path(name string) string { return filepath.Join(f.dir, "logs", f.run, name+".log") }

// LogFile is where a host's log is; "" when nothing was logged.
func (f *Folder) LogFile(host string) string {
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.files[cmp.Or(host, runLog)] == nil {
		return ""
	}
	return f.path(cmp.Or(host, runLog))
}

// Receipt keeps a copy of a host's receipt.
func (f *Folder) Receipt(host string, receipt []byte) error {
	dir := filepath.Join(f.dir, "receipts", host)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	if err := renameio.WriteFile(filepath.Join(dir, f.run+".json"), receipt, 0o600); err != nil {
		return err
	}
	return prune(dir, keptRuns)
}

// Close ends all logs, and removes those of runs long ago.
func (f *Folder) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	for _, file := range f.files {
		if file != nil {
			_ = file.Close() // what was lost was lost before
		}
	}
	f.files = map[string]*os.File{}
	return prune(filepath.Join(f.dir, "logs"), keptRuns)
}

// prune removes all but the last entries of a folder, by name.
func prune(dir string, keep int) error {
	entries, err := os.ReadDir(dir)
	if err != nil || len(entries) <= keep {
		return nil // nothing there, nothing to do
	}
	slices.SortFunc(entries, func(a, b os.DirEntry) int { return cmp.Compare(a.Name(), b.Name()) })
	for _, e := range entries[:len(entries)-keep] {
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	return nil
}

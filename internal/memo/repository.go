package memo

import (
	"crypto/sha256"
	"errors"
	"fmt"
	"io/fs"
	"strings"
)

// Repository is what a computation may ask about.
type Repository struct {
	Files   fs.FS // of the work tree; lstat and read link too, see fs.ReadLinkFS
	Tracked PathSet
	// Ignored tells whether a .gitignore of the repository lists a path.
	Ignored func(path string) (bool, error)
}

// PathSet tells about paths that Git tracks.
type PathSet interface {
	Has(path string) bool
	Under(path string) []string
}

// Observation is a question and the answer that it got.
type Observation struct {
	Kind   Kind   `json:"kind"`
	Path   string `json:"path"`
	Answer string `json:"answer"`
}

// Kind of a question.
type Kind string

// The questions that a repository answers.
const (
	kindFile    Kind = "file"    // what is there, and what is in it
	kindFolder  Kind = "folder"  // the names in it
	kindTracked Kind = "tracked" // PathSet.Has
	kindUnder   Kind = "under"   // PathSet.Under
	kindIgnored Kind = "ignored"
)

// agrees asks every question of a trace again.
func (r Repository) agrees(trace []Observation) bool {
	for _, o := range trace {
		if answer, ok := r.answer(o.Kind, o.Path); !ok || answer != o.Answer {
			return false
		}
	}
	return true
}

func (r Repository) answer(kind Kind, path string) (answer string, ok bool) {
	switch kind {
	case kindFile:
		return capture(r.Files, path).answer()
	case kindFolder:
		entries, err := fs.ReadDir(r.Files, path)
		return folderAnswer(entries, err), true
	case kindTracked:
		return fmt.Sprint(r.Tracked.Has(path)), true
	case kindUnder:
		return underAnswer(r.Tracked.Under(path)), true
	case kindIgnored:
		ignored, err := r.Ignored(path)
		return fmt.Sprint(ignored), err == nil
	}
	return "", false
}

func folderAnswer(entries []fs.DirEntry, err error) string {
	if err != nil {
		return errorAnswer(err)
	}
	h := sha256.New()
	for _, e := range entries {
		fmt.Fprintf(h, "%s\x00%s\x00", e.Name(), e.Type())
	}
	return fmt.Sprintf("%d names %x", len(entries), h.Sum(nil))
}

func underAnswer(paths []string) string {
	return fmt.Sprintf("%d paths %x", len(paths), sha256.Sum256([]byte(strings.Join(paths, "\x00"))))
}

// errorAnswer keeps what a caller could tell apart.
func errorAnswer(err error) string {
	var path *fs.PathError
	if errors.As(err, &path) {
		err = path.Err
	}
	return "error: " + err.Error()
}

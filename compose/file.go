package compose

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"path"
	"strings"
	"unicode/utf8"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// maxFile bounds a Compose file, an env file and a file that is hashed, in bytes.
const (
	maxFile   = 1 << 20
	maxHashed = 64 << 20
)

// composeFile is a Compose file in memory.
type composeFile struct {
	name string // relative to the repository's root
	data []byte
	docs documents
}

// newComposeFile reads a Compose file, and tells at which line and column it is
// none.
func newComposeFile(repository fs.FS, name string) (composeFile, *Finding) {
	data, err := ReadFile(repository, name)
	if err != nil {
		return composeFile{}, &Finding{File: name, Code: CodeRead, Message: err.Error(), Fix: readFix(err)}
	}
	if at, problem := notText(data); problem != "" {
		line, column := 1+bytes.Count(data[:at], []byte("\n")), at-bytes.LastIndexByte(data[:at], '\n')
		return composeFile{}, &Finding{File: name, Line: line, Column: column, Code: CodeSyntax, Message: problem, Fix: "save it as UTF-8 text"}
	}
	f := composeFile{name, data, newDocuments(name, data)}
	if problem, at := f.docs.excess(); at != nil {
		return composeFile{}, &Finding{File: name, Line: at.Line, Column: at.Column, Code: CodeSyntax, Message: problem, Fix: "take it out"}
	} else if problem != "" {
		return composeFile{}, &Finding{File: name, Line: 1, Column: 1, Code: CodeSyntax, Message: problem, Fix: "split the stack"}
	}
	return f, nil
}

// notText finds the first byte that no text file has.
func notText(data []byte) (at int, problem string) {
	if at := bytes.IndexByte(data, 0); at >= 0 {
		return at, "has a NUL byte"
	}
	for at := 0; at < len(data); {
		r, size := utf8.DecodeRune(data[at:])
		if r == utf8.RuneError && size == 1 {
			return at, "is not valid UTF-8"
		}
		at += size
	}
	return 0, ""
}

// other reads a file that a Compose file names: it must be a plain file of the
// repository that Git tracks. It goes to the device.
func (l *loading) other(place Position, name string) (composeFile, bool) {
	if l.others++; l.others > maxIncludes {
		l.report(place, CodeModel, Error, fmt.Sprintf("the stack includes or extends more than %d files", maxIncludes), "split the stack")
		return composeFile{}, false
	}
	if !l.plainFile(place, name) {
		return composeFile{}, false
	}
	l.files[l.src.relative(name)] = true
	if f, known := l.opened[name]; known {
		return f, l.afford(place, f)
	}
	f, problem := newComposeFile(l.src.Repository, name)
	if problem == nil && bytes.Contains(f.data, []byte(inlinedName)) {
		problem = &Finding{File: name, Line: 1, Column: 1, Code: CodeModel, Message: "has the reserved name " + inlinedName}
	}
	if problem != nil {
		problem.Severity = Error
		l.findings = append(l.findings, *problem)
		return composeFile{}, false
	}
	l.opened[name] = f
	return f, l.afford(place, f)
}

// afford counts what a further file costs.
func (l *loading) afford(place Position, f composeFile) bool {
	if l.loaded += f.docs.values(); l.loaded > maxLoaded {
		l.report(place, CodeModel, Error, fmt.Sprintf("the files that the stack includes or extends have more than %d keys and values, each counted as often as it is named", maxLoaded), "split the stack")
		return false
	}
	return true
}

// plainFile reports, where it is named, what keeps a file from the device.
func (l *loading) plainFile(place Position, name string) bool {
	if !fs.ValidPath(name) {
		l.report(place, CodeRead, Error, fmt.Sprintf("%q is no path", name), "")
		return false
	}
	for i := range len(name) + 1 {
		if i < len(name) && name[i] != '/' {
			continue
		}
		info, err := fs.Lstat(l.src.Repository, name[:i])
		if err != nil {
			l.report(place, CodeRead, Error, fmt.Sprintf("%s: %v%s", name, plain(err), l.nearestTracked(l.src.relative(name))), "")
			return false
		}
		if info.Mode()&fs.ModeSymlink != 0 {
			l.report(place, CodePath, Error, fmt.Sprintf("%s is a symlink, which would point elsewhere on the device", name[:i]),
				"name the file that it points to, and keep that in the repository")
			return false
		}
	}
	if !l.src.Tracked.Has(name) {
		l.report(place, CodeUntracked, Error, fmt.Sprintf("%s is not tracked by Git, so the device would not get it", name), "git add "+name)
		return false
	}
	return true
}

// within gives the path, relative to the repository's root, of a file that a
// Compose file names relative to a folder.
func (l *loading) within(place Position, dir, name string) (string, bool) {
	file := path.Join(dir, name)
	switch {
	case name == "":
		l.report(place, CodePath, Error, "the path is empty", "name a file of the repository")
	case strings.Contains(name, "://"), strings.HasPrefix(name, "git@"), strings.HasPrefix(name, "github.com/"):
		l.report(place, CodePath, Error, fmt.Sprintf("%s is not a file of this repository: what it says could change without a commit", name),
			"copy the file into the repository, and name that")
	case strings.HasPrefix(name, "/"), strings.HasPrefix(name, "~"), file == "..", strings.HasPrefix(file, "../"):
		l.report(place, CodePath, Error, fmt.Sprintf("%s is outside the repository, so the device would not get it", name),
			"copy the file into the repository, and name it by a relative path")
	default:
		return file, true
	}
	return "", false
}

// relative gives the path that leads from the stack's folder to a file of the
// repository. On the device /etc/pistack is the repository's root.
func (s Source) relative(file string) string {
	if below, ok := strings.CutPrefix(file, s.Dir()+"/"); ok {
		return below
	}
	if below, ok := strings.CutPrefix(file, "stacks/"); ok {
		return "../" + below
	}
	return "../../" + file
}

// noFiles is a loader.ResourceLoader that keeps compose-go from opening files:
// it gets all that it may see in memory.
type noFiles struct{}

var errOtherFile = errors.New("this include or extends cannot be followed: write it out, without YAML merges or !override")

func (noFiles) Accept(string) bool                           { return true }
func (noFiles) Load(context.Context, string) (string, error) { return "", errOtherFile }
func (noFiles) Dir(string) string                            { return "" }

var _ loader.ResourceLoader = noFiles{}

// config hands a file to compose-go.
func (f composeFile) config() types.ConfigFile {
	return types.ConfigFile{Filename: f.name, Content: f.data}
}

// ReadFile reads a file of the repository, of at most 1 MiB. Its errors name neither operation
// nor path: the finding does that.
func ReadFile(repository fs.FS, file string) ([]byte, error) {
	// Before it is opened: a named pipe would wait for a writer.
	info, err := fs.Stat(repository, file)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := repository.Open(file)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, plain(err)
	}
	if len(data) > maxFile {
		return nil, errTooLarge
	}
	return data, nil
}

var errTooLarge = errors.New("is larger than 1 MiB")

// readFix says what to do about an error of ReadFile.
func readFix(err error) string {
	switch {
	case errors.Is(err, errTooLarge):
		return "split it, or mount what is large as a file of its own"
	case errors.Is(err, errNotRegular):
		return "put the file that it points to in its place"
	case strings.Contains(err.Error(), "escapes from parent"): // os.Root has no error for it
		return "it leads out of the repository through a symlink: keep the file or folder itself in the repository"
	}
	return ""
}

// plain is an error in the same words for every kind of file system.
func plain(err error) error {
	if errors.Is(err, fs.ErrNotExist) {
		return fs.ErrNotExist
	}
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

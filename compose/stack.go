// Package compose reads a stack: a plain Compose file, its optional override
// for one host, and its .env, as the device will run them.
//
// # Hermetic
//
// Everything comes from the repository that Source names: nothing of the
// workstation's environment, home, paths or clock can change the result. The
// variables of a stack are those of its .env, of the host, and the host's
// secrets; later ones win. A variable that has no value and no default is an
// error at its line, not an empty string.
//
// # Files
//
// compose-go reads included and extended files from the disk, and what it does
// with their paths depends on the folder it runs in. So it never sees an include
// or another file's name: each included file is loaded from the repository, as a
// unit with a folder and variables of its own, and what comes out is written into
// the including file as Compose merges the two. The cases of testdata/cases are
// compared with the real Docker Compose, value for value.
//
// # Secrets
//
// The package never sees a secret's value. A variable that is a secret of the
// host is interpolated as a token of its name and value version; where tokens
// turn up in the loaded model tells which service uses which secret, through
// anchors, merges and defaults alike, and what else they would leak into.
//
// # Inputs
//
// Docker Compose recreates a container when its configuration changes. It does
// not look at the content of a secret file or of a mounted configuration file.
// Service.Inputs is a hash of exactly those; as a label of the service it makes
// Compose recreate what has to be, and nothing else.
package compose

import (
	"io/fs"

	"github.com/compose-spec/compose-go/v2/types"
)

// Source is what a stack is loaded from.
type Source struct {
	Repository fs.FS             // the fleet repository's work tree
	Stack      string            // folder of stacks/
	Host       string            // chooses compose.<host>.yaml, and is named in hints
	Env        map[string]string // the host's Compose variables
	Secrets    map[string]string // the host's secrets: name to value version
	Tracked    PathSet           // files that Git tracks
	// Ignored tells whether a .gitignore of the repository lists a path, which
	// need not exist. A path that is neither tracked nor ignored is a mistake.
	Ignored func(path string) (bool, error)
}

// PathSet tells about paths of a repository, relative to its root.
type PathSet interface {
	Has(path string) bool       // this very file
	Under(path string) []string // the files below this folder, sorted
}

// Stack is a stack as one host will run it.
type Stack struct {
	Name         string
	ComposeFiles []string     // compose.yaml, then compose.<host>.yaml when there is one; relative to the stack's folder
	EnvFiles     []string     // .env, when there is one
	Files        []string     // every file and folder that the device needs, relative to the stack's folder ("../common/base.yaml"), sorted
	EnvSecrets   []string     // secrets that variables refer to, sorted
	Secrets      []FileSecret // secrets that containers get as files, sorted by name
	Services     []Service    // enabled services, sorted by name

	// Project is the model as compose-go loads it, with tokens (see Redact) in
	// the place of secrets. It is shared: do not change it.
	Project *types.Project
	docs    documents
	inputs  map[string]*inputs // of each service
}

// Place is where the author's files say what the model has at a path, such as
// "services", "web", "image": in the file that says it last, since that one
// wins. Where only a part of the path is written it is the place of that part.
func (s *Stack) Place(path ...string) Position { return s.docs.find(path...) }

// PlaceOfItem is Place of a list's item. index is that in the model, and name
// what the item begins with in the file: a merge gives it another index.
func (s *Stack) PlaceOfItem(index int, name string, path ...string) Position {
	return s.docs.item(index, name, path...)
}

// Says tells whether the author's files have something at exactly this path. What
// comes from the base of an "extends" or through a merge ("<<") has it elsewhere.
func (s *Stack) Says(path ...string) bool {
	for _, d := range s.docs {
		if _, whole := d.find(path...); whole {
			return true
		}
	}
	return false
}

// Redact makes a text of the model readable: "(secret NAME)" for each token.
func Redact(text string) string { return withoutTokens(text) }

// FileSecret is a secret that containers of the stack get as a file.
type FileSecret struct {
	Name     string
	Mode     uint32 // permission bits
	UID, GID int
}

// Service is what pistack has to know of a service.
type Service struct {
	Name    string
	Image   string
	Secrets []string    // secrets it uses, as variables or files, sorted
	State   []StateBind // relative bind mounts that hold state, in file order
	Resets  []string    // keys of the author's service that the device must not see, sorted: "build"
	Inputs  string      // hash of what Compose does not look at, 64 hex digits
}

// StateBind is a relative bind mount of a path that Git does not track.
type StateBind struct {
	Path     string // as a clean path below the stack's folder
	Target   string // in the container
	ReadOnly bool
}

// Dir is the stack's folder, relative to the repository's root.
func (s Source) Dir() string { return "stacks/" + s.Stack }

package compare

import (
	"bytes"
	"io/fs"
	"path"
	"slices"
	"strings"

	"pistack/internal/git"
)

// reach tells which stacks a difference between two versions can reach: by files
// of the stack's own folder, and by those of other folders that its files name.
//
// A stack without a difference of its own has the same files on both sides, so
// the base tells what it names. It errs to the safe side: what it calls touched
// is loaded and compared, and may turn out to be the same.
type reach struct {
	base    *git.Revision
	differ  git.Files
	ignores bool                // a .gitignore above all stacks differs
	names   map[string][]string // folder to the folders that its files name
}

// everywhere stands for folders that a text does not tell.
const everywhere = "."

// newReach is for a base, and a head that may be a work tree, where a .gitignore
// decides what is state and what is a mistake.
func newReach(base *git.Revision, differ git.Files, workTree bool) *reach {
	return &reach{base: base, differ: differ, names: map[string][]string{},
		ignores: workTree && (differ.Has(".gitignore") || differ.Has("stacks/.gitignore"))}
}

// stack tells whether a difference can reach a stack.
func (r *reach) stack(name string) bool {
	if r.ignores {
		return true
	}
	seen := map[string]bool{}
	todo := []string{"stacks/" + name}
	for len(todo) > 0 {
		dir := todo[0]
		todo = todo[1:]
		if seen[dir] {
			continue
		}
		seen[dir] = true
		if r.differs(dir) {
			return true
		}
		todo = append(todo, r.named(dir)...)
	}
	return false
}

// differs tells whether any file below a folder is different. A folder inside a
// stack that Git knows nothing of is state.
func (r *reach) differs(dir string) bool {
	if dir == everywhere {
		return len(r.differ.All()) > 0
	}
	for _, file := range r.differ.Under(dir) {
		if !strings.HasSuffix(file, "/") || strings.Count(file, "/") < 3 {
			return true
		}
	}
	for parent := dir; parent != "."; parent = path.Dir(parent) {
		if r.differ.Has(parent + "/") {
			return true
		}
	}
	return false
}

// named lists the folders that the files of a folder lead to: by ".." in a YAML or
// env file, and by symlinks.
func (r *reach) named(dir string) []string {
	if known, ok := r.names[dir]; ok {
		return known
	}
	var folders []string
	for _, file := range r.base.Tracked.Under(dir) {
		switch ext := path.Ext(file); {
		case ext == ".yaml" || ext == ".yml" || ext == ".env" || path.Base(file) == ".env":
			data, err := fs.ReadFile(r.base, file)
			if err == nil {
				folders = append(folders, r.inText(dir, file, data)...)
			}
		}
	}
	for _, link := range r.base.Symlinks(dir) {
		target, err := r.base.ReadLink(link)
		if err == nil {
			folders = append(folders, folderOf(path.Join(path.Dir(link), target)))
		}
	}
	slices.Sort(folders)
	r.names[dir] = slices.Compact(folders)
	return r.names[dir]
}

// inText finds the paths with ".." in a text. What such a path is relative to
// depends on where it stands, so every folder from the file's up to dir counts.
func (r *reach) inText(dir, file string, data []byte) []string {
	var folders []string
	for rest := data; ; {
		at := bytes.Index(rest, []byte(".."))
		if at < 0 {
			return folders
		}
		start, end := at, at
		for start > 0 && pathByte(rest[start-1]) {
			start--
		}
		for end < len(rest) && pathByte(rest[end]) {
			end++
		}
		word := string(rest[start:end])
		variable := strings.Contains(word, "$") || start > 0 && rest[start-1] == '}'
		rest = rest[end:]
		if !slices.Contains(strings.Split(word, "/"), "..") {
			continue
		}
		if variable {
			return append(folders, everywhere)
		}
		for from := path.Dir(file); ; from = path.Dir(from) {
			folders = append(folders, folderOf(path.Join(from, word)))
			if from == dir || from == "." {
				break
			}
		}
	}
}

// pathByte tells of what a path in a text is made of, and of a variable's "$".
func pathByte(b byte) bool {
	return b >= 'a' && b <= 'z' || b >= 'A' && b <= 'Z' || b >= '0' && b <= '9' || b >= 0x80 || strings.IndexByte("._-/$+@~", b) >= 0
}

// folderOf is the folder of what is probably a file. A path out of the
// repository is refused when it is loaded.
func folderOf(file string) string {
	if path.Ext(file) != "" {
		file = path.Dir(file)
	}
	return file
}

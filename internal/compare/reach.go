package compare

import (
	"io/fs"
	"path"
	"slices"
	"strings"

	"pistack/internal/git"
)

// reach tells which stacks a difference between two versions can reach: by files
// of the stack's own folder, and by those of other folders that its files name, or
// may name without saying so.
//
// A stack without a difference of its own has the same files on both sides, so
// the base tells what it names. It errs to the safe side: what it calls touched
// is loaded and compared, and may turn out to be the same.
type reach struct {
	base    *git.Revision
	differ  git.Files
	ignores bool               // a .gitignore above all stacks differs
	texts   map[string]mention // of each folder
}

// everywhere stands for folders that a text does not tell.
const everywhere = "."

// newReach is for a base, and a head that may be a work tree, where a .gitignore
// decides what is state and what is a mistake.
func newReach(base *git.Revision, differ git.Files, workTree bool) *reach {
	return &reach{base: base, differ: differ, texts: map[string]mention{},
		ignores: workTree && (differ.Has(".gitignore") || differ.Has("stacks/.gitignore"))}
}

// stack tells whether a difference can reach a stack.
func (r *reach) stack(name string) bool {
	if r.ignores {
		return true
	}
	var all mention
	seen := map[string]bool{}
	todo := r.linked("stacks/"+name, 0)
	for todo = append(todo, "stacks/"+name); len(todo) > 0; {
		for _, dir := range todo {
			if !seen[dir] && r.differs(dir) {
				return true
			}
			seen[dir] = true
			all.join(r.mentioned(dir))
		}
		if all.unknown() {
			return r.differs(everywhere)
		}
		todo = slices.DeleteFunc(r.targets(all), func(dir string) bool { return seen[dir] })
	}
	return false
}

// differs tells whether any file below a folder is different. A folder inside a
// stack that Git knows nothing of is state.
func (r *reach) differs(dir string) bool {
	if wide(dir) {
		return len(r.differ.All()) > 0
	}
	for _, file := range r.differ.Under(dir) {
		if !strings.HasSuffix(file, "/") || strings.Count(file, "/") < 3 {
			return true
		}
	}
	for parent := dir; parent != "."; parent = path.Dir(parent) {
		if r.differ.Has(parent+"/") || r.differ.Has(parent) {
			return true
		}
	}
	return false
}

// wide tells of folders that nearly everything is in.
func wide(dir string) bool { return dir == everywhere || dir == "stacks" || dir == "hosts" }

// mentioned is what the files of a folder say, whatever they are called: any can
// be included. Where a symlink leads to is a path as well.
func (r *reach) mentioned(dir string) mention {
	if known, ok := r.texts[dir]; ok {
		return known
	}
	var m mention
	for _, file := range r.base.Tracked.Under(dir) {
		m.bases = append(m.bases, path.Dir(file))
		data, err := fs.ReadFile(r.base, file)
		if err == nil && len(data) <= maxMention {
			m.add(file, data)
		}
	}
	var all mention
	all.join(m) // sorted
	r.texts[dir] = all
	return all
}

// targets lists the folders that paths lead to, from any folder that they can
// be relative to, or from one above it within the repository.
func (r *reach) targets(m mention) []string {
	var folders []string
	for _, base := range m.bases {
		for _, word := range m.words {
			for from := base; from != "." && !wide(from); from = path.Dir(from) {
				folders = append(folders, r.at(path.Join(from, word), 0)...)
			}
		}
		for _, link := range r.base.Symlinks(base) {
			folders = append(folders, r.linked(link, 0)...)
		}
	}
	slices.Sort(folders)
	return slices.Compact(folders)
}

// at lists the folders of what can be at a path, which may go on with characters
// that end a word: "../my" of "../my files/x". A path out of the repository is
// refused when it is loaded.
func (r *reach) at(name string, depth int) []string {
	if name == ".." || strings.HasPrefix(name, "../") {
		return nil
	}
	if wide(name) {
		return []string{everywhere}
	}
	folders := r.linked(name, depth)
	for _, known := range [][]string{r.base.Tracked.All(), r.differ.All()} {
		at, _ := slices.BinarySearch(known, name)
		for at < len(known) && strings.HasPrefix(known[at], name) {
			slash := strings.IndexByte(known[at][len(name):], '/')
			if slash < 0 {
				folders = append(folders, path.Dir(known[at]))
				at++
				continue
			}
			folder := known[at][:len(name)+slash]
			folders = append(folders, folder)
			next, _ := slices.BinarySearch(known, folder+"0") // "0" follows "/"
			at = max(at+1, next)
		}
	}
	return folders
}

// maxLinks bounds how many symlinks one path may lead through.
const maxLinks = 16

// linked lists the folders that a path leads to by a symlink at it or above it.
func (r *reach) linked(name string, depth int) []string {
	for link := name; link != "." && link != "/"; link = path.Dir(link) {
		target, err := r.base.ReadLink(link)
		if err != nil {
			continue
		}
		if depth >= maxLinks {
			return []string{everywhere}
		}
		return append(r.at(path.Join(path.Dir(link), target, strings.TrimPrefix(name, link)), depth+1), link)
	}
	return nil
}

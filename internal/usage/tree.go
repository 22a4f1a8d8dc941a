package usage

import (
	"bytes"
	"errors"
	"io"
	"io/fs"
	"path"
	"regexp"

	"go.yaml.in/yaml/v4"

	"pistack/compose/reference"
)

// maxFile bounds a file, in bytes. Real ones stay far below.
const maxFile = 10 << 20

// Tree is a fleet's work tree. It reads and parses every file once, however many
// hosts use it: modules/ is looked through for all of them. It is not for
// several goroutines at once.
type Tree struct {
	fsys  fs.FS
	files map[string]*content
	nix   map[string][]string // folder to the NixOS files below it
}

// NewTree reads nothing yet.
func NewTree(repository fs.FS) *Tree {
	return &Tree{fsys: repository, files: map[string]*content{}, nix: map[string][]string{}}
}

// content is a file: there, or missing, or broken.
type content struct {
	data          []byte
	there, broken bool

	names  map[string]bool // once asked for
	parsed *yamlFile
}

// yamlFile is what a file of YAML holds; not ok when it is none, or too much of one.
type yamlFile struct {
	documents []*yaml.Node
	ok        bool
}

func (t *Tree) file(name string) *content {
	c, known := t.files[name]
	if !known {
		c = t.read(name)
		t.files[name] = c
	}
	return c
}

func (t *Tree) read(name string) *content {
	info, err := fs.Stat(t.fsys, name)
	if errors.Is(err, fs.ErrNotExist) {
		return &content{}
	}
	if err == nil && info.Mode().IsRegular() && info.Size() <= maxFile {
		var data []byte
		if data, err = fs.ReadFile(t.fsys, name); err == nil {
			return &content{data: data, there: true}
		}
	}
	return &content{broken: true}
}

// nixFiles lists the NixOS files below a folder. What "pistack generate" wrote
// names all secrets, and says nothing; the runtime's own files name some as
// examples.
func (t *Tree) nixFiles(folder string) []string {
	files, known := t.nix[folder]
	if known {
		return files
	}
	_ = fs.WalkDir(t.fsys, folder, func(file string, e fs.DirEntry, err error) error {
		switch {
		case err != nil: // no such folder
		case e.IsDir() && (e.Name() == "generated" || file == "modules/pistack"):
			return fs.SkipDir
		case !e.IsDir() && path.Ext(file) == ".nix":
			files = append(files, file)
		}
		return nil
	})
	t.nix[folder] = files
	return files
}

var word = regexp.MustCompile(`[A-Za-z_][A-Za-z0-9_]*`)

// words are those that could be the name of a secret.
func (c *content) words() map[string]bool {
	if c.names == nil {
		c.names = map[string]bool{}
		for _, w := range word.FindAll(c.data, -1) {
			c.names[string(w)] = true
		}
	}
	return c.names
}

// documents are the root nodes of a YAML file.
func (c *content) documents() ([]*yaml.Node, bool) {
	if c.parsed == nil {
		c.parsed = parse(c.data)
	}
	return c.parsed.documents, c.parsed.ok
}

func parse(data []byte) *yamlFile {
	f := &yamlFile{}
	if reference.TooMany(string(data)) {
		return f
	}
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); ; {
		var root yaml.Node
		err := decoder.Decode(&root)
		if errors.Is(err, io.EOF) {
			f.ok = true
			return f
		}
		if err != nil {
			return f
		}
		f.documents = append(f.documents, &root)
	}
}

package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v4"

	"pistack/compose/reference"
)

// include is an entry of "include".
type include struct {
	place Position
	files []located // relative to the repository's root
	dir   string    // likewise: where relative paths of the files start
	env   []string  // env files, likewise; nil for the .env beside the first file
	byEnv bool      // env says which
}

// includesOf reads the entries of a document's "include".
func (l *loading) includesOf(u unit, d document, root *yaml.Node) []include {
	key, list := lookUpKey(root, "include")
	if list == nil || list.Kind == yaml.ScalarNode && list.ShortTag() == "!!null" {
		return nil
	}
	if list.Kind != yaml.SequenceNode {
		l.report(d.at(key), CodeModel, Error, "include must be a list", "write - before the path")
		return nil
	}
	var all []include
	for _, item := range list.Content {
		if i, ok := l.includeOf(u, d, item); ok && !isReset(item) {
			all = append(all, i)
		}
	}
	return all
}

func (l *loading) includeOf(u unit, d document, n *yaml.Node) (include, bool) {
	i := include{place: d.at(n)}
	if n.Kind == yaml.ScalarNode {
		n = &yaml.Node{Kind: yaml.MappingNode, Content: []*yaml.Node{quoted("path"), n}}
	}
	for _, e := range entriesOf(n) {
		if !slices.Contains([]string{"path", "project_directory", "env_file"}, e.key.Value) {
			l.report(d.at(e.key), CodeModel, Error, unknownKey([]string{"include", "[]", e.key.Value}), "")
			return i, false
		}
	}
	_, paths := lookUpKey(n, "path")
	for _, text := range l.texts(u, d, paths) {
		file, ok := l.within(text.place, u.dir, text.value)
		if !ok {
			return i, false
		}
		i.files = append(i.files, located{text.place, file})
	}
	if len(i.files) == 0 {
		l.report(i.place, CodeModel, Error, "include names no file", "give it a path")
		return i, false
	}
	i.dir = path.Dir(i.files[0].value)
	return i, l.projectDirectory(u, d, n, &i) && l.includeEnvFiles(u, d, n, &i)
}

func (l *loading) projectDirectory(u unit, d document, n *yaml.Node, i *include) bool {
	_, value := lookUpKey(n, "project_directory")
	for _, text := range l.texts(u, d, value) {
		if text.value == "" {
			continue
		}
		dir, ok := l.within(text.place, u.dir, text.value)
		if !ok || !l.resolvable(u, text.place, "project_directory") {
			return false
		}
		if info, err := fs.Stat(l.src.Repository, dir); err != nil || !info.IsDir() {
			l.report(text.place, CodeRead, Error, fmt.Sprintf("project_directory %s is not a folder of the repository", dir), "")
			return false
		}
		i.dir = dir
		l.folders = append(l.folders, folder{text.place, dir})
	}
	return true
}

func (l *loading) includeEnvFiles(u unit, d document, n *yaml.Node, i *include) bool {
	_, value := lookUpKey(n, "env_file")
	for _, text := range l.texts(u, d, value) {
		i.byEnv = true
		if text.value == "/dev/null" {
			continue
		}
		file, ok := l.within(text.place, u.dir, text.value)
		if !ok || !l.resolvable(u, text.place, "env_file") || !l.plainFile(text.place, file) {
			return false
		}
		i.env = append(i.env, file)
	}
	return true
}

// resolvable tells whether Compose, which runs in the stack's folder, finds
// what an included file says relative to its own.
func (l *loading) resolvable(u unit, place Position, key string) bool {
	if looked := path.Join(l.src.Dir(), u.from); looked != u.dir {
		l.report(place, CodeUnsupported, Error,
			fmt.Sprintf("Docker Compose looks for the %s of an include this deep below %s, not below %s", key, looked, u.dir),
			"leave it out, or include the file from a file nearer to compose.yaml")
		return false
	}
	return true
}

// located is a text of a Compose file, interpolated.
type located struct {
	place Position
	value string
}

// texts gives a string, or the strings of a list.
func (l *loading) texts(u unit, d document, n *yaml.Node) []located {
	if n == nil {
		return nil
	}
	if n.Kind != yaml.ScalarNode {
		var all []located
		for _, item := range n.Content {
			if item.Kind == yaml.ScalarNode {
				all = append(all, l.texts(u, d, item)...)
			}
		}
		return all
	}
	place := d.at(n)
	lookUp := func(name string) (string, bool) { value, defined := u.env[name]; return value, defined }
	value, err := template.SubstituteWithOptions(n.Value, lookUp, template.WithoutLogging)
	switch {
	case err != nil:
		l.report(place, CodeModel, Error, withoutTokens(strings.Join(strings.Fields(err.Error()), " ")), "")
		return nil
	case len(tokensIn(value)) > 0:
		l.report(place, CodeLeak, Error, fmt.Sprintf("secret %s cannot be part of a path", tokensIn(value)[0]), "")
		return nil
	}
	return []located{{place, value}}
}

// include loads an entry of "include" as Compose does: alone, with its own
// folder and variables.
func (l *loading) include(ctx context.Context, u unit, i include) (map[string]any, documents) {
	above := append(slices.Clone(u.above), u.names()...)
	for _, file := range i.files {
		if slices.Contains(above, file.value) {
			l.report(file.place, CodeModel, Error, "include cycle: "+strings.Join(append(above, file.value), " includes "), "take one of the includes out")
			return nil, nil
		}
	}
	if len(above) >= maxLevels {
		l.report(i.place, CodeModel, Error, fmt.Sprintf("files include each other more than %d levels deep", maxLevels), "include the file from compose.yaml")
		return nil, nil
	}
	sub := unit{dir: i.dir, from: relativeTo(u.dir, i.dir), above: above, level: u.level + 1}
	for _, file := range i.files {
		f, ok := l.other(file.place, file.value)
		if !ok {
			return nil, nil
		}
		sub.files = append(sub.files, f)
	}
	sub.env = l.includeVariables(u, i)
	l.checkUnit(sub)
	if HasErrors(l.findings) {
		return nil, nil
	}
	configs, docs := l.merge(ctx, sub)
	if HasErrors(l.findings) {
		return nil, nil
	}
	return l.model(ctx, docs, modelOf(sub, configs, partOptions)), docs
}

// includeVariables lays the variables of the including file over those of the
// include's own env files.
func (l *loading) includeVariables(u unit, i include) map[string]string {
	files := i.env
	if dotEnv := path.Join(i.dir, ".env"); !i.byEnv {
		if _, err := fs.Lstat(l.src.Repository, dotEnv); !errors.Is(err, fs.ErrNotExist) && l.plainFile(i.place, dotEnv) {
			files = []string{dotEnv}
		}
	}
	env := maps.Clone(u.env)
	own := map[string]string{}
	lookUp := func(name string) (string, bool) { value, defined := u.env[name]; return value, defined }
	for _, file := range files {
		l.files[l.src.relative(file)] = true
		data, err := ReadFile(l.src.Repository, file)
		if err != nil {
			l.report(Position{File: file}, CodeRead, Error, err.Error(), readFix(err))
			continue
		}
		if reference.TooMany(string(data)) {
			l.report(Position{file, 1, 1}, CodeSyntax, Error, manyReferences, "")
			continue
		}
		e := envFile{file, string(data), own, lookUp, (*loading).undefinedHere, 0}
		e.parse(l)
		for name, value := range own {
			if _, defined := u.env[name]; !defined {
				env[name] = value
			}
		}
		l.checkEnvFile(file, string(data), env)
	}
	return env
}

// relativeTo gives the path that leads from one folder of the repository to
// another.
func relativeTo(from, to string) string {
	up := []string{}
	for from != "." && to != from && !strings.HasPrefix(to, from+"/") {
		from, up = path.Dir(from), append(up, "..")
	}
	if from != "." {
		to = strings.TrimPrefix(strings.TrimPrefix(to, from), "/")
	}
	return path.Join(append(up, to)...)
}

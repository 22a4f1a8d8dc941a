package usage

import (
	"bytes"
	"maps"
	"path"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"go.yaml.in/yaml/v4"

	"pistack/compose/reference"
)

// stack looks through a stack's Compose files, those that they include, and
// those that they extend.
func (s *scan) stack(name string) {
	dir := "stacks/" + name
	st := &stackScan{scan: s, env: map[string]string{}, seen: map[string]bool{}}
	st.variables(dir + "/.env")
	maps.Copy(st.env, s.host.Env)
	st.env["COMPOSE_PROJECT_NAME"] = name
	st.file(dir + "/compose.yaml")
	st.file(dir + "/compose." + s.host.Name + ".yaml")
}

// variables adds those of an env file that have no value yet.
func (s *stackScan) variables(file string) {
	c, ok := s.read(file)
	if !ok {
		return
	}
	parsed, err := dotenv.ParseWithLookup(bytes.NewReader(c.data), func(name string) (string, bool) { value, ok := s.env[name]; return value, ok })
	if err != nil {
		s.uses.Unread = append(s.uses.Unread, file)
	}
	for name, value := range parsed {
		if _, defined := s.env[name]; !defined {
			s.env[name] = value
		}
	}
}

type stackScan struct {
	*scan
	env  map[string]string
	seen map[string]bool // files
}

// file looks through one Compose file, and then those that it names.
func (s *stackScan) file(file string) {
	if s.seen[file] {
		return
	}
	s.seen[file] = true
	c, ok := s.read(file)
	if !ok {
		return
	}
	documents, ok := c.documents()
	if !ok {
		s.uses.Unread = append(s.uses.Unread, file)
		return
	}
	w := walk{stackScan: s, file: file, visited: map[visit]bool{}}
	for _, d := range documents {
		w.node(d, "")
	}
	if len(w.visited) > maxVisits {
		s.uses.Unread = append(s.uses.Unread, file)
	}
	for _, extended := range w.extended {
		s.file(path.Join(path.Dir(file), extended))
	}
	for _, included := range w.included {
		s.include(path.Join(path.Dir(file), included), w.envFiles)
	}
}

// include looks through an included file, which has variables of its own.
func (s *stackScan) include(file string, envFiles []string) {
	sub := &stackScan{scan: s.scan, env: maps.Clone(s.env), seen: s.seen}
	for _, f := range append(envFiles, ".env") {
		sub.variables(path.Join(path.Dir(file), f))
	}
	sub.file(file)
}

// walk goes through the nodes of a file, also behind aliases, each node once for
// every key that it stands under.
type walk struct {
	*stackScan
	file    string
	visited map[visit]bool

	// Files that it names, relative to its folder.
	included, extended, envFiles []string
}

type visit struct {
	node *yaml.Node
	key  string
}

// maxVisits bounds the work on one file: aliases can multiply it.
const maxVisits = 1_000_000

// node visits a node that stands under a mapping's key. Lists do not change it.
func (w *walk) node(n *yaml.Node, key string) {
	v := visit{n, key}
	if n == nil || w.visited[v] || len(w.visited) > maxVisits {
		return
	}
	w.visited[v] = true
	switch n.Kind {
	case yaml.ScalarNode:
		w.scalar(n.Value, key)
	case yaml.AliasNode:
		w.node(n.Alias, key)
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			w.pair(n.Content[i].Value, n.Content[i+1], key)
		}
	default:
		for _, c := range n.Content {
			w.node(c, key)
		}
	}
}

// pair visits a key and its value inside a mapping that stands under parent.
func (w *walk) pair(key string, value *yaml.Node, parent string) {
	switch {
	case key == "build":
		return // secrets of a build are not those of the host
	case parent == "secrets" && key == "source":
		w.secret(value.Value)
	case parent == "environment" && value.ShortTag() == "!!null":
		w.variable(key)
	case parent == "include" && key == "path":
		w.included = append(w.included, names(value)...)
	case parent == "include" && key == "env_file":
		w.envFiles = append(w.envFiles, names(value)...)
	case parent == "extends" && key == "file":
		w.extended = append(w.extended, names(value)...)
	case parent == "secrets" && value.Kind == yaml.MappingNode:
		return // top-level "secrets:": where they come from on a laptop
	}
	w.node(value, key)
}

func (w *walk) scalar(text, key string) {
	switch key {
	case "secrets":
		w.secret(text)
	case "include":
		w.included = append(w.included, text)
	case "environment":
		w.variable(text)
	}
	lookUp := func(name string) (string, bool) {
		if w.have[name] {
			return "a value", true
		}
		value, defined := w.env[name]
		return value, defined
	}
	reference.Walk(text, lookUp, func(r reference.Reference, defined bool) {
		switch {
		case w.have[r.Name]:
			w.found(r.Name, w.file)
			w.uses.InEnv[r.Name] = true
		case !defined && !r.Optional():
			w.missing(r.Name, w.file)
		}
	})
}

// variable notes one that a list of an environment names without a value.
func (w *walk) variable(name string) {
	_, defined := w.env[name]
	switch {
	case word.FindString(name) != name || name == "":
	case w.have[name]:
		w.found(name, w.file)
		w.uses.InEnv[name] = true
	case !defined:
		w.missing(name, w.file)
	}
}

// secret notes one that a service lists.
func (w *walk) secret(name string) {
	switch {
	case w.have[name]:
		w.found(name, w.file)
	case word.FindString(name) == name && name != "":
		w.missing(name, w.file)
	}
}

// names lists the files that a value names: it is one, or a list of them.
func names(n *yaml.Node) []string {
	var all []string
	if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "$") {
		all = append(all, n.Value)
	}
	for _, c := range n.Content {
		all = append(all, names(c)...)
	}
	return all
}

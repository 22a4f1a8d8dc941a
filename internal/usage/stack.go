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
	if c, ok := s.read(dir + "/.env"); ok {
		parsed, err := dotenv.ParseWithLookup(bytes.NewReader(c.data), func(string) (string, bool) { return "", false })
		if err != nil {
			s.uses.Unread = append(s.uses.Unread, dir+"/.env")
		}
		maps.Copy(st.env, parsed)
	}
	maps.Copy(st.env, s.host.Env)
	st.env["COMPOSE_PROJECT_NAME"] = name
	st.file(dir + "/compose.yaml")
	st.file(dir + "/compose." + s.host.Name + ".yaml")
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
	root := c.yaml()
	if root == nil {
		s.uses.Unread = append(s.uses.Unread, file)
		return
	}
	w := walk{stackScan: s, file: file, visited: map[visit]bool{}}
	w.node(root, "")
	if len(w.visited) > maxVisits {
		s.uses.Unread = append(s.uses.Unread, file)
	}
	for _, other := range w.others {
		s.file(path.Join(path.Dir(file), other))
	}
}

// walk goes through the nodes of a file, also behind aliases, each node once for
// every key that it stands under.
type walk struct {
	*stackScan
	file    string
	visited map[visit]bool
	others  []string // files that it includes or extends, relative to its folder
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
	case parent == "include" && key == "path", parent == "extends" && key == "file":
		w.other(value)
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
		w.others = append(w.others, text)
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

// secret notes one that a service lists.
func (w *walk) secret(name string) {
	switch {
	case w.have[name]:
		w.found(name, w.file)
	case word.FindString(name) == name && name != "":
		w.missing(name, w.file)
	}
}

// other notes a file, or a list of them, that this one names.
func (w *walk) other(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode && !strings.Contains(n.Value, "$") {
		w.others = append(w.others, n.Value)
	}
	for _, c := range n.Content {
		w.other(c)
	}
}

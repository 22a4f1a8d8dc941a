package compose

import (
	"bytes"
	"maps"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is one YAML document of a Compose file, parsed a second time into
// nodes: compose-go keeps no positions.
type document struct {
	file  string          // relative to the repository's root
	level int             // of includes above it; 0 for the stack's own files
	root  *yaml.Node      // the top-level mapping; nil when the file does not parse
	bases map[string]base // what its services extend, by their name
}

// base is the service that another one extends.
type base struct {
	docs    documents
	service string
}

// Position is a place in a file of the repository.
type Position struct {
	File         string // relative to the root
	Line, Column int    // from 1; 0 for the file as a whole
}

// newDocuments parses a file, as far as it can be. There is always one.
func newDocuments(file string, data []byte) documents {
	var docs documents
	for decoder := yaml.NewDecoder(bytes.NewReader(data)); len(docs) <= maxDocuments; {
		root := decodeNode(decoder)
		if root == nil && len(docs) > 0 {
			break
		}
		d := document{file: file, root: root, bases: map[string]base{}}
		d.extendsHere()
		docs = append(docs, d)
		if root == nil {
			break
		}
	}
	return docs
}

// extendsHere notes which services extend one of the same document.
func (d document) extendsHere() {
	services := serviceNode(d)
	for _, name := range keysOf(services) {
		_, service := child(services, name)
		_, extends := child(service, "extends")
		if file, _ := child(extends, "file"); file != nil {
			continue
		}
		if _, named := child(extends, "service"); named != nil {
			extends = named
		}
		if extends != nil && extends.Kind == yaml.ScalarNode {
			d.bases[name] = base{documents{d}, extends.Value}
		}
	}
}

func decodeNode(d *yaml.Decoder) *yaml.Node {
	var n yaml.Node
	if err := d.Decode(&n); err != nil || n.Kind != yaml.DocumentNode || len(n.Content) == 0 {
		return nil
	}
	return n.Content[0]
}

func (d document) at(n *yaml.Node) Position {
	if n == nil {
		return Position{File: d.file}
	}
	return Position{d.file, n.Line, n.Column}
}

// find walks mapping keys, list items by name or index, and a value by "=" and
// itself, as far as they exist. It returns the key's node (or the item's) that lies deepest on the
// way, and whether the whole path was found.
func (d document) find(path ...string) (place *yaml.Node, whole bool) {
	current := d.root
	for _, step := range path {
		key, value := child(current, step)
		if value == nil {
			return place, false
		}
		place, current = key, value
	}
	return place, place != nil
}

// child returns key and value of a step. Aliases are followed once, to the
// node that they name: a step never visits more than one mapping.
func child(n *yaml.Node, step string) (key, value *yaml.Node) {
	if n != nil && n.Kind == yaml.AliasNode {
		n = n.Alias
	}
	if n == nil {
		return nil, nil
	}
	switch n.Kind {
	case yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			if n.Content[i].Value == step {
				return n.Content[i], n.Content[i+1]
			}
		}
	case yaml.SequenceNode:
		for i, item := range n.Content {
			if step == itoa(i) || step == "["+itoa(i)+"]" || names(item, step) {
				return item, item
			}
		}
	case yaml.ScalarNode:
		if step == "="+n.Value {
			return n, n
		}
	}
	return nil, nil
}

// names tells whether a list item is the one of that name: "NAME=value",
// "SOURCE:TARGET", or a mapping with that source or path.
func names(item *yaml.Node, name string) bool {
	if item.Kind == yaml.ScalarNode {
		return item.Value == name || strings.HasPrefix(item.Value, name+"=") || strings.HasPrefix(item.Value, name+":")
	}
	if item.Kind == yaml.AliasNode {
		item = item.Alias
	}
	if item.Kind != yaml.MappingNode {
		return false // a list could hold itself
	}
	for _, key := range []string{"source", "path"} {
		if _, value := child(item, key); value != nil && value.Value == name {
			return true
		}
	}
	return false
}

// scalars calls visit for every scalar value of the document, keys excepted,
// without following aliases.
func (d document) scalars(visit func(n *yaml.Node)) {
	walkScalars(d.root, visit)
}

func walkScalars(n *yaml.Node, visit func(n *yaml.Node)) {
	if n == nil {
		return
	}
	switch n.Kind {
	case yaml.ScalarNode:
		visit(n)
	case yaml.MappingNode:
		for i := 1; i < len(n.Content); i += 2 {
			walkScalars(n.Content[i], visit)
		}
	case yaml.SequenceNode:
		for _, item := range n.Content {
			walkScalars(item, visit)
		}
	}
}

// documents are the YAML files of a stack in the order that Compose merges them.
type documents []document

// find looks for a path in the file that says it last, since that one wins.
// When none holds the whole path the deepest place found is returned.
func (ds documents) find(path ...string) Position {
	place, _ := ds.deepest(path)
	return place
}

// item is the place of a list item, looked up by what it says: in the merged
// model it has another index. One that interpolation changed is looked up by
// index.
func (ds documents) item(index int, name string, path ...string) Position {
	if place, depth := ds.deepest(append(path, name)); depth == len(path)+1 {
		return place
	}
	return ds.find(append(path, itoa(index))...)
}

// deepest looks in the files first, and then in what a service extends.
func (ds documents) deepest(path []string) (best Position, depth int) {
	best, depth = ds.deepestWithin(path, maxLevels)
	if depth < 0 && len(ds) > 0 {
		first := slices.MinFunc(ds, func(a, b document) int { return a.level - b.level })
		return Position{first.file, 1, 1}, 0
	}
	return best, depth
}

func (ds documents) deepestWithin(path []string, levels int) (best Position, depth int) {
	depth = -1
	for i := len(ds) - 1; i >= 0; i-- {
		for n := len(path); n > depth && n > 0; n-- {
			if place, whole := ds[i].find(path[:n]...); whole {
				best, depth = ds[i].at(place), n
				break
			}
		}
	}
	if depth == len(path) || len(path) < 3 || path[0] != "services" || levels == 0 {
		return best, depth
	}
	for i := len(ds) - 1; i >= 0; i-- {
		b, extends := ds[i].bases[path[1]]
		if !extends {
			continue
		}
		there := append([]string{"services", b.service}, path[2:]...)
		if place, n := b.docs.deepestWithin(there, levels-1); n > depth {
			best, depth = place, n
		}
	}
	return best, depth
}

// inAnyService looks for a path below the services, whichever has it.
func (ds documents) inAnyService(path []string) Position {
	for i := len(ds) - 1; i >= 0; i-- {
		for _, name := range keysOf(serviceNode(ds[i])) {
			if place, whole := ds[i].find(append([]string{"services", name}, path...)...); whole {
				return ds[i].at(place)
			}
		}
	}
	return ds.find()
}

// value looks for a value that is a text, or else has it in it, also in the
// files that services extend.
func (ds documents) value(text string) (Position, bool) {
	all := slices.Clone(ds)
	for _, d := range ds {
		for _, name := range slices.Sorted(maps.Keys(d.bases)) {
			all = append(all, d.bases[name].docs...)
		}
	}
	for _, fits := range []func(value string) bool{
		func(value string) bool { return value == text },
		func(value string) bool { return strings.Contains(value, text) },
	} {
		for _, d := range all {
			var found *yaml.Node
			d.scalars(func(n *yaml.Node) {
				if found == nil && fits(n.Value) {
					found = n
				}
			})
			if found != nil {
				return d.at(found), true
			}
		}
	}
	return Position{}, false
}

// onLine is the first node that starts on a line of a file, or nil.
func (ds documents) onLine(file string, line int) *yaml.Node {
	for _, d := range ds {
		if d.file == file {
			return onLine(d.root, line)
		}
	}
	return nil
}

func serviceNode(d document) *yaml.Node {
	_, services := child(d.root, "services")
	return services
}

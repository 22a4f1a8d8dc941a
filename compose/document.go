package compose

import (
	"strings"

	"go.yaml.in/yaml/v4"
)

// document is one YAML file of a stack, parsed a second time into nodes:
// compose-go keeps no positions.
type document struct {
	file string // relative to the repository's root
	data []byte
	root *yaml.Node // the top-level mapping; nil when the file does not parse
}

// position is a place in a document.
type position struct {
	file         string
	line, column int
}

func newDocument(file string, data []byte) document {
	d := document{file: file, data: data}
	var n yaml.Node
	if err := yaml.Unmarshal(data, &n); err == nil && n.Kind == yaml.DocumentNode && len(n.Content) > 0 {
		d.root = n.Content[0]
	}
	return d
}

func (d document) at(n *yaml.Node) position {
	if n == nil {
		return position{file: d.file}
	}
	return position{d.file, n.Line, n.Column}
}

// find walks mapping keys, and list items by name or index, as far as they
// exist. It returns the key's node (or the item's) that lies deepest on the
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
			name, _, _ := strings.Cut(item.Value, "=")
			_, source := child(item, "source")
			if name == step || step == "["+itoa(i)+"]" || step == itoa(i) || (source != nil && source.Value == step) {
				return item, item
			}
		}
	}
	return nil, nil
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
func (ds documents) find(path ...string) position {
	best, depth := position{}, -1
	for i := len(ds) - 1; i >= 0; i-- {
		for n := len(path); n > depth && n > 0; n-- {
			if place, whole := ds[i].find(path[:n]...); whole {
				best, depth = ds[i].at(place), n
				break
			}
		}
	}
	if depth < 0 && len(ds) > 0 {
		return position{file: ds[0].file, line: 1, column: 1}
	}
	return best
}

// keysOf lists the keys of a mapping node, in file order.
func keysOf(n *yaml.Node) []string {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var keys []string
	for i := 0; i < len(n.Content); i += 2 {
		keys = append(keys, n.Content[i].Value)
	}
	return keys
}

func serviceNode(d document) *yaml.Node {
	_, services := child(d.root, "services")
	return services
}

package compose

import (
	"fmt"

	"go.yaml.in/yaml/v4"

	"pistack/compose/reference"
)

// Limits of a Compose file. Real ones stay far below; compose-go's time grows
// with the square of these, or faster.
const (
	maxValues = 10_000 // keys and values, those behind aliases counted each time
	maxDepth  = 64     // levels of nesting

	maxDocuments = 100    // YAML documents in one file
	maxLevels    = 20     // of files that include, or services that extend, each other
	maxIncludes  = 100    // files that a stack includes or extends, each counted as often as it is loaded
	maxLoaded    = 50_000 // keys and values in those files, likewise
)

// excess tells what makes the documents of a file too large to load, or nothing,
// and where if it is in one place.
func (ds documents) excess() (problem string, at *yaml.Node) {
	m := measure{values: map[*yaml.Node]int{}}
	total, work := 0, 0
	for _, d := range ds {
		if d.root != nil && isReset(d.root) {
			return "!reset takes away a key's value, and not a whole document", d.root
		}
		total += m.of(d.root, 0)
		d.scalars(func(n *yaml.Node) { work += reference.Work(n.Value) })
	}
	switch {
	case m.circle != nil:
		return fmt.Sprintf("the anchor %q holds itself", m.circle.Value), m.circle
	case len(ds) > maxDocuments:
		problem = fmt.Sprintf("has more than %d YAML documents", maxDocuments)
	case m.deep:
		problem = fmt.Sprintf("is nested more than %d levels deep", maxDepth)
	case total > maxValues:
		problem = fmt.Sprintf("has more than %d keys and values, with what its aliases stand for", maxValues)
	case reference.Excessive(work):
		problem = manyReferences
	}
	return problem, nil
}

// values counts the keys and values of a file as excess does.
func (ds documents) values() int {
	m := measure{values: map[*yaml.Node]int{}}
	total := 0
	for _, d := range ds {
		total += m.of(d.root, 0)
	}
	return total
}

// measure counts what a document comes to when its aliases are followed. Each
// node is visited once.
type measure struct {
	values map[*yaml.Node]int // of nodes already counted; 0 while that is under way
	deep   bool
	circle *yaml.Node // an alias inside what it stands for
}

func (m *measure) of(n *yaml.Node, depth int) int {
	if n == nil {
		return 0
	}
	if total, known := m.values[n]; known {
		return total
	}
	if depth > maxDepth {
		m.deep = true
		return 0
	}
	m.values[n] = 0
	total := 1
	if n.Kind == yaml.AliasNode {
		if under, known := m.values[n.Alias]; known && under == 0 && m.circle == nil {
			m.circle = n
		}
		total = m.of(n.Alias, depth+1)
	}
	for _, c := range n.Content {
		total = min(total+m.of(c, depth+1), maxValues+1)
	}
	m.values[n] = total
	return total
}

const manyReferences = "has too many ${…} in one place to interpolate"

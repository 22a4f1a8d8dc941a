package compose

import (
	"errors"
	"slices"
	"strings"

	"go.yaml.in/yaml/v4"
)

// Copies of a document's nodes, to be changed and written out again for
// compose-go. In a copy no aliases are left, so that a change in one place is
// none in another; merge keys ("<<") stay.

// plainCopy copies a node. It is nil where the node holds itself, or stands for
// more than a Compose file may have.
func plainCopy(n *yaml.Node) *yaml.Node {
	c := copier{left: 2 * maxValues}
	return c.copy(n, 2*maxDepth)
}

type copier struct{ left int } // nodes

func (c *copier) copy(n *yaml.Node, levels int) *yaml.Node {
	for n != nil && n.Kind == yaml.AliasNode && levels > 0 {
		n, levels = n.Alias, levels-1
	}
	if c.left--; n == nil || levels == 0 || c.left < 0 {
		return nil
	}
	plain := &yaml.Node{Kind: n.Kind, Tag: n.Tag, Value: n.Value, Line: n.Line, Column: n.Column, Style: safeStyle(n)}
	for _, child := range n.Content {
		below := c.copy(child, levels-1)
		if below == nil {
			return nil
		}
		plain.Content = append(plain.Content, below)
	}
	return plain
}

// safeStyle is how a node is written so that it reads back as it is, whatever
// is in it.
func safeStyle(n *yaml.Node) yaml.Style {
	style := n.Style & yaml.TaggedStyle
	switch {
	case n.Kind != yaml.ScalarNode:
		return style | yaml.FlowStyle
	case n.ShortTag() == "!!str" || n.Style&(yaml.DoubleQuotedStyle|yaml.SingleQuotedStyle|yaml.LiteralStyle|yaml.FoldedStyle) != 0:
		return style | yaml.DoubleQuotedStyle
	}
	return style
}

// isReset tells whether Compose takes a node away.
func isReset(n *yaml.Node) bool { return n.Tag == "!reset" }

// lookUpKey finds a key of a mapping in a copy, also behind merge keys.
func lookUpKey(n *yaml.Node, key string) (k, value *yaml.Node) {
	for _, e := range entriesOf(n) {
		if e.key.Value == key && !isReset(e.value) {
			return e.key, e.value
		}
	}
	return nil, nil
}

type entry struct{ key, value *yaml.Node }

// entriesOf lists the keys of a mapping in a copy, those behind merge keys
// last: where a key comes twice the first one counts.
func entriesOf(n *yaml.Node) []entry {
	if n == nil || n.Kind != yaml.MappingNode {
		return nil
	}
	var all, behind []entry
	for i := 0; i+1 < len(n.Content); i += 2 {
		key, value := n.Content[i], n.Content[i+1]
		switch {
		case key.Value != "<<":
			all = append(all, entry{key, value})
		case value.Kind == yaml.SequenceNode:
			for _, item := range value.Content {
				behind = append(behind, entriesOf(item)...)
			}
		default:
			behind = append(behind, entriesOf(value)...)
		}
	}
	for _, b := range behind {
		if !slices.ContainsFunc(all, func(e entry) bool { return e.key.Value == b.key.Value }) {
			all = append(all, b)
		}
	}
	return all
}

// dropKey takes a key out of a mapping in a copy, also behind merge keys.
func dropKey(n *yaml.Node, key string) {
	if n == nil {
		return
	}
	if n.Kind == yaml.SequenceNode {
		for _, item := range n.Content {
			dropKey(item, key)
		}
	}
	if n.Kind != yaml.MappingNode {
		return
	}
	var kept []*yaml.Node
	for i := 0; i+1 < len(n.Content); i += 2 {
		if n.Content[i].Value == key {
			continue
		}
		if n.Content[i].Value == "<<" {
			dropKey(n.Content[i+1], key)
		}
		kept = append(kept, n.Content[i], n.Content[i+1])
	}
	n.Content = kept
}

// setKey gives a mapping in a copy a key, in the place of one that it has.
func setKey(n *yaml.Node, key string, value *yaml.Node) {
	dropKey(n, key)
	n.Content = append(n.Content, quoted(key), value)
}

func quoted(s string) *yaml.Node {
	return &yaml.Node{Kind: yaml.ScalarNode, Tag: "!!str", Value: s, Style: yaml.DoubleQuotedStyle}
}

// sectionOf gives a top-level mapping of a copy, which it makes if need be.
func sectionOf(root *yaml.Node, section string) *yaml.Node {
	_, n := lookUpKey(root, section)
	if n == nil || n.Kind != yaml.MappingNode {
		n = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
		setKey(root, section, n)
	}
	return n
}

// modelNode writes a part of a loaded model as a node. It is interpolated
// already, so its dollar signs stand for themselves.
func modelNode(model any) (*yaml.Node, error) {
	n := &yaml.Node{}
	if err := n.Encode(model); err != nil {
		return nil, err
	}
	c := plainCopy(n)
	if c == nil {
		return nil, errors.New("is nested too deep")
	}
	escapeDollars(c)
	return c, nil
}

func escapeDollars(n *yaml.Node) {
	if n.Kind == yaml.ScalarNode {
		n.Value = strings.ReplaceAll(n.Value, "$", "$$")
	}
	for i, c := range n.Content {
		if n.Kind != yaml.MappingNode || i%2 == 1 { // Compose interpolates no keys
			escapeDollars(c)
		}
	}
}

// writeNode writes a copy as a YAML document.
func writeNode(n *yaml.Node) ([]byte, error) { return yaml.Marshal(n) }

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

func onLine(n *yaml.Node, line int) *yaml.Node {
	if n == nil || n.Kind != yaml.MappingNode && n.Line == line {
		return n
	}
	for _, c := range n.Content {
		if found := onLine(c, line); found != nil {
			return found
		}
	}
	return nil
}

package compose

import (
	"context"
	"fmt"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// extending is the work on a document whose services extend others.
type extending struct {
	unit   unit
	doc    document
	root   *yaml.Node // copy of the document's
	hidden []string   // services that were added to it
}

// after is a document that takes the added services away again, or nil.
func (e *extending) after() *yaml.Node {
	if len(e.hidden) == 0 {
		return nil
	}
	root := &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
	for _, name := range e.hidden {
		setKey(sectionOf(root, "services"), name, &yaml.Node{Kind: yaml.ScalarNode, Tag: "!reset", Value: "null", Style: yaml.TaggedStyle})
	}
	return root
}

// extendsOf gives what a service extends, and of which other file.
func extendsOf(service *yaml.Node) (name, file *yaml.Node) {
	_, extends := lookUpKey(service, "extends")
	if extends == nil || extends.Kind == yaml.ScalarNode {
		return extends, nil
	}
	_, name = lookUpKey(extends, "service")
	_, file = lookUpKey(extends, "file")
	if file != nil && file.ShortTag() == "!!null" {
		file = nil
	}
	return name, file
}

// inlineExtends brings the services of other files that a document extends into
// it, each under a name of its own. chain is how extends led to this document.
func (l *loading) inlineExtends(ctx context.Context, e *extending, chain []string) bool {
	_, services := lookUpKey(e.root, "services")
	for _, service := range entriesOf(services) {
		name, file := extendsOf(service.value)
		if file == nil || name == nil || name.Kind != yaml.ScalarNode {
			continue // whatever is missing, compose-go says so
		}
		names, files := l.texts(e.unit, e.doc, name), l.texts(e.unit, e.doc, file)
		if len(names) != 1 || len(files) != 1 {
			return false
		}
		other, ok := l.within(files[0].place, e.unit.dir, files[0].value)
		if !ok {
			return false
		}
		extended, docs, ok := l.extended(ctx, e.unit, files[0].place, other, names[0], chain)
		if !ok {
			return false
		}
		hidden := l.hide(e, extended, service.key.Value)
		setKey(service.value, "extends", quoted(hidden))
		e.doc.bases[service.key.Value] = base{docs, names[0].value}
		e.doc.bases[hidden] = base{docs, names[0].value}
	}
	return true
}

// extended loads one service of another file, with all that it extends itself.
func (l *loading) extended(ctx context.Context, u unit, place Position, file string, name located, chain []string) (*yaml.Node, documents, bool) {
	link := name.value + " of " + file
	if slices.Contains(chain, link) {
		l.report(place, CodeModel, Error, "services extend each other in a circle: "+strings.Join(append(chain, link), " extends "), "take one extends out")
		return nil, nil, false
	}
	if chain = append(slices.Clone(chain), link); len(chain) > maxLevels {
		l.report(place, CodeModel, Error, fmt.Sprintf("services extend each other more than %d levels deep", maxLevels), "extend a service nearer to the last one")
		return nil, nil, false
	}
	f, ok := l.other(place, file)
	if !ok {
		return nil, nil, false
	}
	sub := unit{files: []composeFile{f}, dir: path.Dir(file), env: u.env, above: u.above, level: u.level + 1}
	if l.parse(ctx, f); HasErrors(l.findings) {
		return nil, nil, false
	}
	part := composeFile{name: f.name}
	for _, d := range f.docs {
		data, ok := l.inlineBase(ctx, sub, d, name.value, chain)
		if !ok {
			return nil, nil, false
		}
		part.data = append(append(part.data, "\n---\n"...), data...)
	}
	model := l.model(ctx, f.docs, modelOf(sub, []types.ConfigFile{part.config()}, baseOptions))
	if HasErrors(l.findings) {
		return nil, nil, false
	}
	services, _ := model["services"].(map[string]any)
	service, _ := services[name.value].(map[string]any)
	if service == nil {
		l.report(name.place, CodeModel, Error, fmt.Sprintf("%s has no service %q%s", file, name.value, nearest(name.value, serviceNames(f.docs))),
			"name a service of that file")
		return nil, nil, false
	}
	n, err := modelNode(service)
	if err != nil {
		l.report(place, CodeModel, Error, fmt.Sprintf("service %s of %s %v", name.value, file, err), "")
	}
	return n, f.docs, err == nil
}

// inlineBase makes a document of an extended file ready: as in Compose its
// includes do not count, and neither does what services extend that this one
// does not.
func (l *loading) inlineBase(ctx context.Context, u unit, d document, service string, chain []string) ([]byte, bool) {
	root := plainCopy(d.root)
	if root == nil {
		return nil, true
	}
	dropKey(root, "include")
	_, services := lookUpKey(root, "services")
	reached := reachedFrom(services, service)
	for _, s := range entriesOf(services) {
		if !slices.Contains(reached, s.key.Value) {
			dropKey(s.value, "extends")
		} else {
			l.checkNode(u, d, s.value)
		}
	}
	l.homePaths(u, d)
	d.scalars(func(n *yaml.Node) { l.noteSecrets(n.Value, u.env) })
	e := extending{unit: u, doc: d, root: root}
	if !l.inlineExtends(ctx, &e, chain) || HasErrors(l.findings) {
		return nil, false
	}
	data, err := writeNode(root)
	if err != nil {
		l.report(Position{d.file, 1, 1}, CodeModel, Error, err.Error(), "")
	}
	return data, err == nil
}

// reachedFrom lists a service and those of the same document that it extends.
func reachedFrom(services *yaml.Node, name string) []string {
	reached := []string{}
	for !slices.Contains(reached, name) {
		reached = append(reached, name)
		_, service := lookUpKey(services, name)
		extended, file := extendsOf(service)
		if extended == nil || file != nil {
			break
		}
		name = extended.Value
	}
	return reached
}

func serviceNames(docs documents) []string {
	var names []string
	for _, d := range docs {
		names = append(names, keysOf(serviceNode(d))...)
	}
	return names
}

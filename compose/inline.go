package compose

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/override"
	"github.com/compose-spec/compose-go/v2/tree"
	"github.com/compose-spec/compose-go/v2/types"
	"go.yaml.in/yaml/v4"
)

// inlinedName begins the names of services that only exist, while a model is
// loaded, for others to extend.
const inlinedName = "pistack-inlined-"

var inlinedService = regexp.MustCompile(inlinedName + `\d+`)

// sections are what Compose takes over from an include.
var sections = []string{"services", "jobs", "volumes", "networks", "secrets", "configs", "models"}

// inline writes what a document includes and extends into a copy of it:
//
//   - a resource of an include that the document does not have, as it is;
//   - a service that it has too, as one that its own extends;
//   - any other resource that it has too, into a file of its own before it;
//   - a service of another file that it extends, under another name.
//
// The added services go again in a file after it.
func (l *loading) inline(ctx context.Context, u unit, d document) (parts []types.ConfigFile, below documents) {
	root := plainCopy(d.root)
	imported := map[string]map[string]any{}
	for _, i := range l.includesOf(u, d, root) {
		model, docs := l.include(ctx, u, i)
		if HasErrors(l.findings) {
			return nil, nil
		}
		if err := l.importInto(i.place, imported, model); err != nil {
			l.findings = append(l.findings, l.modelFindings(docs, err)...)
			return nil, nil
		}
		below = append(docs, below...) // an earlier include wins over a later one
	}
	dropKey(root, "include")
	e := extending{unit: u, doc: d, root: root}
	if !l.inlineExtends(ctx, &e, nil) {
		return nil, nil
	}
	before, err := l.inlineImports(&e, imported)
	if err != nil {
		l.report(Position{d.file, 1, 1}, CodeModel, Error, "cannot be merged with what it includes: "+err.Error(), "")
		return nil, nil
	}
	for _, n := range []*yaml.Node{before, root, e.after()} {
		if n == nil {
			continue
		}
		data, err := writeNode(n)
		if err != nil {
			l.report(Position{d.file, 1, 1}, CodeModel, Error, "cannot be merged with what it includes: "+err.Error(), "")
			return nil, nil
		}
		if problem, _ := newDocuments(d.file, data).excess(); problem != "" {
			l.report(Position{d.file, 1, 1}, CodeSyntax, Error, "with what it includes, "+problem, "split the stack")
			return nil, nil
		}
		parts = append(parts, types.ConfigFile{Filename: d.file, Content: data})
	}
	return parts, below
}

// importInto adds the resources of a further include: those that are there
// already win.
func (l *loading) importInto(place Position, imported map[string]map[string]any, model map[string]any) error {
	for _, section := range sections {
		from, _ := model[section].(map[string]any)
		for _, name := range slices.Sorted(maps.Keys(from)) {
			if imported[section] == nil {
				imported[section] = map[string]any{}
			}
			there, conflict := imported[section][name]
			equal := conflict && reflect.DeepEqual(there, from[name])
			if lists := listsOf(from[name]); equal && section == "services" && len(lists) > 0 {
				l.tooNew(place, fmt.Sprintf("service %s with %s, included by two ways,", name, strings.Join(lists, ", ")), "5.6.0")
			}
			if !conflict || equal {
				imported[section][name] = from[name]
				continue
			}
			merged, err := override.MergeYaml(from[name], there, tree.NewPath(section, name))
			if err != nil {
				return err
			}
			imported[section][name] = merged
		}
	}
	return nil
}

// inlineImports writes resources of includes into a document, and gives those
// that must be merged before it, or nil.
func (l *loading) inlineImports(e *extending, imported map[string]map[string]any) (before *yaml.Node, err error) {
	for _, section := range sections {
		_, own := lookUpKey(e.root, section)
		for _, name := range slices.Sorted(maps.Keys(imported[section])) {
			n, err := modelNode(imported[section][name])
			if err != nil {
				return nil, fmt.Errorf("%s.%s: %w", section, name, err)
			}
			_, conflict := lookUpKey(own, name)
			switch {
			case conflict == nil:
				setKey(sectionOf(e.root, section), name, n)
			case section == "services" && conflict.Kind == yaml.MappingNode:
				l.extendInlined(e, conflict, n, name)
			default:
				if before == nil {
					before = &yaml.Node{Kind: yaml.MappingNode, Style: yaml.FlowStyle}
				}
				setKey(sectionOf(before, section), name, n)
			}
		}
	}
	return before, nil
}

// extendInlined makes a service of a document extend one of the same name that
// the document includes. What it extends itself then comes before both.
func (l *loading) extendInlined(e *extending, service, included *yaml.Node, name string) {
	if _, extends := lookUpKey(service, "extends"); extends != nil && included.Kind == yaml.MappingNode {
		setKey(included, "extends", extends)
	}
	hidden := l.hide(e, included, name)
	setKey(service, "extends", quoted(hidden))
}

// hide adds a service to a document for another one to extend.
func (l *loading) hide(e *extending, service *yaml.Node, name string) string {
	hidden := inlinedName + itoa(len(l.inlined)+1)
	l.inlined[hidden] = name
	e.hidden = append(e.hidden, hidden)
	setKey(sectionOf(e.root, "services"), hidden, service)
	return hidden
}

package changes

import (
	"maps"
	"slices"
	"strings"

	"pistack/compose/plain"
)

// details lists what is different, by path. Both directions name the same paths.
func (c *comparison) details() {
	for _, name := range c.names() {
		c.serviceDetails(name)
	}
	parts := []string{"networks", "volumes", "configs", "secrets"}
	if c.before.stack == nil || c.after.stack == nil {
		parts = []string{"volumes"} // all of a stack is new or gone: what matters is data
	}
	for _, part := range parts {
		old, now := c.before.part(part), c.after.part(part)
		for _, key := range bothKeys(old, now) {
			c.compare(join(part, key), old[key], now[key])
		}
	}
	slices.SortFunc(c.out.Details, func(a, b Detail) int { return strings.Compare(a.Path, b.Path) })
}

// serviceDetails says of a new or removed service what its image is.
func (c *comparison) serviceDetails(name string) {
	before, had := c.before.services[name]
	after, has := c.after.services[name]
	path := join("services", name)
	switch {
	case !had:
		c.detail(path, nil, imageLeaf(after))
	case !has:
		c.detail(path, imageLeaf(before), nil)
	default:
		c.compare(path, before.leaves(path), after.leaves(path))
	}
}

func imageLeaf(s service) *leaf {
	l := plainLeaf("image " + orNone(s.Image))
	return &l
}

// leaves are all values of a service, and marks of what its inputs hold.
func (s service) leaves(path string) leaves {
	l := leaves{}
	l.addMap(path, "", tree(s.config))
	for kind, part := range map[string]struct {
		values map[string]string
		shown  string
	}{"secrets": {s.parts.Secrets, "(value)"}, "files": {s.parts.Files, "(content)"}, "configs": {s.parts.Configs, "(content)"}} {
		for name, mark := range part.values {
			l[join(path+".inputs."+kind, name)] = leaf{mark, part.shown}
		}
	}
	l[path] = plainLeaf(text(s.config)) // see compare
	return l
}

// part is a top-level part of the model, by key.
func (v side) part(name string) map[string]leaves {
	all := map[string]leaves{}
	data, _ := tree(map[string]any{
		"networks": v.project.Networks, "volumes": v.project.Volumes, "configs": v.project.Configs, "secrets": v.project.Secrets,
	})[name].(map[string]any)
	for key, value := range data {
		l := leaves{}
		path := join(name, key)
		l.add(path, key, value)
		l[path] = plainLeaf(text(value))
		all[key] = l
	}
	return all
}

// compare records each path whose values differ. At the path of the whole is its
// text: where that differs and nothing below does, it is the order of a list.
func (c *comparison) compare(whole string, before, after leaves) {
	found := len(c.out.Details)
	for _, path := range slices.Sorted(maps.Keys(union(before, after))) {
		old, had := before[path]
		now, has := after[path]
		switch {
		case path == whole || had && has && old.value == now.value:
		case !had:
			c.detail(path, nil, &now)
		case !has:
			c.detail(path, &old, nil)
		default:
			c.detail(path, &old, &now)
		}
	}
	old, had := before[whole]
	now, has := after[whole]
	if found < len(c.out.Details) || had && has && old.value == now.value {
		return
	}
	one, other := leaf{"", "(one order)"}, leaf{"", "(another order)"}
	switch {
	case had && has:
		c.detail(whole, &one, &other)
	case had:
		c.detail(whole, &leaf{"", "(default)"}, nil)
	default:
		c.detail(whole, nil, &leaf{"", "(default)"})
	}
}

func union(a, b leaves) leaves {
	all := maps.Clone(a)
	if all == nil {
		all = leaves{}
	}
	maps.Copy(all, b)
	return all
}

func (c *comparison) detail(path string, old, now *leaf) {
	c.out.Details = append(c.out.Details, newDetail(path, old, now))
}

// masked is what is shown of a leaf; nil for none.
func (l *leaf) masked() *string {
	if l == nil {
		return nil
	}
	text := plain.Mask(l.shown)
	return &text
}

func newDetail(path string, old, now *leaf) Detail {
	d := Detail{Path: plain.Mask(path), Old: old.masked(), New: now.masked()}
	if d.Old != nil && d.New != nil && *d.Old == *d.New {
		changed := strings.TrimSuffix(*d.New, ")") + ", changed)"
		if !strings.HasSuffix(*d.New, ")") {
			changed = *d.New + " (changed)"
		}
		d.New = &changed
	}
	return d
}

// NewDetail is a setting that differs, as the details of a stack are shown: what
// its name calls a secret is hidden, and "" is none.
func NewDetail(name, old, now string) Detail {
	leafOf := func(value string) *leaf {
		if value == "" {
			return nil
		}
		return &leaf{value, shown(strings.TrimPrefix(name, "env."), value)}
	}
	return newDetail(name, leafOf(old), leafOf(now))
}

package main

import (
	"os"

	"pistack/internal/fleet"
	"pistack/internal/usage"
	"pistack/secrets"
)

// usesOf tells where the secrets of a host are used. For several hosts, ask one
// tree: it reads every file once.
func usesOf(f *fleet.Fleet, h fleet.Host, entries []secrets.Entry) usage.Uses {
	tree, done := treeOf(f)
	defer done()
	return tree.Of(usageHost(h, entries))
}

// treeOf is the work tree of a fleet, until done is called; also a symlink
// cannot lead out of it. It is nil, and knows of no uses, when it cannot be read.
func treeOf(f *fleet.Fleet) (tree *usage.Tree, done func()) {
	root, err := os.OpenRoot(f.Root)
	if err != nil {
		return nil, func() {}
	}
	return usage.NewTree(root.FS()), func() { root.Close() }
}

func usageHost(h fleet.Host, entries []secrets.Entry) usage.Host {
	wanted := usage.Host{Name: h.Name, Stacks: h.Stacks, Env: h.Env, Registries: h.Registries}
	for _, e := range entries {
		wanted.Have = append(wanted.Have, e.Name)
	}
	return wanted
}

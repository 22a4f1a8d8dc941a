package main

import (
	"os"

	"pistack/internal/fleet"
	"pistack/internal/usage"
	"pistack/secrets"
)

// usesOf tells where the secrets of a host are used.
func usesOf(f *fleet.Fleet, h fleet.Host, entries []secrets.Entry) usage.Uses {
	wanted := usage.Host{Name: h.Name, Stacks: h.Stacks, Env: h.Env}
	for _, e := range entries {
		wanted.Have = append(wanted.Have, e.Name)
	}
	root, err := os.OpenRoot(f.Root) // also a symlink cannot lead out of it
	if err != nil {
		return usage.Uses{}
	}
	defer root.Close()
	return usage.Of(root.FS(), wanted)
}

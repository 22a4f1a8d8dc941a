package main

import (
	"fmt"
	"maps"
	"slices"

	"pistack/internal/fleet"
	"pistack/secrets"
)

// checkLogin refuses a value that is not user:token for a host that logs in to a
// registry with this secret: on the device it would keep every other secret
// from being installed.
func checkLogin(h fleet.Host, name string, value []byte) error {
	if secrets.CheckLogin(value) == nil {
		return nil
	}
	for _, registry := range slices.Sorted(maps.Keys(h.Registries)) {
		if h.Registries[registry] == name {
			return &secrets.Error{
				Message: fmt.Sprintf("%s logs in to %s with %s, and the value is no login", h.File(), registry, name),
				Fix:     "nothing was written; the value has to be user:token, on one line (pisec add --trim removes a line break at its end)",
			}
		}
	}
	return nil
}

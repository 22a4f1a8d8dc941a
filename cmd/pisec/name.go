package main

import (
	"pistack/internal/cli"
	"pistack/secrets"
)

// checkNames refuses arguments that cannot be names of secrets: that is wrong
// usage, whatever the fleet holds.
func checkNames(names ...string) error {
	for _, name := range names {
		if err := secrets.CheckName(name); err != nil {
			return cli.Usage("%w", err)
		}
	}
	return nil
}

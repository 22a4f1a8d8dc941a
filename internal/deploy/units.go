package deploy

import (
	"cmp"
	"slices"
	"strings"

	"pistack/internal/nix"
)

// unitChanges predicts what a switch does to units: before are the files of the
// running system's units, after those of the new one.
func unitChanges(before map[string]string, after map[string]nix.Unit) []UnitChange {
	var all []UnitChange
	for name := range before {
		if _, stays := after[name]; !stays && !generic(name) {
			all = append(all, UnitChange{name, UnitStop})
		}
	}
	for name, unit := range after {
		old, was := before[name]
		switch {
		case generic(name):
		case !was && unit.Active:
			all = append(all, UnitChange{name, UnitStart})
		case was && old != unit.File:
			if action := onChange(unit.Switch); action != "" {
				all = append(all, UnitChange{name, action})
			}
		}
	}
	slices.SortFunc(all, func(a, b UnitChange) int { return cmp.Compare(a.Unit, b.Unit) })
	return all
}

// generic tells whether a unit is a template, which is none by itself.
func generic(name string) bool { return strings.Contains(name, "@.") }

func onChange(rule nix.SwitchRule) UnitAction {
	switch rule {
	case nix.Reload:
		return UnitReload
	case nix.Leave:
		return ""
	}
	return UnitRestart
}

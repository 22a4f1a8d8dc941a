package deploy

import (
	"cmp"
	"slices"

	"pistack/internal/nix"
)

// unitChanges predicts what a switch does to units: before are the files of the
// running system's units, after those of the new one.
func unitChanges(before map[string]string, after map[string]nix.Unit) []UnitChange {
	var all []UnitChange
	for name := range before {
		if _, stays := after[name]; !stays && nix.Switched(name) {
			all = append(all, UnitChange{name, UnitStop})
		}
	}
	for name, unit := range after {
		old, was := before[name]
		switch {
		case !nix.Switched(name):
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

func onChange(rule nix.SwitchRule) UnitAction {
	switch rule {
	case nix.Reload:
		return UnitReload
	case nix.Leave:
		return ""
	}
	return UnitRestart
}

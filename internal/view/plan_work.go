package view

import (
	"fmt"
	"slices"

	"pistack/internal/deploy"
)

// listedUnits is how many units a line names before it counts the rest.
const listedUnits = 6

// fetched is what the machine has to get: store paths and images.
func (t *planText) fetched(h deploy.HostPlan) {
	var notes []string
	if h.Closure > 0 {
		notes = append(notes, size(h.Closure)+" in all")
	}
	notes = append(notes, free(h.State.StoreFree)...)
	if h.NewPaths > 0 {
		t.label("copy", "%s, %s%s", counted(h.NewPaths, "path"), size(h.NewBytes), inBrackets(notes))
	} else {
		t.label("copy", "nothing%s", inBrackets(notes))
	}
	if len(h.Images) == 0 {
		return
	}
	bytes, unknown := imageBytes(h.Images)
	t.label("pull", "%s, %s%s", counted(len(h.Images), "image"), imageSizes(bytes, unknown), inBrackets(free(h.State.DockerFree)))
	for _, i := range h.Images {
		text := "size unknown"
		if i.Bytes > 0 {
			text = size(i.Bytes)
		}
		t.label("", "%-12s  %s", text, cleanTo(i.Reference, maxLine))
	}
}

func free(bytes int64) []string {
	if bytes <= 0 {
		return nil
	}
	return []string{size(bytes) + " free"}
}

func imageSizes(bytes int64, unknown int) string {
	switch {
	case unknown == 0:
		return size(bytes)
	case bytes == 0:
		return "size unknown"
	}
	return fmt.Sprintf("%s and %d of unknown size", size(bytes), unknown)
}

// units are grouped by what happens to them, in the order in which it happens.
func (t *planText) units(all []deploy.UnitChange) {
	groups := map[deploy.UnitAction][]string{}
	kinds := unitKinds()
	for _, u := range all {
		if !slices.ContainsFunc(kinds, func(k unitKind) bool { return k.action == u.Action }) {
			kinds = append(kinds, unitKind{action: u.Action, symbol: "~", colour: yellow})
		}
		groups[u.Action] = append(groups[u.Action], clean(u.Unit))
	}
	name := "units"
	for _, k := range kinds {
		if units := groups[k.action]; len(units) > 0 {
			t.label(name, "%s %s: %s", t.sign(k.colour, k.symbol), clean(string(k.action)), some(units, listedUnits))
			name = ""
		}
	}
}

// unitKind is how a group of units is shown.
type unitKind struct {
	action         deploy.UnitAction
	symbol, colour string
}

func unitKinds() []unitKind {
	return []unitKind{{deploy.UnitStop, "-", red}, {deploy.UnitReload, "~", yellow}, {deploy.UnitRestart, "±", yellow}, {deploy.UnitStart, "+", green}}
}

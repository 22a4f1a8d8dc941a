package target

import (
	"context"
	"fmt"
	"strings"
	"time"
)

// Wanted is what a new system needs.
type Wanted struct {
	Paths   []string // of the store
	Images  []string
	Running string // the system that runs now; empty for none
}

// Difference is what a machine lacks of what is wanted, and the units that it has
// now, as Machine.Units gives them.
type Difference struct {
	Paths  []string
	Images []string
	Units  map[string]string
}

// Compare asks for all of it in one session. It changes nothing.
func (m Machine) Compare(ctx context.Context, w Wanted) (Difference, error) {
	var d Difference
	var parts []part
	if len(w.Paths) > 0 {
		parts = append(parts, part{"invalid.sh", w.Paths, func(a *answer) { d.Paths = a.list("path") }})
	}
	if len(w.Images) > 0 {
		parts = append(parts, part{"missing.sh", w.Images, func(a *answer) { d.Images = a.list("image") }})
	}
	if w.Running != "" {
		parts = append(parts, part{"units.sh", []string{w.Running}, func(a *answer) { d.Units = a.units() }})
	}
	if err := plainWords(w.Paths, w.Images); err != nil || len(parts) == 0 {
		return Difference{}, err
	}
	if err := m.askAll(ctx, step{says: "comparing with what it has", limit: 5 * time.Minute, output: 64 << 20}, parts...); err != nil {
		return Difference{}, err
	}
	return d, nil
}

// plainWords refuses what a program could take for an option, or for two words.
func plainWords(lists ...[]string) error {
	for _, list := range lists {
		for _, w := range list {
			if w == "" || strings.ContainsAny(w, " \t\r\n'\"\\") || strings.HasPrefix(w, "-") {
				return fmt.Errorf("%q cannot be asked for", w)
			}
		}
	}
	return nil
}

package target

import (
	"context"
	"fmt"
	"regexp"
	"slices"
	"strconv"
	"time"
)

// switchLimit bounds a switch: units have time-outs of their own, below it.
const switchLimit = time.Hour

// Units maps the units of a system that is in the machine's store, and their
// drop-ins ("x.service.d/overrides.conf"), to the SHA-256 of their texts, in hex.
func (m Machine) Units(ctx context.Context, system string) (map[string]string, error) {
	var units map[string]string
	s := step{script: "units.sh", says: "reading the units of " + system, args: []string{system}, output: 4 << 20}
	err := m.ask(ctx, s, func(a *answer) { units = a.units() })
	if err != nil {
		return nil, err
	}
	return units, nil
}

func (a *answer) units() map[string]string {
	units := map[string]string{}
	for _, value := range a.list("unit") {
		part := a.fields("unit", value, 2)
		units[part[0]] = part[1]
	}
	return units
}

var linkForm = regexp.MustCompile(`^system-([0-9]{1,9})-link$`)

// Generations are those of the system profile, by number.
func (m Machine) Generations(ctx context.Context) ([]Generation, error) {
	var all []Generation
	err := m.ask(ctx, step{script: "generations.sh", says: "asking for generations"}, func(a *answer) { all = a.generations() })
	if err != nil {
		return nil, err
	}
	return all, nil
}

func (a *answer) generations() []Generation {
	current := a.text("current")
	var all []Generation
	for _, value := range a.list("generation") {
		part := a.fields("generation", value, 3)
		name := linkForm.FindStringSubmatch(part[0])
		if name == nil {
			continue // not one of Nix's
		}
		number, _ := strconv.Atoi(name[1])
		all = append(all, Generation{Number: number, Path: part[2], Date: time.Unix(int64(a.integer("generation", part[1])), 0).UTC(), Current: part[0] == current})
	}
	slices.SortFunc(all, func(x, y Generation) int { return x.Number - y.Number })
	return all
}

// Activate runs a system's switch-to-configuration, by the same command as
// nixos-rebuild. Its exit status is that of the *remote.ExitError.
func (m Machine) Activate(ctx context.Context, id, path, action string, line func(string)) error {
	if !slices.Contains([]string{"switch", "boot", "test", "dry-activate"}, action) {
		return fmt.Errorf("%q is not an action of switch-to-configuration", action)
	}
	_, err := m.run(ctx, step{script: "activate.sh", says: "switch-to-configuration " + action, args: []string{id, path, action}, limit: switchLimit, line: orNobody(line)})
	return err
}

// SetProfile makes a system the one that the next boot takes; its "boot" action
// is Activate's. Nothing happens when it is.
func (m Machine) SetProfile(ctx context.Context, id, path string) error {
	_, err := m.run(ctx, step{script: "profile.sh", says: "setting the system profile", args: []string{id, "set", path}})
	return err
}

// SwitchGeneration makes a generation that exists the current one.
func (m Machine) SwitchGeneration(ctx context.Context, id string, n int) error {
	_, err := m.run(ctx, step{script: "profile.sh", says: fmt.Sprintf("switching the system profile to generation %d", n), args: []string{id, "switch", fmt.Sprint(n)}})
	return err
}

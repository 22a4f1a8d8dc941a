package compare

import (
	"fmt"
	"maps"
	"slices"
	"strings"

	"pistack/compose/changes"
	"pistack/internal/fleet"
)

// Dangers of hosts, beside those of stacks.
const (
	StackMoved    changes.Code = "stack-moved"    // a stack comes without its data
	HostKey       changes.Code = "host-key"       // the pinned key is another
	SecretReaders changes.Code = "secret-readers" // somebody can read a secret who could not
	SecretForged  changes.Code = "secret-forged"  // a value changed, and its version did not
)

// hostSettings compares what host.toml and the pinned key say.
func hostSettings(before, after fleet.Host) []changes.Detail {
	return differing(settingsOf(before), settingsOf(after))
}

func settingsOf(h fleet.Host) map[string]string {
	s := map[string]string{
		"address": h.Address, "system": h.System, "board": h.Board, "ssh.user": h.User, "ssh.port": fmt.Sprint(h.Port),
		"roles": strings.Join(h.Roles, ", "), "stacks": strings.Join(h.Stacks, ", "), "tags": strings.Join(h.Tags, ", "),
	}
	for name, value := range h.Env {
		s["env."+name] = value
	}
	if key, err := h.PublicKey(); err == nil {
		s[fleet.KeyFile] = key
	}
	return s
}

// fleetSettings compares what fleet.toml says.
func fleetSettings(p *Pair) []changes.Detail {
	of := func(f *fleet.Fleet) map[string]string {
		return map[string]string{"operators": strings.Join(operatorNames(f), ", "), "plugins": strings.Join(f.Plugins, ", ")}
	}
	return differing(of(p.Base.Fleet), of(p.Head.Fleet))
}

// differing lists the settings that are not the same, sorted by name. An empty
// one is none.
func differing(before, after map[string]string) []changes.Detail {
	names := maps.Clone(before)
	maps.Copy(names, after)
	var details []changes.Detail
	for _, name := range slices.Sorted(maps.Keys(names)) {
		old, now := before[name], after[name]
		if old == now {
			continue
		}
		details = append(details, changes.NewDetail(name, old, now))
	}
	return details
}

// keyDangers warns of another pinned key.
func keyDangers(settings []changes.Detail, h fleet.Host) []changes.Danger {
	for _, d := range settings {
		if d.Path == fleet.KeyFile {
			return []changes.Danger{{Code: HostKey, Message: "the pinned host key is another: pisec rekey " + h.Name + ", or the host cannot read its secrets"}}
		}
	}
	return nil
}

package compare

import (
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"

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
func (w *work) hostSettings(before, after fleet.Host) []changes.Detail {
	return differing(settingsOf(w.Base, before), settingsOf(w.Head, after))
}

// settingsOf takes host.toml as it is written, with keys whatever they mean: it
// was read strictly before.
func settingsOf(s *Side, h fleet.Host) map[string]string {
	settings := map[string]string{}
	var data map[string]any
	if text, err := fs.ReadFile(s.Files, h.File()); err == nil && toml.Unmarshal(text, &data) == nil {
		flattenSettings(settings, "", data)
	}
	if key, err := h.PublicKey(); err == nil {
		settings[fleet.KeyFile] = key
	}
	return settings
}

func flattenSettings(settings map[string]string, prefix string, data map[string]any) {
	for name, value := range data {
		switch v := value.(type) {
		case map[string]any:
			flattenSettings(settings, prefix+name+".", v)
		case []any:
			words := make([]string, len(v))
			for i, word := range v {
				words[i] = fmt.Sprint(word)
			}
			settings[prefix+name] = strings.Join(words, ", ")
		default:
			settings[prefix+name] = fmt.Sprint(v)
		}
	}
}

// fleetSettings compares what fleet.toml says.
func fleetSettings(p *Pair) []changes.Detail {
	of := func(f *fleet.Fleet) map[string]string {
		return map[string]string{"operators": strings.Join(operatorNames(f), ", "), "plugins": strings.Join(f.Plugins, ", "), "registry": f.Registry.Images}
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

package fleet

import (
	"fmt"
	"io/fs"
	"regexp"
	"slices"
	"strings"

	"github.com/BurntSushi/toml"
)

// settingsFile is fleet.toml. Its registry is a table or, where there is nothing
// but the place for built images to say, that place.
type settingsFile[registry registryTable | string] struct {
	Operators   []string   `toml:"operators"`
	Plugins     []string   `toml:"plugins"`
	BuildSystem string     `toml:"build_system"` // read by flake.nix; only checked here
	Registry    registry   `toml:"registry"`
	Cache       cacheTable `toml:"cache"`
}

// readSettingsFile reads fleet.toml in either form.
func readSettingsFile(files fs.FS) (settingsFile[registryTable], document, []error) {
	var s settingsFile[registryTable]
	doc, problems := readTOML(files, Marker, &s)
	var form struct{ Registry any }
	if _, err := toml.Decode(doc.text, &form); err != nil {
		return s, doc, problems
	}
	switch form := form.Registry.(type) {
	case nil, map[string]any:
	case string:
		var with settingsFile[string]
		problems = doc.decode(&with)
		s = settingsFile[registryTable]{with.Operators, with.Plugins, with.BuildSystem, registryTable{Images: form}, with.Cache}
	default:
		problems = []error{doc.problem([]string{"registry"}, `registry is neither a text like "ghcr.io/you" nor a table`)}
	}
	return s, doc, problems
}

// pluginName is what can stand in "age-plugin-NAME", a program of PATH.
var pluginName = regexp.MustCompile(`^[a-z0-9][a-z0-9+._-]*$`)

// readSettings reads fleet.toml. Recipients are only checked for presence
// here; package secrets parses them.
func (f *Fleet) readSettings(files fs.FS) []error {
	s, doc, problems := readSettingsFile(files)
	f.files, f.settings = files, doc.text
	f.Operators, f.Plugins = s.Operators, s.Plugins
	f.Registry = Registry(s.Registry)
	problems = append(problems, f.Registry.validate(doc)...)
	f.Caches = s.Cache.URLs
	problems = append(problems, s.Cache.validate(doc)...)
	if len(problems) == 0 && len(s.Operators) == 0 {
		p := doc.problem([]string{"operators"}, "no operators: nobody but the hosts themselves could read a secret again")
		p.Fix = `write operators = ["age1…"] or ["ssh-ed25519 AAAA…"] into fleet.toml; "age-keygen -o key.txt" or ~/.ssh/id_ed25519.pub give one`
		problems = append(problems, p)
	}
	for _, name := range s.Plugins {
		if !pluginName.MatchString(name) {
			problems = append(problems, doc.problem([]string{"plugins"}, "plugins: %q is not the name of an age plugin; write \"yubikey\" for age-plugin-yubikey", name))
		}
	}
	if s.BuildSystem != "" && !slices.Contains(buildSystems(), s.BuildSystem) {
		problems = append(problems, doc.problem([]string{"build_system"}, "build_system is %q: %s are known", s.BuildSystem, strings.Join(buildSystems(), ", ")))
	}
	return problems
}

// SettingsUnchanged tells whether fleet.toml is still what was read.
func (f *Fleet) SettingsUnchanged() bool {
	data, err := fs.ReadFile(f.files, Marker)
	return err == nil && string(data) == f.settings
}

// buildSystems are the systems on which flake.nix can build; it has the same list.
func buildSystems() []string { return []string{"aarch64-darwin", "aarch64-linux", "x86_64-linux"} }

const systemsHelp = `"aarch64-linux" and "x86_64-linux" are known`

func validSystem(s string) bool { return s == "aarch64-linux" || s == "x86_64-linux" }

// OperatorSource names where operator i of fleet.toml stands, for messages.
func OperatorSource(i int) string { return fmt.Sprintf("%s: operators[%d]", Marker, i) }

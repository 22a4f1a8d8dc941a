package compose

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose/reference"
)

// volumes sorts the relative bind mounts of a service: what Git tracks is
// configuration, goes to the device and into the inputs; what it does not is
// state and gets a folder of its own on the device.
func (l *loading) volumes(config types.ServiceConfig, in *inputs) []StateBind {
	var state []StateBind
	for i, v := range config.Volumes {
		if v.Type != types.VolumeTypeBind {
			continue
		}
		place := l.docs.item(i, v.Source, "services", config.Name, "volumes")
		if strings.HasPrefix(v.Source, "~") {
			l.report(place, CodePath, Error, fmt.Sprintf("service %s mounts %s: the device has no such home folder", config.Name, v.Source),
				"use a named volume, an absolute path, or a path below the stack's folder")
			continue
		}
		if !isRelative(v.Source) {
			continue
		}
		rel, ok := l.inside(place, config.Name, v.Source)
		if !ok {
			continue
		}
		switch l.kind(place, rel) {
		case isConfiguration:
			l.take(place, rel, in)
		case isState:
			if strings.HasPrefix(rel, "../") {
				l.report(place, CodePath, Error, fmt.Sprintf("service %s keeps state in %s, outside the stack's folder %s/", config.Name, v.Source, l.src.Dir()),
					"use a named volume, or a folder below the stack's own")
			}
			state = append(state, StateBind{Path: rel, Target: v.Target, ReadOnly: v.ReadOnly})
		}
	}
	return state
}

// boundVolumes refuses named volumes that stand for a relative path: where they
// are on the device Docker Compose would look below /etc.
func (l *loading) boundVolumes(context.Context) {
	for _, name := range slices.Sorted(maps.Keys(l.project.Volumes)) {
		opts := l.project.Volumes[name].DriverOpts
		device := opts["device"]
		if slices.Contains(strings.Split(opts["o"], ","), "bind") && device != "" && !strings.HasPrefix(device, "/") {
			l.report(l.docs.find("volumes", name, "driver_opts", "device"), CodePath, Error,
				fmt.Sprintf("volume %s is the relative path %s, which is read-only configuration on the device", name, device),
				"mount the path itself under volumes of the service, or name an absolute one")
		}
	}
}

// configs takes the files behind the service's "configs" to the device.
func (l *loading) configs(config types.ServiceConfig, in *inputs) {
	for _, use := range config.Configs {
		c := l.project.Configs[use.Source]
		place := l.docs.find("configs", use.Source)
		switch {
		case c.Content != "":
			in.inline(use.Source, c.Content)
		case c.Environment != "":
			if _, defined := l.env[c.Environment]; !defined {
				l.undefined(l.docs.find("configs", use.Source, "environment"), c.Environment)
			}
		case c.File != "" && isRelative(c.File):
			if rel, ok := l.inside(place, config.Name, c.File); ok {
				l.takeRequired(place, rel, in)
			}
		}
	}
}

// envFiles takes the service's env files to the device and looks for variables
// in them, since Compose interpolates those too.
func (l *loading) envFiles(config types.ServiceConfig, in *inputs) {
	known := map[string]string{}
	for i, e := range config.EnvFiles {
		place := l.docs.item(i, e.Path, "services", config.Name, "env_file")
		if !isRelative(e.Path) {
			l.report(place, CodePath, Error, fmt.Sprintf("env_file %s is not a file of the repository", e.Path), "name it by a relative path")
			continue
		}
		rel, ok := l.inside(place, config.Name, e.Path)
		if !ok {
			continue
		}
		file := path.Join(l.src.Dir(), rel)
		if !bool(e.Required) && !l.src.Tracked.Has(file) {
			continue
		}
		l.takeRequired(place, rel, in)
		data, err := ReadFile(l.src.Repository, file)
		if errors.Is(err, errTooLarge) {
			l.report(Position{File: file}, CodeRead, Error, err.Error(), readFix(err))
		}
		if err == nil && e.Format != "raw" {
			l.envFileVariables(&envFile{file, string(data), known, l.variablesOf(config), (*loading).undefined, 0}, in)
		}
	}
}

// variablesOf looks variables up as Compose does for the env files of a service.
func (l *loading) variablesOf(config types.ServiceConfig) func(string) (string, bool) {
	return func(name string) (string, bool) {
		if value, defined := l.env[name]; defined {
			return value, true
		}
		if value := config.Environment[name]; value != nil {
			return *value, true
		}
		return "", false
	}
}

func (l *loading) envFileVariables(e *envFile, in *inputs) {
	if reference.TooMany(e.text) {
		l.report(Position{e.name, 1, 1}, CodeSyntax, Error, manyReferences, "")
		return
	}
	e.parse(l)
	for i, line := range strings.Split(e.text, "\n") {
		if strings.HasPrefix(strings.TrimSpace(line), "#") {
			continue
		}
		for _, name := range l.checkScalar(Position{e.name, i + 1, 1}, line, l.env) {
			in.secret(name, l.src.Secrets[name])
		}
	}
}

// labelFiles takes the service's label files to the device. Their references
// are to each other's labels, never to variables.
func (l *loading) labelFiles(config types.ServiceConfig, in *inputs) {
	for i, file := range config.LabelFiles {
		place := l.docs.item(i, file, "services", config.Name, "label_file")
		if !isRelative(file) {
			l.report(place, CodePath, Error, fmt.Sprintf("label_file %s is not a file of the repository", file), "name it by a relative path")
			continue
		}
		rel, ok := l.inside(place, config.Name, file)
		if !ok {
			continue
		}
		l.takeRequired(place, rel, in)
		file = path.Join(l.src.Dir(), rel)
		if data, err := ReadFile(l.src.Repository, file); err == nil && !reference.TooMany(string(data)) {
			e := envFile{file, string(data), map[string]string{}, nothing, (*loading).undefinedHere, 0}
			e.parse(l)
		}
	}
}

// inside gives a relative path, clean, as one of the repository. It may lead out
// of the stack's folder.
func (l *loading) inside(place Position, service, source string) (string, bool) {
	rel := path.Clean(source)
	file := path.Join(l.src.Dir(), rel)
	switch {
	case source == "":
		l.report(place, CodePath, Error, fmt.Sprintf("service %s has an empty path here", service), "name a file of the repository, or take the key out")
	case file == ".." || strings.HasPrefix(file, "../"):
		l.report(place, CodePath, Error, fmt.Sprintf("service %s uses %s, which is outside the repository", service, source),
			"only files of the repository reach the device: move it into the stack's folder")
	case file == "." || file == l.src.Dir() || strings.HasPrefix(l.src.Dir(), file+"/"):
		l.report(place, CodePath, Error, fmt.Sprintf("service %s uses %s, which is the stack's folder %s/ or one above it", service, source, l.src.Dir()),
			"name a sub-folder, or the files that it needs")
	case path.Dir(file) == "stacks" && l.src.Tracked.Has(file+"/compose.yaml"):
		l.report(place, CodePath, Error, fmt.Sprintf("service %s uses %s, which is the folder of another stack", service, source),
			"name a sub-folder, or the files that it needs")
	default:
		return l.src.relative(file), true
	}
	return "", false
}

// kind is what a mounted path is.
type kind int

const (
	isUnknown kind = iota
	isConfiguration
	isState
)

// kind tells what a mounted path is: Git tracks configuration. What it does not
// track is state only if a .gitignore says so: a mistyped or forgotten file
// would otherwise silently become an empty folder on the device.
func (l *loading) kind(place Position, rel string) kind {
	file := path.Join(l.src.Dir(), rel)
	if l.src.Tracked.Has(file) || len(l.src.Tracked.Under(file)) > 0 {
		return isConfiguration
	}
	switch ignored, err := l.src.Ignored(file); {
	case err != nil:
		l.report(place, CodeRead, Error, fmt.Sprintf("%s: %v", file, err), "")
	case ignored:
		return isState
	default:
		l.report(place, CodeUntracked, Error, fmt.Sprintf("%s is mounted, and Git neither tracks nor ignores it%s", file, l.nearestTracked(rel)),
			fmt.Sprintf("git add %s (configuration, goes to the device) or list it in a .gitignore (state, stays there)", file))
	}
	return isUnknown
}

// nearestTracked offers a file, of the stack or of the same folder, with a name
// like that of a path relative to the stack's folder.
func (l *loading) nearestTracked(rel string) string {
	var names []string
	for _, f := range append(l.src.Tracked.Under(l.src.Dir()), l.src.Tracked.Under(path.Join(l.src.Dir(), path.Dir(rel)))...) {
		names = append(names, l.src.relative(f))
	}
	return nearest(rel, names)
}

// takeRequired is take for a file that cannot be state.
func (l *loading) takeRequired(place Position, rel string, in *inputs) {
	if file := path.Join(l.src.Dir(), rel); !l.src.Tracked.Has(file) {
		l.report(place, CodeUntracked, Error, fmt.Sprintf("%s is not tracked by Git", file), "git add "+file)
		return
	}
	l.take(place, rel, in)
}

// take sends a tracked file or folder to the device and into the inputs.
func (l *loading) take(place Position, rel string, in *inputs) {
	l.files[rel] = true
	file := path.Join(l.src.Dir(), rel)
	members := l.src.Tracked.Under(file)
	if len(members) == 0 {
		members = []string{file}
	}
	for _, m := range members {
		if err := in.file(l.src.Repository, m); err != nil {
			l.report(place, CodeRead, Error, m+" "+err.Error(), readFix(err))
		}
	}
}

package compose

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// Load reads a stack for a host. The findings tell, in file order, what is
// wrong and what is worth knowing; the stack is nil when one is an error.
func Load(ctx context.Context, src Source) (*Stack, []Finding) {
	l := &loading{
		src:        src,
		stack:      &Stack{Name: src.Stack, inputs: map[string]*inputs{}},
		files:      map[string]bool{},
		envSecrets: map[string]bool{},
		opened:     map[string]composeFile{},
		inlined:    map[string]string{},
	}
	for _, step := range []func(context.Context){
		l.read, l.resolve, l.load, l.deviceKnows, l.secretUses, l.engineTakes, l.services, l.boundVolumes, l.projectDirectories, l.reservedNames,
	} {
		step(ctx)
		if l.interrupted(ctx) || HasErrors(l.findings) {
			return nil, SortFindings(l.findings)
		}
	}
	l.stack.Files = slices.Sorted(maps.Keys(l.files))
	l.stack.EnvSecrets = slices.Sorted(maps.Keys(l.envSecrets))
	l.stack.Project, l.stack.docs = l.project, l.docs
	return l.stack, SortFindings(l.findings)
}

// loading is the state of one Load. Its steps run in the order of Load; each
// may rely on the ones before having found no error.
type loading struct {
	src      Source
	own      []composeFile     // the stack's own Compose files
	docs     documents         // of all files
	env      map[string]string // variables, with tokens for secrets
	dict     map[string]any    // the loaded model as data
	project  *types.Project    // the loaded model, typed
	stack    *Stack
	findings []Finding

	files      map[string]bool        // paths that the device needs, relative to the stack's folder
	folders    []folder               // that must exist there
	opened     map[string]composeFile // files that the own ones name
	others     int                    // how often one was
	loaded     int                    // keys and values in them, each time
	inlined    map[string]string      // services that were added for others to extend, with the names of those
	envSecrets map[string]bool
	uses       map[string][]string // service to the secrets of its variables
}

func (l *loading) report(p Position, code Code, severity Severity, message, fix string) {
	l.findings = append(l.findings, Finding{Code: code, Severity: severity, Message: message, Fix: fix}.At(p))
}

// read takes compose.yaml and the host's override of it into memory.
func (l *loading) read(context.Context) {
	for i, name := range []string{"compose.yaml", "compose." + l.src.Host + ".yaml"} {
		file := l.src.Dir() + "/" + name
		info, err := fs.Lstat(l.src.Repository, file)
		if i > 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err == nil && info.Mode()&fs.ModeSymlink != 0 {
			l.report(Position{File: file}, CodePath, Error, "is a symlink, which would point elsewhere on the device",
				"write include: with the path of the file that it points to")
			continue
		}
		f, problem := newComposeFile(l.src.Repository, file)
		if problem != nil {
			problem.Severity = Error
			l.findings = append(l.findings, *problem)
			continue
		}
		l.own, l.docs = append(l.own, f), append(l.docs, f.docs...)
		l.stack.ComposeFiles = append(l.stack.ComposeFiles, name)
		l.files[name] = true
	}
}

// resolve computes the variables and checks that none is missing.
func (l *loading) resolve(context.Context) {
	l.variables()
	l.checkUnit(l.unit())
}

// unit is the stack itself.
func (l *loading) unit() unit { return unit{files: l.own, dir: l.src.Dir(), env: l.env} }

// load loads the model with compose-go.
func (l *loading) load(ctx context.Context) {
	u := l.unit()
	configs, docs := l.merge(ctx, u)
	if HasErrors(l.findings) {
		return
	}
	l.docs = docs
	var project *types.Project
	dict := l.model(ctx, docs, func(ctx context.Context) (map[string]any, error) {
		dict, err := modelOf(u, configs, l.stackOptions)(ctx)
		if err != nil {
			return nil, err
		}
		if err := dependenciesOf(dict, l.profiles()).check(docs); err != nil {
			return nil, err
		}
		l.src.relativePaths(dict)
		details := types.ConfigDetails{WorkingDir: "/" + l.src.Dir(), Environment: maps.Clone(l.env)} // nothing is read relative to it
		project, err = loader.ModelToProject(dict, loader.ToOptions(&details, []func(*loader.Options){l.stackOptions}), details)
		return dict, err
	})
	if dict != nil {
		l.dict, l.project = dict, project
	}
}

// profiles are those that Compose enables by itself, from its variable.
func (l *loading) profiles() []string {
	var enabled []string
	for name := range strings.SplitSeq(l.env["COMPOSE_PROFILES"], ",") {
		if name = strings.TrimSpace(name); name != "" {
			enabled = append(enabled, name)
		}
	}
	return enabled
}

// services fills in what the device has to know of each enabled service.
func (l *loading) services(context.Context) {
	for _, name := range slices.Sorted(maps.Keys(l.project.Services)) {
		config := l.project.Services[name]
		s := Service{Name: name, Image: config.Image, Secrets: l.secretsOf(config)}
		in := newInputs(s.Secrets, l.src.Secrets)
		s.State = l.volumes(config, in)
		l.configs(config, in)
		l.envFiles(config, in)
		l.labelFiles(config, in)
		s.Resets = resets(config)
		s.Inputs = in.hash()
		l.stack.inputs[name] = in
		l.stack.Services = append(l.stack.Services, s)
	}
}

// resets lists what a device must not see of a service: it never builds.
func resets(config types.ServiceConfig) []string {
	if config.Build == nil {
		return nil
	}
	if config.PullPolicy == types.PullPolicyBuild {
		return []string{"build", "pull_policy"}
	}
	return []string{"build"}
}

// folder is a folder that a file names.
type folder struct {
	place Position
	dir   string // relative to the repository's root
}

// projectDirectories refuses those that would not exist on the device, where
// Compose then takes the folder above: only files bring folders there.
func (l *loading) projectDirectories(context.Context) {
	for _, f := range l.folders {
		exists := false
		for file := range l.files {
			file = path.Join(l.src.Dir(), file)
			exists = exists || f.dir == "." || strings.HasPrefix(file, f.dir+"/")
		}
		if !exists {
			l.report(f.place, CodePath, Error, fmt.Sprintf("project_directory %s would not exist on the device: no file that the stack uses is in it", f.dir),
				"name a folder with such a file, or leave it out")
		}
	}
}

// reservedNames refuses files whose place on the device is that of a generated
// one.
func (l *loading) reservedNames(context.Context) {
	for name := range l.files {
		file := path.Join(l.src.Dir(), name)
		if base := path.Base(file); (base == "override.yaml" || base == "host.env") && path.Dir(path.Dir(file)) == "stacks" {
			l.report(Position{File: file}, CodePath, Error, fmt.Sprintf("on the device %s is a file that pistack generates", base), "give it another name")
		}
		if file == "images" || strings.HasPrefix(file, "images/") {
			l.report(Position{File: file}, CodePath, Error, "on the device /etc/pistack/images is a file that pistack generates", "give the folder images of the repository another name")
		}
	}
}

// isRelative tells whether Compose takes a bind mount's source as relative to
// the stack's folder.
func isRelative(source string) bool {
	return !strings.HasPrefix(source, "/") && !strings.HasPrefix(source, "~")
}

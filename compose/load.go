package compose

import (
	"context"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// maxFile bounds a Compose file, an env file and a file that is hashed, in bytes.
const (
	maxFile   = 1 << 20
	maxHashed = 64 << 20
)

// Load reads a stack for a host. The findings tell, in file order, what is
// wrong and what is worth knowing; the stack is nil when one is an error.
func Load(ctx context.Context, src Source) (*Stack, []Finding) {
	l := &loading{
		src:        src,
		stack:      &Stack{Name: src.Stack, inputs: map[string]*inputs{}},
		files:      map[string]bool{},
		envSecrets: map[string]bool{},
	}
	for _, step := range []func(context.Context){
		l.read, l.refuseUnsupported, l.resolve, l.model, l.refuseInModel, l.secretUses, l.services,
	} {
		step(ctx)
		if HasErrors(l.findings) {
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
	docs     documents
	env      map[string]string // variables, with tokens for secrets
	dict     map[string]any    // the loaded model as data
	project  *types.Project    // the loaded model, typed
	stack    *Stack
	findings []Finding

	files      map[string]bool // paths that the device needs
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
		data, err := readFile(l.src.Repository, file)
		if i > 0 && errors.Is(err, fs.ErrNotExist) {
			continue
		}
		if err != nil {
			l.report(Position{File: file}, CodeRead, Error, err.Error(), "")
			continue
		}
		d := newDocument(file, data)
		if problem := d.excess(); problem != "" {
			l.report(Position{file, 1, 1}, CodeSyntax, Error, problem, "split the stack")
			continue
		}
		l.docs = append(l.docs, d)
		l.stack.ComposeFiles = append(l.stack.ComposeFiles, name)
		l.files[name] = true
	}
}

// resolve computes the variables and checks that none is missing.
func (l *loading) resolve(context.Context) {
	l.variables()
	l.checkVariables()
}

// attempts is how often a model with an error is loaded: compose-go reports one
// error of several, whichever its maps give first.
const attempts = 64

// model loads the files with compose-go, from memory and with our environment.
func (l *loading) model(ctx context.Context) {
	for range attempts {
		err := l.loadModel(ctx)
		if err == nil {
			return
		}
		l.findings = append(l.findings, modelFindings(l.docs, err)...)
		if failedToParse.MatchString(err.Error()) {
			return // the parser always meets the same error first
		}
	}
}

func (l *loading) loadModel(ctx context.Context) error {
	details := types.ConfigDetails{
		WorkingDir:  "/" + l.src.Dir(), // nothing is read relative to it
		Environment: maps.Clone(l.env),
	}
	for _, d := range l.docs {
		details.ConfigFiles = append(details.ConfigFiles, types.ConfigFile{Filename: d.file, Content: d.data})
	}
	options := func(o *loader.Options) {
		o.SetProjectName(l.src.Stack, true)
		o.ResolvePaths = false
		o.SkipResolveEnvironment = true
		o.SkipResolveLabels = true
		o.Profiles = l.profiles()
		o.ResourceLoaders = []loader.ResourceLoader{noFiles{}}
	}
	dict, err := loader.LoadModelWithContext(ctx, details, options)
	if err != nil {
		return err
	}
	l.dict = dict
	opts := loader.ToOptions(&details, []func(*loader.Options){options})
	l.project, err = loader.ModelToProject(dict, opts, details)
	return err
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

// noFiles is a loader.ResourceLoader that keeps compose-go from opening files:
// refuseUnsupported sees an include that is written out, this one also those
// that come with a YAML merge.
type noFiles struct{}

var errOtherFile = errors.New("include, and extends from another file, do not work yet")

func (noFiles) Accept(string) bool                           { return true }
func (noFiles) Load(context.Context, string) (string, error) { return "", errOtherFile }
func (noFiles) Dir(string) string                            { return "" }

// services fills in what the device has to know of each enabled service.
func (l *loading) services(context.Context) {
	for _, name := range slices.Sorted(maps.Keys(l.project.Services)) {
		config := l.project.Services[name]
		s := Service{Name: name, Image: config.Image, Secrets: l.secretsOf(config)}
		in := newInputs(s.Secrets, l.src.Secrets)
		s.State = l.volumes(config, in)
		l.configs(config, in)
		l.envFiles(config, in)
		s.Inputs = in.hash()
		l.stack.inputs[name] = in
		l.stack.Services = append(l.stack.Services, s)
	}
}

// readFile reads a file of the repository. Its errors name neither operation
// nor path: the finding does that.
func readFile(repository fs.FS, file string) ([]byte, error) {
	// Before it is opened: a named pipe would wait for a writer.
	info, err := fs.Stat(repository, file)
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
	f, err := repository.Open(file)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxFile+1))
	if err != nil {
		return nil, plain(err)
	}
	if len(data) > maxFile {
		return nil, errors.New("is larger than 1 MiB")
	}
	return data, nil
}

func plain(err error) error {
	var path *fs.PathError
	if errors.As(err, &path) {
		return path.Err
	}
	return err
}

// refuseUnsupported names what this version does not load yet, before
// compose-go would read files beside those in memory.
func (l *loading) refuseUnsupported(context.Context) {
	for _, d := range l.docs {
		if d.second != nil {
			l.report(d.at(d.second), CodeUnsupported, Error, "a second YAML document in one file does not work yet", "write both into one, without ---")
		}
		if key, _ := child(d.root, "include"); key != nil {
			l.report(d.at(key), CodeUnsupported, Error, "include does not work yet", "write the included services into this file")
		}
		for _, name := range keysOf(serviceNode(d)) {
			_, service := child(serviceNode(d), name)
			_, extends := child(service, "extends")
			if key, _ := child(extends, "file"); key != nil {
				l.report(d.at(key), CodeUnsupported, Error, "extends from another file does not work yet", "extend a service of this file, or use a YAML anchor")
			}
		}
	}
}

// refuseInModel names what this version does not bring to the device yet,
// wherever in the files it comes from.
func (l *loading) refuseInModel(context.Context) {
	if jobs, _ := l.dict["jobs"].(map[string]any); len(jobs) > 0 {
		l.report(l.docs.find("jobs"), CodeUnsupported, Error, "jobs do not work yet", "make it a service")
	}
	services, _ := l.dict["services"].(map[string]any)
	for name, config := range services {
		config, _ := config.(map[string]any)
		for key, fix := range map[string]string{
			"build":      "build and push the image, and name it with image",
			"label_file": "write the labels under labels",
			"pre_start":  "make it a service that this one depends on",
		} {
			if _, used := config[key]; used {
				l.report(l.docs.find("services", name, key), CodeUnsupported, Error, fmt.Sprintf("service %s: %s does not work yet", name, key), fix)
			}
		}
	}
}

// isRelative tells whether Compose takes a bind mount's source as relative to
// the stack's folder.
func isRelative(source string) bool {
	return !strings.HasPrefix(source, "/") && !strings.HasPrefix(source, "~")
}

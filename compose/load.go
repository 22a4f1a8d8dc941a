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
		stack:      &Stack{Name: src.Stack},
		files:      map[string]bool{},
		envSecrets: map[string]bool{},
	}
	for _, step := range []func(context.Context){
		l.read, l.refuseUnsupported, l.resolve, l.model, l.secretUses, l.services,
	} {
		step(ctx)
		if HasErrors(l.findings) {
			return nil, SortFindings(l.findings)
		}
	}
	l.stack.Files = slices.Sorted(maps.Keys(l.files))
	l.stack.EnvSecrets = slices.Sorted(maps.Keys(l.envSecrets))
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

func (l *loading) report(p position, code Code, severity Severity, message, fix string) {
	l.findings = append(l.findings, Finding{
		File: p.file, Line: p.line, Column: p.column,
		Code: code, Severity: severity, Message: message, Fix: fix,
	})
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
			l.report(position{file: file}, CodeRead, Error, err.Error(), "")
			continue
		}
		l.docs = append(l.docs, newDocument(file, data))
		l.stack.ComposeFiles = append(l.stack.ComposeFiles, name)
		l.files[name] = true
	}
}

// resolve computes the variables and checks that none is missing.
func (l *loading) resolve(context.Context) {
	l.variables()
	l.checkVariables()
}

// model loads the files with compose-go, from memory and with our environment.
func (l *loading) model(ctx context.Context) {
	details := types.ConfigDetails{
		// Nothing is read relative to it: see refuseUnsupported.
		WorkingDir:  "/" + l.src.Dir(),
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
	}
	dict, err := loader.LoadModelWithContext(ctx, details, options)
	if err == nil {
		l.dict = dict
		opts := loader.ToOptions(&details, []func(*loader.Options){options})
		l.project, err = loader.ModelToProject(dict, opts, details)
	}
	if err != nil {
		l.findings = append(l.findings, modelFinding(l.docs, err))
	}
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
		s.Inputs = in.hash()
		l.stack.Services = append(l.stack.Services, s)
	}
}

// readFile reads a file of the repository. Its errors name neither operation
// nor path: the finding does that.
func readFile(repository fs.FS, file string) ([]byte, error) {
	f, err := repository.Open(file)
	if err != nil {
		return nil, plain(err)
	}
	defer f.Close()
	info, err := f.Stat()
	if err != nil {
		return nil, plain(err)
	}
	if !info.Mode().IsRegular() {
		return nil, errors.New("is not a regular file")
	}
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
		if key, _ := child(d.root, "include"); key != nil {
			l.report(d.at(key), CodeUnsupported, Error, "include does not work yet", "write the included services into this file")
		}
		for _, name := range keysOf(serviceNode(d)) {
			l.refuseInService(d, name)
		}
	}
}

func (l *loading) refuseInService(d document, name string) {
	_, service := child(serviceNode(d), name)
	_, extends := child(service, "extends")
	if key, _ := child(extends, "file"); key != nil {
		l.report(d.at(key), CodeUnsupported, Error, "extends from another file does not work yet", "extend a service of this file, or use a YAML anchor")
	}
	if key, _ := child(service, "build"); key != nil {
		l.report(d.at(key), CodeUnsupported, Error, fmt.Sprintf("service %s: build does not work yet", name), "build and push the image, and name it with image")
	}
	if key, _ := child(service, "label_file"); key != nil {
		l.report(d.at(key), CodeUnsupported, Error, fmt.Sprintf("service %s: label_file does not work yet", name), "write the labels under labels")
	}
}

// isRelative tells whether Compose takes a bind mount's source as relative to
// the stack's folder.
func isRelative(source string) bool {
	return !strings.HasPrefix(source, "/") && !strings.HasPrefix(source, "~")
}

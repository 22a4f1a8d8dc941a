package compose

import (
	"context"
	"maps"
	"path"
	"strings"

	"github.com/compose-spec/compose-go/v2/loader"
	"github.com/compose-spec/compose-go/v2/types"
)

// unit is what Compose loads in one go: files that it merges, the folder that
// their relative paths start from, and the variables. A stack is a unit, and so
// is each include, and each file that is extended.
type unit struct {
	files []composeFile
	dir   string // relative to the repository's root
	from  string // the same as Compose knows it: relative to that of the including unit
	env   map[string]string
	above []string // files that include this unit, directly or not
	level int      // how many units include it
}

func (u unit) names() []string {
	var names []string
	for _, f := range u.files {
		names = append(names, f.name)
	}
	return names
}

// merge makes the files of a unit ready for compose-go, which reads none by
// itself: what they include, and extend from other files, is loaded first and
// then written into them. The documents are in the order in which they win.
func (l *loading) merge(ctx context.Context, u unit) (configs []types.ConfigFile, docs documents) {
	for _, f := range u.files {
		if !l.refersToFiles(f) {
			configs, docs = append(configs, f.config()), append(docs, f.docs.at(u.level)...)
			continue
		}
		if l.parse(ctx, f); HasErrors(l.findings) {
			continue // compose-go names lines of what it is given: here still the author's
		}
		for _, d := range f.docs {
			parts, below := l.inline(ctx, u, d)
			configs, docs = append(configs, parts...), append(docs, below.at(u.level+1)...)
			docs = append(docs, documents{d}.at(u.level)...)
		}
	}
	return configs, docs
}

// at gives documents at least a level.
func (ds documents) at(level int) documents {
	all := documents{}
	for _, d := range ds {
		d.level = max(d.level, level)
		all = append(all, d)
	}
	return all
}

// refersToFiles tells whether a file includes others, or extends their services.
func (l *loading) refersToFiles(f composeFile) bool {
	for _, d := range f.docs {
		root := plainCopy(d.root)
		if key, _ := lookUpKey(root, "include"); key != nil {
			return true
		}
		_, services := lookUpKey(root, "services")
		for _, service := range entriesOf(services) {
			if _, file := extendsOf(service.value); file != nil {
				return true
			}
		}
	}
	return false
}

// parse reports what compose-go's parser does not like in a file.
func (l *loading) parse(ctx context.Context, f composeFile) {
	u := unit{dir: "."}
	_, err := await(ctx, modelOf(u, []types.ConfigFile{f.config()}, func(o *loader.Options) {
		baseOptions(o)
		o.SkipInterpolation, o.SkipExtends = true, true
	}))
	if err != nil && failedToParse.MatchString(err.Error()) {
		l.findings = append(l.findings, l.modelFindings(f.docs, err)...)
	}
}

// attempts is how often a model with an error is loaded: compose-go reports one
// error of several, whichever its maps give first. A very large one takes its
// time, and gets fewer.
func attempts(docs documents) int { return max(4, min(64, 64_000/(docs.values()+1))) }

// model loads until there is no error, or all are reported.
func (l *loading) model(ctx context.Context, docs documents, load func(context.Context) (map[string]any, error)) map[string]any {
	var found []Finding
	for range attempts(docs) {
		dict, err := await(ctx, load)
		if err == nil {
			return dict
		}
		if l.interrupted(ctx) {
			return nil
		}
		found = append(found, l.modelFindings(docs, err)...)
		if _, ours := err.(placedError); ours || failedToParse.MatchString(err.Error()) {
			break // we, and the parser, always meet the same error first
		}
	}
	l.findings = append(l.findings, l.named(found)...)
	return nil
}

// named gives findings about services that were added for others to extend the
// names of the others, which have the same problem.
func (l *loading) named(found []Finding) []Finding {
	for i, f := range found {
		found[i].Message = inlinedService.ReplaceAllStringFunc(f.Message, func(name string) string { return l.inlined[name] })
	}
	return found
}

// modelOf gives a function that loads the files of a unit with compose-go, from
// memory and with the unit's variables.
func modelOf(u unit, configs []types.ConfigFile, options func(*loader.Options)) func(context.Context) (map[string]any, error) {
	return func(ctx context.Context) (map[string]any, error) {
		details := types.ConfigDetails{
			WorkingDir:  path.Join(repositoryRoot, u.dir),
			Environment: maps.Clone(u.env),
			ConfigFiles: configs,
		}
		dict, err := loader.LoadModelWithContext(ctx, details, quickly(configs, options))
		if u.level > 0 && err != nil && err.Error() == "empty compose file" {
			return nil, nil // only the stack needs to have something
		}
		return dict, err
	}
}

// stackOptions load the stack itself; partOptions an include of it, whose
// relative paths come to start from another folder; baseOptions a file that is
// extended, which need not be complete.
func (l *loading) stackOptions(o *loader.Options) {
	o.SetProjectName(l.src.Stack, true)
	o.ResolvePaths = false
	o.SkipResolveEnvironment = true
	o.SkipResolveLabels = true
	o.Profiles = l.profiles()
	o.ResourceLoaders = []loader.ResourceLoader{noFiles{}}
}

func partOptions(o *loader.Options) {
	o.SetProjectName("part", true)
	o.SkipNormalization = true
	o.SkipConsistencyCheck = true
	o.ResourceLoaders = []loader.ResourceLoader{noFiles{}}
}

func baseOptions(o *loader.Options) {
	partOptions(o)
	o.SkipInclude = true
	o.SkipValidation = true
	o.SkipDefaultValues = true
}

// repositoryRoot stands for the repository in the paths of included files until
// the whole model is loaded. There is no such folder.
const repositoryRoot = "/⟦repository⟧"

// relativePaths makes the paths of included files relative to the stack's
// folder, as Compose resolves them.
func (s Source) relativePaths(model any) any {
	switch v := model.(type) {
	case string:
		if v == repositoryRoot {
			return s.relative(".")
		}
		if file, ok := strings.CutPrefix(v, repositoryRoot+"/"); ok {
			if file == s.Dir() {
				return "."
			}
			if file = s.relative(file); !strings.HasPrefix(file, "../") {
				file = "./" + file
			}
			return file
		}
	case map[string]any:
		for key, value := range v {
			v[key] = s.relativePaths(value)
		}
	case []any:
		for i, value := range v {
			v[i] = s.relativePaths(value)
		}
	}
	return model
}

package compose

import (
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v4"

	"pistack/compose/reference"
)

// variables reads the stack's .env and lays the host's variables and the
// tokens of its secrets over it, as Compose does with several --env-file.
func (l *loading) variables() {
	l.env = map[string]string{}
	file := l.src.Dir() + "/.env"
	data, err := ReadFile(l.src.Repository, file)
	switch {
	case err == nil:
		l.stack.EnvFiles = append(l.stack.EnvFiles, ".env")
		l.files[".env"] = true
		if !l.src.Tracked.Has(file) {
			l.report(Position{File: file}, CodeUntracked, Error, "is not tracked by Git, so the device would not get it",
				"it goes to the device in clear: move secrets out with pisec add, take it off .gitignore, and git add "+file)
		}
		if reference.TooMany(string(data)) {
			l.report(Position{file, 1, 1}, CodeSyntax, Error, manyReferences, "")
			return
		}
		e := envFile{file, string(data), l.env, nothing, (*loading).undefinedHere, 0}
		e.parse(l)
		l.checkEnvFile(file, string(data), l.env)
	case !errors.Is(err, fs.ErrNotExist):
		l.report(Position{File: file}, CodeRead, Error, err.Error(), readFix(err))
	}
	maps.Copy(l.env, l.src.Env)
	l.env["COMPOSE_PROJECT_NAME"] = l.src.Stack // Compose sets it, whatever the files say
	for name, version := range l.src.Secrets {
		l.env[name] = token(name, version)
	}
}

// checkEnvFile reports references of an env file to what is not defined where
// Compose reads it: .env comes before the host's variables and its secrets.
func (l *loading) checkEnvFile(file, text string, env map[string]string) {
	for i, line := range strings.Split(text, "\n") {
		name, value, assigned := strings.Cut(strings.TrimSpace(line), "=")
		if !assigned || strings.HasPrefix(name, "#") || strings.HasPrefix(value, "'") {
			continue // a comment, or a value that Compose takes literally
		}
		undefined, _ := l.lookUp(value, env)
		for _, missing := range undefined {
			l.undefinedHere(Position{file, i + 1, 1}, missing.Name)
		}
	}
}

// nothing finds no variable.
func nothing(string) (string, bool) { return "", false }

func (l *loading) undefinedHere(p Position, name string) {
	l.report(p, CodeUndefined, Error, fmt.Sprintf("variable %s is not defined in this file", name),
		"define it above, write $$ for a dollar sign, or refer to it in compose.yaml, where the host's variables and secrets are known")
}

// checkUnit reports every variable of the Compose files that has neither value
// nor default, and notes which secrets are referred to.
func (l *loading) checkUnit(u unit) {
	for _, f := range u.files {
		for _, d := range f.docs {
			l.checkNode(u, d, d.root)
			if u.level > 0 {
				l.homePaths(u, d)
			}
		}
	}
}

func (l *loading) checkNode(u unit, d document, n *yaml.Node) {
	walkScalars(n, func(n *yaml.Node) {
		undefined, _ := l.lookUp(n.Value, u.env)
		for _, r := range undefined {
			l.undefinedReference(d.at(n), r)
		}
		l.noteSecrets(n.Value, u.env)
	})
}

func (l *loading) checkScalar(place Position, text string, env map[string]string) (secrets []string) {
	undefined, _ := l.lookUp(text, env)
	for _, r := range undefined {
		l.undefined(place, r.Name)
	}
	return l.noteSecrets(text, env)
}

func (l *loading) noteSecrets(text string, env map[string]string) []string {
	_, secrets := l.lookUp(text, env)
	for _, name := range secrets {
		l.envSecrets[name] = true
	}
	return secrets
}

// lookUp lists the variables of a text that would become empty by accident, and
// the secrets that it refers to.
func (l *loading) lookUp(text string, env map[string]string) (undefined []reference.Reference, secrets []string) {
	value := func(name string) (string, bool) {
		value, defined := env[name]
		return value, defined
	}
	reference.Walk(text, value, func(r reference.Reference, defined bool) {
		if _, secret := l.src.Secrets[r.Name]; secret {
			secrets = append(secrets, r.Name)
		}
		if !r.Optional() && !defined {
			undefined = append(undefined, r)
		}
	})
	return undefined, secrets
}

func (l *loading) undefined(p Position, name string) {
	l.undefinedReference(p, reference.Reference{Name: name})
}

// undefinedReference also says what the author wrote for this case, as in
// "${NAME:?say which}".
func (l *loading) undefinedReference(p Position, r reference.Reference) {
	message := fmt.Sprintf("variable %s is not defined", r.Name)
	if text := strings.Join(strings.Fields(r.Word), " "); strings.HasSuffix(r.Operator, "?") && text != "" {
		message += ": " + text
	}
	fix := fmt.Sprintf("if it is a secret: pisec add %s %s; if not: set it in %s/.env or under [env] in hosts/%s/host.toml",
		l.src.Host, r.Name, l.src.Dir(), l.src.Host)
	if l.src.Host == "" {
		fix = fmt.Sprintf("set it in %s/.env; if it is a secret, or differs by host: %s", l.src.Dir(), l.giveHost())
	}
	l.report(p, CodeUndefined, Error, message, fix)
}

// giveHost is what to do about a stack that no host runs, where only one could
// have what is missing.
func (l *loading) giveHost() string {
	return fmt.Sprintf("no host runs the stack; write stacks = [%q] into the host.toml of one", l.src.Stack)
}

// homePaths reports paths of an included file that begin with "~": compose-go
// would put the home folder of this machine there.
func (l *loading) homePaths(u unit, d document) {
	value := func(name string) (string, bool) { value, defined := u.env[name]; return value, defined }
	walkPaths(plainCopy(d.root), "", func(n *yaml.Node) {
		text, err := template.SubstituteWithOptions(n.Value, value, template.WithoutLogging)
		if err == nil && (strings.HasPrefix(text, "~") || strings.Contains(text, "=~")) {
			l.report(d.at(n), CodePath, Error, "a path begins with ~: the device has no such home folder", "use a named volume, or an absolute path")
		}
	})
}

// walkPaths calls visit for every text that may be a path in what stands under a
// key of a copy.
func walkPaths(n *yaml.Node, key string, visit func(n *yaml.Node)) {
	switch {
	case n == nil:
	case n.Kind == yaml.ScalarNode && isPathKey(key) && n.ShortTag() == "!!str":
		visit(n)
	case n.Kind == yaml.SequenceNode:
		for _, item := range n.Content {
			walkPaths(item, key, visit)
		}
	case n.Kind == yaml.MappingNode:
		for i := 0; i+1 < len(n.Content); i += 2 {
			under := n.Content[i].Value
			if key == "ssh" || key == "additional_contexts" || under == "<<" {
				under = key // a name of the author's
			}
			walkPaths(n.Content[i+1], under, visit)
		}
	}
}

func isPathKey(key string) bool {
	return slices.Contains([]string{"volumes", "source", "file", "env_file", "label_file", "path", "context", "additional_contexts", "ssh", "device"}, key)
}

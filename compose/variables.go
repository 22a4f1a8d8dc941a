package compose

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/dotenv"
	"github.com/compose-spec/compose-go/v2/template"
	"go.yaml.in/yaml/v4"
)

// variables reads the stack's .env and lays the host's variables and the
// tokens of its secrets over it, as Compose does with several --env-file.
func (l *loading) variables() {
	l.env = map[string]string{}
	file := l.src.Dir() + "/.env"
	data, err := readFile(l.src.Repository, file)
	switch {
	case err == nil:
		l.stack.EnvFiles = append(l.stack.EnvFiles, ".env")
		l.files[".env"] = true
		parsed, err := dotenv.ParseWithLookup(bytes.NewReader(data), func(string) (string, bool) { return "", false })
		if err != nil {
			// The parser quotes the line, which may hold what should be a secret.
			l.report(position{file: file}, CodeSyntax, Error, "is not a valid env file", "write one NAME=value a line")
		}
		maps.Copy(l.env, parsed)
	case !errors.Is(err, fs.ErrNotExist):
		l.report(position{file: file}, CodeRead, Error, err.Error(), "")
	}
	maps.Copy(l.env, l.src.Env)
	for name, version := range l.src.Secrets {
		l.env[name] = token(name, version)
	}
}

// checkVariables reports every variable of the Compose files that has neither
// value nor default, and notes which secrets are referred to.
func (l *loading) checkVariables() {
	for _, d := range l.docs {
		d.scalars(func(n *yaml.Node) { l.checkScalar(d, n) })
	}
}

func (l *loading) checkScalar(d document, n *yaml.Node) {
	for _, name := range l.undefinedIn(n.Value) {
		l.undefined(d.at(n), name)
	}
}

// undefinedIn lists the variables of a text that would become empty by
// accident. It looks into the defaults that apply, as interpolation does.
func (l *loading) undefinedIn(text string) []string {
	var names []string
	for _, v := range referred(text) {
		if _, secret := l.src.Secrets[v.Name]; secret {
			l.envSecrets[v.Name] = true
		}
		_, defined := l.env[v.Name]
		switch {
		case defined:
			names = append(names, l.undefinedIn(v.PresenceValue)...)
		case v.DefaultValue != "":
			names = append(names, l.undefinedIn(v.DefaultValue)...)
		case !hasDefault(text, v.Name):
			names = append(names, v.Name)
		}
	}
	return names
}

func (l *loading) undefined(p position, name string) {
	l.report(p, CodeUndefined, Error, fmt.Sprintf("variable %s is not defined", name), fmt.Sprintf(
		"if it is a secret: pisec add %s %s; if not: set it in %s/.env or under [env] in hosts/%s/host.toml",
		l.src.Host, name, l.src.Dir(), l.src.Host))
}

// referred lists the variables of a scalar, sorted by name.
func referred(text string) []template.Variable {
	found := template.ExtractVariables(map[string]any{"": text}, template.DefaultPattern)
	return slices.SortedFunc(maps.Values(found), func(a, b template.Variable) int {
		return strings.Compare(a.Name, b.Name)
	})
}

// hasDefault tells whether a variable has an empty default ("${X:-}", "${X-}"):
// the library reports that like no default at all.
func hasDefault(text, name string) bool {
	for _, form := range []string{":-", "-", ":+", "+"} {
		if strings.Contains(text, "${"+name+form) {
			return true
		}
	}
	return false
}

package rules

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"pistack/compose"
	"pistack/compose/plain"
)

func plaintextSecret() Rule {
	return Rule{
		Code: "plaintext-secret", Severity: compose.Warning, check: plaintextSecrets,
		Summary: "a variable with the name of a secret has a literal value",
		Why: `A password in the environment of a service, a .env, an env_file or [env] of host.toml is in Git for everybody who ever clones
it, and in the Nix store of the device. Names that end in PASSWORD, TOKEN, SECRET, API_KEY and the like are looked at,
passwords inside URLs, and files of Compose secrets that Git tracks. Empty values, paths, references and placeholders such as changeme do not count, nor a value of .env
that a secret of the host replaces. The value is never shown.`,
		Fix: `Add it as a secret of the host and refer to it by name. The value is in Git's history: change it where it is used. If it is
none, or protects nothing, accept it with that reason.`,
		Example: `environment:
  MQTT_PASSWORD: ${MQTT_PASSWORD}   # pisec add rpi-box-03 MQTT_PASSWORD`,
	}
}

func plaintextSecrets(h host) []problem {
	p := plaintext{host: h, finder: plain.NewKeys(), secrets: map[string]bool{}}
	for _, s := range h.Secrets {
		p.secrets[s.Name] = true
	}
	for _, v := range h.Env {
		p.variable("", v.Name, v.Value, v.At)
	}
	ofHost := p.values
	for _, s := range h.stacks {
		p.values = slices.Clone(ofHost)
		for _, name := range s.EnvFiles {
			p.envFile(s, fileOf(s, name), true)
		}
		for _, name := range slices.Sorted(maps.Keys(s.Project.Services)) {
			p.service(service{s.Project.Services[name], s})
		}
		p.secretFiles(s)
	}
	return p.problems
}

// plaintext is the work on one host.
type plaintext struct {
	host
	finder   plain.Keys
	secrets  map[string]bool // names of the host's secrets
	values   []string        // those of variables that are reported where they are set
	problems []problem
}

// service looks at the literal values of an environment, and at env_files. What
// comes from a variable that is reported itself is not reported again.
func (p *plaintext) service(s service) {
	for _, name := range slices.Sorted(maps.Keys(s.Environment)) {
		value := s.Environment[name]
		if value == nil || compose.Redact(*value) != *value || p.reported(*value) || !p.looksSecret(name, *value) {
			continue
		}
		p.problems = append(p.problems, s.problem(s.place("environment", name),
			fmt.Sprintf("%s of service %s has a literal value", name, s.Name), p.fix(name)))
	}
	for _, e := range s.EnvFiles {
		p.envFile(s.stack, fileOf(s.stack, e.Path), false)
	}
}

// secretFiles looks at the files that a laptop takes secrets from: Git must not
// have them.
func (p *plaintext) secretFiles(s *compose.Stack) {
	for _, key := range slices.Sorted(maps.Keys(s.Project.Secrets)) {
		name := s.Project.Secrets[key].File
		file := fileOf(s, name)
		if name == "" || path.IsAbs(name) || !p.Tracked.Has(file) || !isLiteral(strings.TrimSpace(p.read(file))) {
			continue
		}
		p.problems = append(p.problems, problem{
			at: s.Place("secrets", key, "file"), stack: s.Name,
			message: compose.Redact(fmt.Sprintf("the file of secret %s, %s, is tracked by Git", key, file)),
			fix:     fmt.Sprintf("git rm --cached %s and list it in a .gitignore; the device takes its own from pisec", compose.Redact(file)),
		})
	}
}

// envFile looks at the lines of an env file. Secrets of the host replace what
// the stack's .env says, but not what an env_file says.
func (p *plaintext) envFile(s *compose.Stack, file string, replaced bool) {
	number := 0
	for line := range strings.SplitSeq(p.read(file), "\n") {
		number++
		name, value, assigned := strings.Cut(strings.TrimPrefix(strings.TrimSpace(line), "export "), "=")
		name = strings.TrimSpace(name)
		if !assigned || strings.HasPrefix(name, "#") || replaced && p.secrets[name] {
			continue
		}
		p.variable(s.Name, name, unquote(value), compose.Position{File: file, Line: number, Column: 1})
	}
}

// variable reports one that is set outside a Compose file.
func (p *plaintext) variable(stack, name, value string, at compose.Position) {
	if !p.looksSecret(name, value) {
		return
	}
	p.values = append(p.values, value)
	p.problems = append(p.problems, problem{at: at, stack: stack, message: name + " has a literal value", fix: p.fix(name)})
}

func (p *plaintext) fix(name string) string {
	name = notInName.ReplaceAllString(name, "_")
	return fmt.Sprintf("pisec add %s %s, and ${%s} in its place; Git's history keeps the old value", p.Name, name, name)
}

// reported tells whether a value is, or holds, one that was reported where it
// is set.
func (p *plaintext) reported(value string) bool {
	return slices.ContainsFunc(p.values, func(v string) bool {
		return value == v || len(v) >= 6 && strings.Contains(value, v)
	})
}

var (
	plainName = regexp.MustCompile(`^[A-Za-z0-9_.-]+$`)
	notInName = regexp.MustCompile(`[^A-Za-z0-9_]`)
	reference = regexp.MustCompile(`\$\{?[A-Za-z_]`)
)

// looksSecret tells whether a variable holds a literal secret, by its name and
// by what its value is not. Keys that plaintext-key reports are left to it.
func (p *plaintext) looksSecret(name, value string) bool {
	if kind, _ := p.finder.Find(value); kind != "" {
		return false
	}
	if password := plain.PasswordInURL(value); password != "" {
		return plainName.MatchString(name) && isLiteral(password)
	}
	return plain.SecretName(name) && name != "PWD" && isLiteral(value) && !strings.Contains(value, "://")
}

// isLiteral tells whether a value can be a secret at all.
func isLiteral(value string) bool {
	switch strings.ToLower(value) {
	case "", "0", "1", "true", "false", "yes", "no", "on", "off", "none", "null", "disabled", "default", "auto", "random":
		return false
	}
	for _, prefix := range []string{"/", "./", "../", "~/"} {
		if strings.HasPrefix(value, prefix) {
			return false
		}
	}
	return !reference.MatchString(value) && !plain.Placeholder(value)
}

// unquote strips what an env file may have around a value.
func unquote(value string) string {
	value = strings.TrimSpace(value)
	for _, quote := range []string{`"`, "'"} {
		if rest, ok := strings.CutPrefix(value, quote); ok {
			inner, _, _ := strings.Cut(rest, quote)
			return inner
		}
	}
	value, _, _ = strings.Cut(value, " #")
	return strings.TrimSpace(value)
}

package compose

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"
)

// secretUses finds out where secrets end up: in the environment of a service,
// where they may, or anywhere else, where they would leak.
func (l *loading) secretUses(context.Context) {
	l.uses = map[string][]string{}
	l.nameListItems()
	walkTokens(l.dict, nil, func(path, names []string) {
		for _, name := range names {
			l.secretUse(path, name)
		}
	})
	l.unsetEnvironment()
	l.fileSecrets()
}

// nameListItems turns "environment" and "labels" in list form into mappings, so
// that both forms look the same.
func (l *loading) nameListItems() {
	services, _ := l.dict["services"].(map[string]any)
	for _, config := range services {
		config, _ := config.(map[string]any)
		nameItems(config)
		for _, hook := range hooks() {
			list, _ := config[hook].([]any)
			for _, item := range list {
				item, _ := item.(map[string]any)
				nameItems(item)
			}
		}
	}
}

// hooks are the keys of a service that list commands with an environment.
func hooks() []string { return []string{"pre_start", "post_start", "pre_stop"} }

func nameItems(config map[string]any) {
	for _, key := range []string{"environment", "labels"} {
		list, ok := config[key].([]any)
		if !ok {
			continue
		}
		named := map[string]any{}
		for _, item := range list {
			name, value, assigned := strings.Cut(fmt.Sprint(item), "=")
			if named[name] = any(value); !assigned {
				named[name] = nil
			}
		}
		config[key] = named
	}
}

// variableOf gives service and variable where a path is one of an environment.
func variableOf(path []string) (service, variable string, ok bool) {
	last := len(path) - 1
	hook := len(path) == 6 && slices.Contains(hooks(), path[2])
	if (len(path) == 4 || hook) && path[0] == "services" && path[last-1] == "environment" && !strings.Contains(path[last], "⟦") {
		return path[1], path[last], true
	}
	return "", "", false
}

func (l *loading) secretUse(path []string, name string) {
	if len(path) == 3 && path[0] == "secrets" {
		return // "environment:" of a top-level secret, for the laptop; on the device it is a file
	}
	l.envSecrets[name] = true
	if service, variable, ok := variableOf(path); ok {
		l.uses[service] = append(l.uses[service], name)
		if place := l.docs.find(path...); len(path) == 4 || !l.inherited(path) {
			l.findings = append(l.findings, Finding{
				Code: CodeInEnv, Severity: Warning, Stack: l.src.Stack, Service: service,
				Message: fmt.Sprintf("secret %s is in the environment of service %s as %s: it shows in docker inspect and in Docker's files on the device's disk", name, service, variable),
				Fix:     asFile(l.project.Services[service].Image, variable, name),
			}.At(place))
		}
		return
	}
	l.report(l.docs.find(path...), CodeLeak, Error,
		fmt.Sprintf("secret %s would be readable in %s", name, withoutTokens(strings.Join(path, "."))),
		"use a secret in the environment of a service, or as a Compose secret file")
}

// inherited tells whether a hook has a variable from its service.
func (l *loading) inherited(path []string) bool {
	services, _ := l.dict["services"].(map[string]any)
	config, _ := services[path[1]].(map[string]any)
	environment, _ := config["environment"].(map[string]any)
	_, own := environment[path[5]]
	return own
}

// unsetEnvironment reports "environment: [NAME]" where NAME has no value.
func (l *loading) unsetEnvironment() {
	services, _ := l.dict["services"].(map[string]any)
	for service, config := range services {
		config, _ := config.(map[string]any)
		environment, _ := config["environment"].(map[string]any)
		for name, value := range environment {
			if value == nil {
				l.undefined(l.docs.find("services", service, "environment", name), name)
			}
		}
	}
}

// missing reports a secret of a service that the host does not have.
func (l *loading) missing(place Position, service, secret string) {
	owner, fix := "for "+l.src.Host, fmt.Sprintf("pisec add %s %s", l.src.Host, secret)
	if l.src.Host == "" {
		owner, fix = "for any host", l.giveHost()
	}
	l.report(place, CodeMissing, Error, fmt.Sprintf("secret %s of service %s was not added %s", secret, service, owner), fix)
}

// fileSecrets collects the secrets that containers get as files. One file
// serves all services of the stack, so they must agree on its owner and mode.
func (l *loading) fileSecrets() {
	first := map[string]FileSecret{}
	for _, service := range slices.Sorted(maps.Keys(l.project.Services)) {
		for _, use := range l.project.Services[service].Secrets {
			place := l.docs.find("services", service, "secrets", use.Source)
			if _, known := l.src.Secrets[use.Source]; !known {
				l.missing(place, service, use.Source)
				continue
			}
			secret, err := fileSecret(use)
			if err != nil {
				l.report(place, CodeOwner, Error, fmt.Sprintf("secret %s of service %s: %v", use.Source, service, err), "")
				continue
			}
			if other, seen := first[use.Source]; seen && other != secret {
				l.report(place, CodeOwner, Error,
					fmt.Sprintf("secret %s has another uid, gid or mode in service %s than elsewhere in this stack", use.Source, service),
					"give it the same owner and mode everywhere, or use two secrets")
				continue
			}
			first[use.Source] = secret
		}
	}
	for _, name := range slices.Sorted(maps.Keys(first)) {
		l.stack.Secrets = append(l.stack.Secrets, first[name])
	}
}

// fileSecret takes owner and mode from the long syntax; the defaults are those
// of the Compose specification: root, readable by all users of the container.
func fileSecret(use types.ServiceSecretConfig) (FileSecret, error) {
	s := FileSecret{Name: use.Source, Mode: 0o444}
	if use.Mode != nil {
		s.Mode = uint32(*use.Mode)
	}
	if s.Mode > 0o777 {
		return s, fmt.Errorf("mode %04o has more than permission bits", s.Mode)
	}
	var err error
	if s.UID, err = numericID("uid", use.UID); err != nil {
		return s, err
	}
	s.GID, err = numericID("gid", use.GID)
	return s, err
}

func numericID(key, text string) (int, error) {
	if text == "" {
		return 0, nil
	}
	id, err := strconv.ParseUint(text, 10, 31)
	if err != nil {
		return 0, fmt.Errorf("%s %q is not a number: names differ between image and host", key, text)
	}
	return int(id), nil
}

// secretsOf lists the secrets that a service uses, as variables or files.
func (l *loading) secretsOf(config types.ServiceConfig) []string {
	names := slices.Clone(l.uses[config.Name])
	for _, use := range config.Secrets {
		names = append(names, use.Source)
	}
	slices.Sort(names)
	return slices.Compact(names)
}

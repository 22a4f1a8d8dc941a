package compose

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"

	"go.yaml.in/yaml/v4"
)

// DeviceCompose is the version of Docker Compose on a device: that of the
// nixpkgs release which flake.nix follows (nixos-26.05 since August 2026, in its
// pkgs/applications/virtualization/docker/compose.nix).
const DeviceCompose = "5.4.0"

// attribute is what a Compose file may have since a version of Docker Compose.
// Older ones refuse the whole file: "additional properties not allowed".
type attribute struct {
	path  string // "*" is any key, "[]" any item
	since string
}

// newAttributes come from the history of compose-go's schema/compose-spec.json
// between the versions that the go.mod of docker/compose v5.2.0 (2.12.1), v5.4.0
// and v5.5.0 (2.14.0), v5.6.0 (2.16.1) and v5.7.0 (2.16.2) name, and from the
// release notes of v5.3.0.
func newAttributes() []attribute {
	return []attribute{
		{"services.*.pre_start", "5.3.0"},
		{"services.*.umask", "5.7.0"},
		{"services.*.networks.*.use_service_name_alias", "5.7.0"},
		{"jobs", "5.6.0"},
	}
}

// hookAttributes are those of pre_start since 5.3.0; all others came with 5.6.0.
func hookAttributes() []string {
	return []string{"command", "environment", "image", "per_replica", "privileged", "user", "working_dir"}
}

// deviceKnows reports what the Docker Compose of a device does not know yet. It
// looks at the author's files: a device refuses a file, whatever an override
// makes of it.
func (l *loading) deviceKnows(context.Context) {
	files := slices.Clone(l.own)
	for _, name := range slices.Sorted(maps.Keys(l.opened)) {
		files = append(files, l.opened[name])
	}
	for _, f := range files {
		for _, d := range f.docs {
			root := plainCopy(d.root)
			for _, a := range newAttributes() {
				for _, use := range usesOf(root, strings.Split(a.path, "."), nil) {
					l.tooNew(d.at(use.key), strings.Join(use.path, "."), a.since)
				}
			}
			for _, use := range usesOf(root, strings.Split("services.*.pre_start.[].*", "."), nil) {
				if key := use.key.Value; !slices.Contains(hookAttributes(), key) && !strings.HasPrefix(key, "x-") {
					l.tooNew(d.at(use.key), strings.Join(use.path, "."), "5.6.0")
				}
			}
		}
	}
}

// tooNew reports what needs a version of Docker Compose, if devices have an
// older one.
func (l *loading) tooNew(place Position, what, since string) {
	if slices.Compare(numbers(DeviceCompose), numbers(since)) < 0 {
		l.report(place, CodeTooNew, Error, fmt.Sprintf("%s needs Docker Compose %s, and devices have %s", what, since, DeviceCompose),
			"take it out, or write it into a file of its own, for the laptop only: docker compose -f compose.yaml -f FILE")
	}
}

func numbers(version string) []int {
	var all []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		all = append(all, n)
	}
	return all
}

// use is where a document has an attribute.
type use struct {
	key  *yaml.Node
	path []string
}

// usesOf lists the places of a copy that a pattern means.
func usesOf(n *yaml.Node, pattern []string, above []string) []use {
	if n == nil || len(pattern) == 0 {
		return nil
	}
	var all []use
	if pattern[0] == "[]" && n.Kind == yaml.SequenceNode {
		for i, item := range n.Content {
			all = append(all, usesOf(item, pattern[1:], append(slices.Clone(above), itoa(i)))...)
		}
	}
	for _, e := range entriesOf(n) {
		if isReset(e.value) || pattern[0] != "*" && pattern[0] != e.key.Value {
			continue
		}
		path := append(slices.Clone(above), e.key.Value)
		if len(pattern) == 1 {
			all = append(all, use{e.key, path})
		}
		all = append(all, usesOf(e.value, pattern[1:], path)...)
	}
	return all
}

// listsOf names the lists of a service that Docker Compose before 5.6.0 has
// twice when one file is included by two ways.
func listsOf(service any) []string {
	s, _ := service.(map[string]any)
	var names []string
	for _, key := range []string{"device_cgroup_rules", "external_links", "gpus", "group_add", "post_start", "pre_start", "pre_stop", "security_opt", "volumes_from"} {
		if list, ok := s[key].([]any); ok && len(list) > 0 {
			names = append(names, key)
		}
	}
	return names
}

package compose

import (
	"context"
	"fmt"
	"maps"
	"slices"
	"strconv"
	"strings"
)

// DeviceCompose is the version of Docker Compose on a device: that of the
// nixpkgs release which flake.nix follows (nixos-26.05, in its
// pkgs/applications/virtualization/docker/compose.nix). Before it is raised over
// 5.4, pre_start needs to bring its files to the device as services do.
const DeviceCompose = "5.1.3"

// attribute is what a Compose file may have since a version of Docker Compose.
// Older versions refuse the whole file, "additional properties not allowed".
type attribute struct {
	path  string // "*" is any key, "[]" any item
	since string
}

// newAttributes come from the history of compose-go's schema/compose-spec.json
// between the module versions that the go.mod of docker/compose v5.1.3 (2.10.2),
// v5.2.0 (2.12.1), v5.4.0 and v5.5.0 (2.14.0), and v5.6.0 (2.16.1) name.
func newAttributes() []attribute {
	return []attribute{
		{"services.*.pre_start", "5.4.0"},
		{"services.*.umask", "5.6.0"},
		{"services.*.networks.*.use_service_name_alias", "5.6.0"},
		{"jobs", "5.6.0"},
	}
}

// deviceKnows reports what the Docker Compose of a device does not know yet.
func (l *loading) deviceKnows(context.Context) {
	for _, a := range newAttributes() {
		if !older(DeviceCompose, a.since) {
			continue
		}
		for _, path := range pathsAt(l.dict, strings.Split(a.path, "."), nil) {
			l.report(l.docs.find(path...), CodeTooNew, Error,
				fmt.Sprintf("%s needs Docker Compose %s, and devices have %s", strings.Join(path, "."), a.since, DeviceCompose),
				"take it out, or put it where devices do not see it: a file that only the laptop names with -f")
		}
	}
}

// pathsAt lists the paths of a model that a pattern means, sorted.
func pathsAt(model any, pattern, above []string) [][]string {
	if len(pattern) == 0 {
		return [][]string{above}
	}
	mapping, _ := model.(map[string]any)
	var all [][]string
	for _, key := range slices.Sorted(maps.Keys(mapping)) {
		if pattern[0] == "*" || pattern[0] == key {
			all = append(all, pathsAt(mapping[key], pattern[1:], append(slices.Clone(above), key))...)
		}
	}
	return all
}

// older compares versions of three numbers.
func older(a, b string) bool { return slices.Compare(numbers(a), numbers(b)) < 0 }

func numbers(version string) []int {
	var all []int
	for part := range strings.SplitSeq(version, ".") {
		n, _ := strconv.Atoi(part)
		all = append(all, n)
	}
	return all
}

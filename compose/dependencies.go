package compose

import (
	"maps"
	"slices"
	"strings"
)

// maxPaths bounds the ways along which services depend on each other. compose-go,
// here as on the device, walks every single one, and there can be 2^n of them.
const maxPaths = 100_000

// dependencies are services, and those that each depends on: as depends_on says,
// or links, volumes_from, or a namespace that it shares.
type dependencies map[string][]string

// dependenciesOf reads those between the enabled services of a normalised model.
func dependenciesOf(model map[string]any, profiles []string) dependencies {
	services, _ := model["services"].(map[string]any)
	d := dependencies{}
	for name, service := range services {
		if s, ok := service.(map[string]any); ok && enabled(s, profiles) {
			on, _ := s["depends_on"].(map[string]any)
			d[name] = slices.Sorted(maps.Keys(on))
		}
	}
	for name, on := range d {
		d[name] = slices.DeleteFunc(on, func(other string) bool { _, there := d[other]; return !there })
	}
	return d
}

// enabled tells whether a service without profiles, or with one of these, runs.
func enabled(service map[string]any, profiles []string) bool {
	own, _ := service["profiles"].([]any)
	return len(own) == 0 || slices.Contains(profiles, "*") || slices.ContainsFunc(own, func(p any) bool {
		name, _ := p.(string)
		return slices.Contains(profiles, name)
	})
}

// check reports where services depend on each other in a circle, or along too
// many paths. Each service is visited once.
func (d dependencies) check(docs documents) error {
	paths := map[string]int{}
	total := 0
	for _, name := range slices.Sorted(maps.Keys(d)) {
		if _, known := paths[name]; !known {
			if cycle := d.count([]string{name}, paths); cycle != nil {
				return dependencyError(docs.dependency(cycle[0], cycle[1]), "dependency cycle detected: "+strings.Join(cycle, " -> "),
					"take one of these dependencies out")
			}
		}
		if total += paths[name]; total > maxPaths {
			return dependencyError(docs.dependency(name, ""), "services depend on each other along more than 100,000 paths",
				"leave out of depends_on what another service that is in it depends on already")
		}
	}
	return nil
}

// count counts the paths that begin at the last service of a way, or gives the
// circle that it is in: its first service, others, and the first again. The paths
// of a service are 0 while it is on the way.
func (d dependencies) count(way []string, paths map[string]int) (cycle []string) {
	name, sum := way[len(way)-1], 1
	paths[name] = 0
	for _, other := range d[name] {
		if count, begun := paths[other]; begun && count == 0 {
			return append(slices.Clone(way[slices.Index(way, other):]), other)
		} else if !begun {
			if cycle := d.count(append(way, other), paths); cycle != nil {
				return cycle
			}
		}
		sum = min(sum+paths[other], maxPaths+1)
	}
	paths[name] = sum
	return nil
}

func dependencyError(place Position, message, fix string) error {
	f := Finding{Code: CodeModel, Severity: Error, Message: message, Fix: fix}
	return placedError{f.At(place)}
}

// dependency is the place where a service names another one that it depends on,
// or else where it says on which ones it does.
func (ds documents) dependency(service, on string) Position {
	for _, step := range [][2]string{
		{"depends_on", on}, {"links", on}, {"volumes_from", on}, {"network_mode", "=service:" + on}, {"ipc", "=service:" + on},
		{"pid", "=service:" + on}, {"uts", "=service:" + on}, {"cgroup", "=service:" + on},
	} {
		if place, depth := ds.deepest([]string{"services", service, step[0], step[1]}); depth == 4 {
			return place
		}
	}
	return ds.find("services", service, "depends_on")
}

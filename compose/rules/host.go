package rules

import (
	"maps"
	"path"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

// host is what the rules look at.
type host struct {
	Target
	stacks []*compose.Stack
}

// service is an enabled service of a stack of the host.
type service struct {
	types.ServiceConfig
	stack *compose.Stack
}

// services lists them by stack, in the host's order, and by name.
func (h host) services() []service {
	var all []service
	for _, s := range h.stacks {
		for _, name := range slices.Sorted(maps.Keys(s.Project.Services)) {
			all = append(all, service{s.Project.Services[name], s})
		}
	}
	return all
}

// place is where the files say what the model has at a path of the service.
func (s service) place(path ...string) compose.Position {
	return s.stack.Place(append([]string{"services", s.Name}, path...)...)
}

// item is the place of a list's item.
func (s service) item(index int, name string, path ...string) compose.Position {
	return s.stack.PlaceOfItem(index, name, append([]string{"services", s.Name}, path...)...)
}

// problem is one of this service.
func (s service) problem(at compose.Position, message, fix string) problem {
	return problem{at: at, stack: s.stack.Name, service: s.Name, message: compose.Redact(message), fix: compose.Redact(fix)}
}

// title names the service among those of other stacks.
func (s service) title() string { return "service " + s.Name + " of stack " + s.stack.Name }

// containers is how many containers it runs; replicas of the model can be
// anything, and more than a few hundred fit on no device.
func (s service) containers() int { return min(max(s.GetScale(), 0), 1000) }

// networks lists the keys of the networks that enabled services use, sorted:
// Compose neither creates nor looks for others.
func networks(s *compose.Stack) []string {
	used := map[string]bool{}
	for _, c := range s.Project.Services {
		for key := range c.Networks {
			used[key] = true
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Project.Networks)), func(key string) bool { return !used[key] })
}

// volumes lists the keys of the volumes that enabled services use, sorted.
func volumes(s *compose.Stack) []string {
	used := map[string]bool{}
	for _, c := range s.Project.Services {
		for _, v := range c.Volumes {
			used[v.Source] = used[v.Source] || v.Type == types.VolumeTypeVolume
		}
	}
	return slices.DeleteFunc(slices.Sorted(maps.Keys(s.Project.Volumes)), func(key string) bool { return !used[key] })
}

// fileOf is a file of a stack, relative to the root.
func fileOf(s *compose.Stack, name string) string { return path.Join("stacks", s.Name, name) }

// repositoryFiles lists the files of a stack that Git tracks and the device
// needs, with those of its folders, each once.
func (h host) repositoryFiles(s *compose.Stack) []string {
	var files []string
	for _, name := range s.Files {
		file := fileOf(s, name)
		if members := h.Tracked.Under(file); len(members) > 0 {
			files = append(files, members...)
		} else {
			files = append(files, file)
		}
	}
	slices.Sort(files)
	return slices.Compact(files)
}

func list(words []string) string { return strings.Join(words, ", ") }

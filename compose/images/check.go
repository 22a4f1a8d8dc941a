package images

import (
	"cmp"
	"fmt"
	"maps"
	"slices"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

// Use is an image that a stack uses, with the places that say so.
type Use struct {
	Reference string
	Places    []compose.Position
}

// Uses lists the images of a stack as one host has it, sorted by reference:
// those of all services that are pulled, also of those that no profile enables.
func Uses(s *compose.Stack) []Use {
	places := map[string][]compose.Position{}
	for _, services := range []types.Services{s.Project.Services, s.Project.DisabledServices} {
		for name, service := range services {
			if Pulled(service) {
				places[service.Image] = append(places[service.Image], s.Place("services", name, "image"))
			}
		}
	}
	return usesOf(places)
}

// Join brings the uses of several hosts together.
func Join(all ...[]Use) []Use {
	places := map[string][]compose.Position{}
	for _, uses := range all {
		for _, u := range uses {
			places[u.Reference] = append(places[u.Reference], u.Places...)
		}
	}
	return usesOf(places)
}

func usesOf(places map[string][]compose.Position) []Use {
	var uses []Use
	for _, reference := range slices.Sorted(maps.Keys(places)) {
		at := places[reference]
		slices.SortFunc(at, byPlace)
		uses = append(uses, Use{reference, slices.Compact(at)})
	}
	return uses
}

func byPlace(a, b compose.Position) int {
	return cmp.Or(cmp.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), cmp.Compare(a.Column, b.Column))
}

// Pulled tells whether a service's image comes from a registry: it is neither
// built nor brought to the machine in another way.
func Pulled(s types.ServiceConfig) bool {
	return s.Image != "" && s.Build == nil && s.PullPolicy != types.PullPolicyNever
}

// Run lists the references that a host pulls for a stack, as its containers name
// them: of the services that it runs, with the digest of the lock where there is
// one, and of built ones the image that was built. They are sorted, and each
// stands there once. built maps services to such images.
func Run(s *compose.Stack, lock Lock, built map[string]string) []string {
	var references []string
	for _, service := range s.Services {
		config := s.Project.Services[service.Name]
		if config.Image == "" && built[service.Name] == "" || config.PullPolicy == types.PullPolicyNever {
			continue // brought to the machine in another way, and perhaps nowhere else
		}
		reference := config.Image
		if image := built[service.Name]; image != "" {
			reference = image
		} else if pinned, locked := lock.Pinned(reference); locked && Pulled(config) {
			reference = pinned
		}
		references = append(references, reference)
	}
	slices.Sort(references)
	return slices.Compact(references)
}

// UsedBy tells whether an entry is among images that are pulled, or of recipes.
func (e Entry) UsedBy(uses []Use, keys []string) bool {
	if e.Build != "" {
		return slices.Contains(keys, e.Build)
	}
	return slices.ContainsFunc(uses, func(u Use) bool { return u.Reference == e.Reference })
}

// PlatformOf is what a registry calls the machines of a Nix system.
func PlatformOf(system string) string {
	return map[string]string{"aarch64-linux": "linux/arm64", "x86_64-linux": "linux/amd64"}[system]
}

// Check compares a stack, as one host has it, with its lock. platform is the
// host's, see PlatformOf. Services that the host does not run are left out.
func Check(s *compose.Stack, lock Lock, platform string) []compose.Finding {
	var findings []compose.Finding
	for name, service := range s.Project.Services {
		if !Pulled(service) {
			continue
		}
		f, wrong := checkService(s.Name, service, lock, platform)
		if wrong {
			f.Stack, f.Service = s.Name, name
			findings = append(findings, f.At(s.Place("services", name, "image")))
		}
	}
	return compose.SortFindings(findings)
}

func checkService(stack string, service types.ServiceConfig, lock Lock, platform string) (f compose.Finding, wrong bool) {
	image := fmt.Sprintf("image %s of service %s", compose.Redact(service.Image), service.Name)
	entry, locked := lock.Find(service.Image)
	if !locked {
		what := "the device would run whatever its tag stands for on that day"
		if DigestOf(service.Image) != "" {
			what = "nobody has looked up its platforms"
		}
		return compose.Finding{
			Code: CodeUnlocked, Severity: compose.Warning, Fix: "pistack lock " + stack,
			Message: fmt.Sprintf("%s is not in %s: %s", image, Path(stack), what),
		}, true
	}
	if digest := DigestOf(service.Image); digest != "" && digest != entry.Digest {
		return compose.Finding{
			Code: CodeConflict, Severity: compose.Error, Fix: "pistack lock --update " + stack,
			Message: fmt.Sprintf("%s names another digest than %s:%d, which has %s", image, Path(stack), entry.Line, entry.Digest),
		}, true
	}
	if problem, fix := platformProblem(service.Platform, entry.Platforms, platform); problem != "" {
		return compose.Finding{Code: CodePlatform, Severity: compose.Error, Message: image + " " + problem, Fix: fix}, true
	}
	return compose.Finding{}, false
}

// Wrong tells why a service's image, as the lock has it, does not run on a
// platform; it is empty when it does, or when the lock does not know.
func (l Lock) Wrong(service types.ServiceConfig, platform string) string {
	entry, locked := l.Find(service.Image)
	if !locked || !Pulled(service) {
		return ""
	}
	problem, _ := platformProblem(service.Platform, entry.Platforms, platform)
	return problem
}

// CheckBuilds compares the built services of a stack, as one host has them, with
// its lock. Whether their files are still those that were built is not looked at.
func CheckBuilds(stack string, builds []Build, lock Lock) []compose.Finding {
	var findings []compose.Finding
	for _, b := range builds {
		if _, locked := lock.Built(b.Recipe.Key(), b.Platform); locked {
			continue
		}
		f := compose.Finding{
			Code: CodeUnbuilt, Severity: compose.Error, Fix: "pistack build " + stack + " --push", Stack: stack, Service: b.Service,
			Message: fmt.Sprintf("service %s is built, and %s has no image of it for %s", b.Service, Path(stack), b.Platform),
		}
		if IsLocal(b.Recipe.Image) {
			f.Fix = "pistack build " + stack
		}
		findings = append(findings, f.At(b.Place))
	}
	return compose.SortFindings(findings)
}

// Unused reports the entries of a stack's lock that none of its images uses.
// uses and keys, of its recipes, have to hold those of every host that runs it.
func Unused(stack string, lock Lock, uses []Use, keys []string) []compose.Finding {
	var findings []compose.Finding
	for _, e := range lock {
		if e.UsedBy(uses, keys) {
			continue
		}
		f := compose.Finding{
			Code: CodeUnused, Severity: compose.Warning, Fix: "pistack lock " + stack,
			Message: fmt.Sprintf("no service uses image %s any more", e.Reference),
		}
		findings = append(findings, f.At(compose.Position{File: Path(stack), Line: e.Line, Column: 1}))
	}
	return findings
}

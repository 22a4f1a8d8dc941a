package images

import (
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"github.com/compose-spec/compose-go/v2/types"

	"pistack/compose"
)

// Builds lists the services of a stack that are built, as one host has them,
// sorted by name. registry is what the fleet says: a prefix, BySSH or nothing;
// platform is the host's, see PlatformOf. The findings are errors, about
// services that are left out.
func Builds(s *compose.Stack, registry, platform string) ([]Build, []compose.Finding) {
	var builds []Build
	var findings []compose.Finding
	for _, name := range slices.Sorted(maps.Keys(s.Project.Services)) {
		config := s.Project.Services[name]
		if config.Build == nil {
			continue
		}
		r := reading{stack: s, service: config, build: *config.Build, registry: registry}
		b := r.read(platform)
		findings = append(findings, r.findings...)
		if len(r.findings) == 0 {
			builds = append(builds, b)
		}
	}
	return builds, compose.SortFindings(findings)
}

// reading is the build section of a service while it is read.
type reading struct {
	stack    *compose.Stack
	service  types.ServiceConfig
	build    types.BuildConfig
	registry string
	findings []compose.Finding
}

// refuse reports what cannot be built, at a key of the build section.
func (r *reading) refuse(code compose.Code, key, fix, format string, args ...any) {
	at := []string{"services", r.service.Name, "build"}
	if key != "" {
		at = append(at, key)
	}
	f := compose.Finding{
		Code: code, Severity: compose.Error, Stack: r.stack.Name, Service: r.service.Name, Fix: fix,
		Message: fmt.Sprintf("service %s: %s", r.service.Name, compose.Redact(fmt.Sprintf(format, args...))),
	}
	r.findings = append(r.findings, f.At(r.stack.Place(at...)))
}

func (r *reading) read(platform string) Build {
	b := Build{Service: r.service.Name, Platform: platform, Place: r.stack.Place("services", r.service.Name, "build")}
	if r.service.Platform != "" {
		b.Platform = spelledOut(r.service.Platform)
	}
	have := []string(r.build.Platforms)
	if len(have) == 0 {
		have = []string{b.Platform}
	}
	if problem, fix := platformProblem(r.service.Platform, have, platform); problem != "" {
		if len(r.build.Platforms) > 0 {
			fix = "add " + b.Platform + " to platforms, or leave platforms out: those of the hosts are built"
		}
		r.refuse(CodePlatform, "platforms", fix, "its image %s", problem)
	}
	b.Recipe = r.recipe()
	b.Means = r.means()
	r.refuseRest()
	return b
}

func (r *reading) recipe() Recipe {
	recipe := Recipe{
		Image: r.name(), Context: r.folder("context", r.build.Context), Inline: r.build.DockerfileInline,
		Target: r.build.Target, Args: map[string]string{}, Labels: r.build.Labels, Folders: map[string]string{}, Pinned: map[string]string{},
		Network: r.build.Network, ShmSize: int64(r.build.ShmSize), SecretIDs: r.secretIDs(),
	}
	if recipe.Inline == "" {
		recipe.Dockerfile = r.dockerfile(recipe.Context)
	}
	for name, value := range r.build.Args {
		if value != nil { // one without is that of the environment, where there is none
			recipe.Args[name] = *value
		}
	}
	for name, source := range r.build.AdditionalContexts {
		switch {
		case pinnedImage.MatchString(source):
			recipe.Pinned[name] = source
		default:
			recipe.Folders[name] = r.folder("additional_contexts", source)
		}
	}
	recipe.ExtraHosts = slices.Sorted(slices.Values(r.build.ExtraHosts.AsList("=")))
	for name, limit := range r.build.Ulimits {
		soft, hard := limit.Soft, limit.Hard
		if limit.Single != 0 {
			soft, hard = limit.Single, limit.Single
		}
		recipe.Ulimits = append(recipe.Ulimits, fmt.Sprintf("%s=%d:%d", name, soft, hard))
	}
	slices.Sort(recipe.Ulimits)
	return recipe
}

// pinnedImage is an additional context that is an image, by its digest.
var pinnedImage = regexp.MustCompile(`^docker-image://[A-Za-z0-9][A-Za-z0-9._:/-]*@sha256:[0-9a-f]{64}$`)

// remote is a context that is not a folder: a URL, a repository on a server, or
// what another builder calls so.
var remote = regexp.MustCompile(`^([a-z][a-z0-9+.-]*:|git@|github\.com/)`)

// folder is a path of the build section, relative to the repository's root.
func (r *reading) folder(key, source string) string {
	if remote.MatchString(source) {
		r.refuse(CodeUnbuildable, key, "put the files into the repository; an image in additional_contexts needs its digest: docker-image://NAME@sha256:…",
			"%s %s is not a folder of this repository, so nobody could tell whether it changed", key, source)
		return ""
	}
	p := path.Join("stacks", r.stack.Name, source)
	if path.IsAbs(source) || strings.HasPrefix(source, "~") || p == ".." || strings.HasPrefix(p, "../") {
		r.refuse(CodeUnbuildable, key, "name a folder of the repository", "%s %s leads out of the repository", key, source)
		return ""
	}
	return p
}

func (r *reading) dockerfile(context string) string {
	name := r.build.Dockerfile
	if name == "" {
		name = "Dockerfile"
	}
	p := path.Join(context, name)
	if path.IsAbs(name) || p == ".." || strings.HasPrefix(p, "../") || remote.MatchString(name) {
		r.refuse(CodeUnbuildable, "dockerfile", "name a file of the repository", "dockerfile %s is not a file of the repository", name)
		return ""
	}
	return p
}

// refuseRest reports what would be lost without a word.
func (r *reading) refuseRest() {
	if r.build.Privileged || len(r.build.Entitlements) > 0 {
		r.refuse(CodeUnbuildable, "privileged", "build such an image elsewhere, and name it in image:", "a build with privileges of the building machine is not made")
	}
	if r.build.Isolation != "" && r.build.Isolation != "default" {
		r.refuse(CodeUnbuildable, "isolation", "leave it out: it is for Windows", "isolation %s is not known", r.build.Isolation)
	}
}

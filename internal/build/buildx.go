package build

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"os/exec"
	"path"
	"slices"
	"strconv"
	"strings"

	"pistack/internal/run"
)

// Settings say how images are built.
type Settings struct {
	Root    string // of the repository
	Builder string // of buildx; empty for the one that the user has chosen
	Cache   Cache
	Force   bool // build although the image is there

	// Line gets what the builder prints, with the image and platform it is about.
	Line func(title, text string)
	// Pushing is told of an image that is going to be uploaded, and gives what to
	// call when that has ended.
	Pushing func(title string) (ended func())
}

// Cache is where the builder keeps its cache between machines.
type Cache string

// NoCache leaves it with the builder; GitHub is GitHub's cache service; InRegistry
// keeps it beside the image, under the tag "cache-PLATFORM". Both want a builder
// that can export a cache: docker buildx create --use.
const (
	NoCache    Cache = ""
	GitHub     Cache = "gha"
	InRegistry Cache = "registry"
)

// flags are those of buildx for a platform of a task.
func (c Cache) flags(t Task, platform string) []string {
	scope := strings.ReplaceAll(platform, "/", "-")
	switch c {
	case GitHub:
		scope = t.Recipe.Image + "-" + scope
		return []string{"--cache-from", "type=gha,scope=" + scope, "--cache-to", "type=gha,mode=max,scope=" + scope}
	case InRegistry:
		ref := t.Recipe.Image + ":cache-" + scope
		return []string{"--cache-from", "type=registry,ref=" + ref, "--cache-to", "type=registry,mode=max,ref=" + ref}
	}
	return nil
}

// command builds one platform of a task and loads it into the engine. Paths begin
// with "./", so that none can be taken for a flag.
func (s Settings) command(t Task, platform string) run.Command {
	r := t.Recipe
	argv := []string{"docker", "buildx", "build", "--load", "--progress", "plain", "--platform", platform, "--tag", t.localTag(platform)}
	add := func(flag string, values ...string) {
		for _, v := range values {
			if v != "" {
				argv = append(argv, flag, v)
			}
		}
	}
	pairs := func(flag string, values map[string]string, prefix string) {
		for _, name := range slices.Sorted(maps.Keys(values)) {
			argv = append(argv, flag, name+"="+prefix+values[name])
		}
	}
	c := run.Command{Dir: s.Root, Env: []string{"BUILDX_NO_DEFAULT_ATTESTATIONS=1"}}
	if r.Inline != "" {
		add("--file", "-")
		c.Stdin = strings.NewReader(r.Inline)
	} else {
		add("--file", "./"+r.Dockerfile)
	}
	add("--builder", s.Builder)
	add("--target", r.Target)
	pairs("--build-arg", r.Args, "")
	pairs("--label", r.Labels, "")
	pairs("--build-context", r.Folders, "./")
	pairs("--build-context", r.Pinned, "")
	add("--network", r.Network)
	if r.Network == "host" {
		add("--allow", "network.host")
	}
	for _, h := range r.ExtraHosts {
		add("--add-host", strings.Replace(h, "=", ":", 1))
	}
	if r.ShmSize > 0 {
		add("--shm-size", fmt.Sprint(r.ShmSize))
	}
	add("--ulimit", r.Ulimits...)
	argv = append(argv, s.means(t)...)
	argv = append(argv, s.Cache.flags(t, platform)...)
	c.Argv = append(argv, "./"+r.Context)
	return c
}

func (s Settings) means(t Task) []string {
	var argv []string
	for flag, values := range map[string][]string{"--cache-from": t.Means.CacheFrom, "--cache-to": t.Means.CacheTo, "--secret": t.Means.Secrets, "--ssh": t.Means.SSH} {
		for _, v := range values {
			argv = append(argv, flag+"="+v)
		}
	}
	slices.Sort(argv)
	if t.Means.NoCache {
		argv = append(argv, "--no-cache")
	}
	if t.Means.Pull {
		argv = append(argv, "--pull")
	}
	return argv
}

// buildOne builds a platform of a task.
func (s Settings) buildOne(ctx context.Context, t Task, platform string) error {
	title := t.Title() + " " + platform
	err := run.Stream(ctx, s.command(t, platform), func(text string) { s.Line(title, text) })
	if err == nil || ctx.Err() != nil {
		return errors.Join(ctx.Err())
	}
	return &Error{Message: fmt.Sprintf("%s: %s: the build failed (%v)", dockerfileOf(t, err), title, err), Err: err, Fix: buildFix(err, platform)}
}

// dockerfileOf is the Dockerfile of a task, with the line that failed where the
// builder said it: of the file it says the last part only. One that stands in a
// Compose file is there.
func dockerfileOf(t Task, err error) string {
	if t.Recipe.Inline != "" {
		return fmt.Sprintf("%s:%d:%d", t.Place.File, t.Place.Line, t.Place.Column)
	}
	file := t.Recipe.Dockerfile
	var failed *run.Error
	if errors.As(err, &failed) {
		for _, line := range failed.Last {
			number, found := strings.CutPrefix(line, path.Base(file)+":")
			if _, err := strconv.Atoi(number); found && err == nil {
				return file + ":" + number
			}
		}
	}
	return file
}

// buildFix is what to do about a build that failed, as far as it can be told.
func buildFix(err error, platform string) string {
	var failed *run.Error
	if !errors.As(err, &failed) {
		return ""
	}
	if errors.Is(failed.Err, exec.ErrNotFound) {
		return failed.Hint()
	}
	said := strings.Join(failed.Last, "\n")
	for text, fix := range map[string]string{
		"exec format error":          "this machine cannot run programs for " + platform + ": install qemu-user-static (binfmt), or use a builder of that platform: docker buildx create --help",
		"unknown command":            "install Docker Buildx: the package is docker-buildx or docker-buildx-plugin",
		"is not a docker command":    "install Docker Buildx: the package is docker-buildx or docker-buildx-plugin",
		"unknown flag: --load":       "install Docker Buildx: the package is docker-buildx or docker-buildx-plugin",
		"Cannot connect to the Dock": "start Docker, or set DOCKER_HOST or docker context use",
		"permission denied while":    "let your user talk to Docker: add it to the group docker, and log in again",
		"Cache export is not supp":   "--cache wants a builder that can export one: docker buildx create --use",
		"no space left on device":    "make room: docker buildx prune, docker image prune",
	} {
		if strings.Contains(said, text) {
			return fix
		}
	}
	return "see the lines above; the command was: " + failed.Command.String()
}

package build

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"strings"

	"pistack/internal/run"
)

// Target is a host that images are copied to, by the user's ssh.
type Target struct {
	Config string // path of the generated ssh_config, which pins the host's key
	Host   string // as that names it
	Sudo   bool   // the ssh user is not root
}

// lostLink is with what ssh ends when its connection fails or is lost.
const lostLink = 255

// remote runs a line of shell on the host. DOCKER there stands for docker.
func (t Target) remote(script string) run.Command {
	docker := "docker"
	if t.Sudo {
		docker = "sudo -n docker"
	}
	return run.Command{Argv: []string{"ssh", "-F", t.Config, t.Host, strings.ReplaceAll(script, "DOCKER", docker)}}
}

// explain says which host it is about, and what it said last.
func (t Target) explain(ctx context.Context, what string, err error) error {
	if err == nil || ctx.Err() != nil {
		return errors.Join(ctx.Err())
	}
	e := &Error{Message: fmt.Sprintf("%s: %s: %v", t.Host, what, err), Err: err}
	var failed *run.Error
	if errors.As(err, &failed) && len(failed.Last) > 0 {
		e.Message += ": " + failed.Last[len(failed.Last)-1]
	}
	switch {
	case strings.Contains(e.Message, "no space left on device"):
		e.Fix = "make room on the host: docker image prune"
	case failed != nil && (failed.Code == lostLink || failed.Code < 0 && failed.Hint() == ""):
		e.Fix = "deploy again once the host can be reached: what it runs was not touched"
	}
	return e
}

// Missing lists those of some local images (see images.LocalName) that a host
// does not have. The name of one holds its id; where the host's engine goes by
// that id as well, the two are compared.
func Missing(ctx context.Context, t Target, names []string) ([]string, error) {
	if len(names) == 0 {
		return nil, nil
	}
	// The engine lists the images that it has; its store says whether their ids are
	// those of their configurations.
	out, err := run.Output(ctx, t.remote(`DOCKER info --format '{{json .DriverStatus}}' && DOCKER image ls --no-trunc --format '{{.Repository}}:{{.Tag}} {{.ID}}'`))
	if err != nil {
		return nil, t.explain(ctx, "its images cannot be listed", err)
	}
	store, list, _ := bytes.Cut(out, []byte("\n"))
	have := map[string]string{}
	for line := range strings.Lines(string(list)) {
		name, id, _ := strings.Cut(strings.TrimSpace(line), " ")
		have[name] = id
	}
	var missing []string
	for _, name := range names {
		id, found := have[name]
		if !found || !isContainerd(store) && id != idOf(name) {
			missing = append(missing, name)
		}
	}
	return missing, nil
}

// isContainerd tells whether an engine keeps images with containerd, from its
// DriverStatus: there an image's id is that of its manifest, which saving and
// loading changes, and what is loaded has to be complete.
func isContainerd(status []byte) bool {
	return bytes.Contains(status, []byte("io.containerd.snapshotter"))
}

// idOf is the id in a local image's name.
func idOf(name string) string {
	_, id, _ := strings.Cut(name, ":")
	return "sha256:" + id
}

// haveLocal tells whether the user's own engine has an image.
func haveLocal(ctx context.Context, name string) (bool, error) {
	out, err := run.Output(ctx, run.Command{Argv: []string{"docker", "image", "ls", "--quiet", "--filter", "reference=" + name}})
	if err != nil {
		return false, dockerError(ctx, err)
	}
	return len(bytes.TrimSpace(out)) > 0, nil
}

// dockerError says what to do about the user's own Docker.
func dockerError(ctx context.Context, err error) error {
	if ctx.Err() != nil {
		return ctx.Err()
	}
	var failed *run.Error
	if !errors.As(err, &failed) {
		return err
	}
	message := err.Error()
	if len(failed.Last) > 0 {
		message += ": " + failed.Last[len(failed.Last)-1]
	}
	return &Error{Message: message, Err: err, Fix: buildFix(err, "")}
}

// layersOf lists the layers of all images of a host, from the bottom up, as
// diff ids joined by spaces; nil when what is loaded there has to be complete.
func layersOf(ctx context.Context, t Target) ([]string, error) {
	// Without --all, Docker since 29 hides images that have a digest and no tag.
	const script = `DOCKER info --format '{{json .DriverStatus}}' && DOCKER image ls --all --no-trunc --quiet | sort -u | xargs -r -n 100 DOCKER image inspect --format '{{json .RootFS.Layers}}'`
	out, err := run.Output(ctx, t.remote(script))
	if err != nil {
		return nil, t.explain(ctx, "its layers cannot be listed", err)
	}
	store, list, _ := bytes.Cut(out, []byte("\n"))
	if isContainerd(store) {
		return nil, nil
	}
	var stacks []string
	for line := range bytes.Lines(list) {
		var layers []string
		if json.Unmarshal(line, &layers) == nil {
			stacks = append(stacks, strings.Join(layers, " "))
		}
	}
	return stacks, nil
}

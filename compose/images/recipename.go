package images

import (
	"fmt"
	"regexp"
	"slices"
	"strings"

	"pistack/compose"
)

// repositoryForm is what Docker and registries take for a repository.
var repositoryForm = regexp.MustCompile(`^([A-Za-z0-9.-]+(:[0-9]{1,5})?/)?[a-z0-9]+([._-]+[a-z0-9]+)*(/[a-z0-9]+([._-]+[a-z0-9]+)*)*$`)

// name is the repository of a built image: that of image:, or the stack's and
// the service's name below the fleet's registry.
func (r *reading) name() string {
	own := strings.ToLower(r.stack.Name + "-" + r.service.Name)
	image := Repository(r.service.Image)
	var name string
	switch {
	case r.registry == BySSH:
		name = LocalRegistry + "/" + own
	case hasRegistry(image):
		name = image
	case r.registry != "" && image != "":
		name = r.registry + "/" + image
	case r.registry != "":
		name = r.registry + "/" + own
	case strings.Contains(image, "/"):
		name = image // of a user of Docker Hub
	default:
		r.refuse(CodeUnbuildable, "", `write into fleet.toml: registry = "ghcr.io/you", or registry = "ssh" to do without one`,
			"it is built, and there is no registry to push the image to")
		return ""
	}
	if !repositoryForm.MatchString(name) || !Valid(name) {
		r.refuse(CodeUnbuildable, "", "give the service image: REGISTRY/NAME in lower case", "%s cannot be the name of an image", name)
	}
	return name
}

// hasRegistry tells whether an image's name begins with a server's, as Docker
// sees it.
func hasRegistry(image string) bool {
	server, _, more := strings.Cut(image, "/")
	return more && (strings.ContainsAny(server, ".:") || server == "localhost")
}

func (r *reading) secretIDs() []string {
	var ids []string
	for _, s := range r.build.Secrets {
		ids = append(ids, secretID(s.Source, s.Target))
	}
	slices.Sort(ids)
	return ids
}

// secretID is how a Dockerfile calls a secret.
func secretID(source, target string) string {
	if target != "" {
		return target
	}
	return source
}

// word is what can be a part of a flag's list: no comma, which would begin
// another part.
var word = regexp.MustCompile(`^[A-Za-z0-9_./-]+$`)

func (r *reading) means() Means {
	m := Means{CacheFrom: r.build.CacheFrom, CacheTo: r.build.CacheTo, NoCache: r.build.NoCache, Pull: r.build.Pull}
	for _, s := range r.build.Secrets {
		id, source := secretID(s.Source, s.Target), r.stack.Project.Secrets[s.Source]
		switch {
		case word.MatchString(id) && word.MatchString(source.Environment):
			m.Secrets = append(m.Secrets, fmt.Sprintf("id=%s,env=%s", id, source.Environment))
		case word.MatchString(id) && word.MatchString(source.File):
			if file := r.folder("secrets", source.File); file != "" {
				m.Secrets = append(m.Secrets, fmt.Sprintf("id=%s,src=%s", id, file))
			}
		default:
			r.refuse(CodeUnbuildable, "secrets", "write environment: NAME at the secret, and set NAME where the image is built",
				"build secret %s comes from neither the environment nor a file", compose.Redact(s.Source))
		}
	}
	for _, key := range r.build.SSH {
		if key.Path != "" {
			r.refuse(CodeUnbuildable, "ssh", "write ssh: [default] and use ssh-agent", "ssh %s names a key of one machine", key.ID)
			continue
		}
		m.SSH = append(m.SSH, key.ID)
	}
	return m
}

package fleet

import (
	"fmt"
	"net/netip"
	"net/url"
	"regexp"
	"slices"
	"strings"
)

// Registry says how image registries are reached, for what the workstation asks
// them. The Docker of a device has settings of its own.
type Registry struct {
	// Images is where built images are pushed to, as in "ghcr.io/you", or BySSH.
	// It may be empty.
	Images string
	// Mirrors maps a registry, as in "docker.io", to those that are asked before
	// it: URLs like "https://mirror.example.org" or "https://example.org/hub".
	Mirrors map[string][]string
	// Insecure are registries, as host or host:port, that are reached by plain
	// http. This machine itself always may.
	Insecure []string
}

// BySSH, in the place of a registry, has built images copied to hosts over ssh.
const BySSH = "ssh"

type registryTable struct {
	Images   string              `toml:"images"`
	Mirrors  map[string][]string `toml:"mirrors"`
	Insecure []string            `toml:"insecure"`
}

var (
	registryName = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$`)
	mirrorPath   = regexp.MustCompile(`^(/[a-z0-9]+([._-]+[a-z0-9]+)*)*/?$`)
)

func (r Registry) validate(doc document) []error {
	var problems []error
	wrong := func(key []string, format string, args ...any) {
		problems = append(problems, doc.problemWithin(key, format, args...))
	}
	if problem := r.imagesProblem(); problem != "" {
		wrong([]string{"registry", "images"}, "registry for images: %q %s", redacted(r.Images), problem)
	}
	for _, host := range r.Insecure {
		if !registryName.MatchString(host) {
			wrong([]string{"registry", "insecure"}, `insecure: %q is not a registry; write "host" or "host:port"`, host)
		}
	}
	for name, mirrors := range r.Mirrors {
		key := []string{"registry", "mirrors", name}
		switch {
		case isHubAlias(name):
			wrong(key, `mirrors: write "docker.io" for %q`, name)
		case !registryName.MatchString(name):
			wrong(key, `mirrors: %q is not a registry; write one like "docker.io" or "ghcr.io"`, name)
		}
		for _, mirror := range mirrors {
			if problem := r.mirrorProblem(mirror); problem != "" {
				wrong(key, "mirrors: %q %s", redacted(mirror), problem)
			}
		}
	}
	return problems
}

// isHubAlias tells of another name of docker.io.
func isHubAlias(name string) bool {
	return name == "index.docker.io" || name == "registry-1.docker.io" || name == "registry.hub.docker.com"
}

// imagesProblem tells what is wrong with the place for built images, or nothing.
func (r Registry) imagesProblem() string {
	if r.Images == "" || r.Images == BySSH {
		return ""
	}
	server, path, _ := strings.Cut(r.Images, "/")
	switch {
	case strings.Contains(r.Images, "://"):
		return `begins with a scheme: write one like "ghcr.io/you"`
	case !registryName.MatchString(server) || !mirrorPath.MatchString("/"+path) || strings.HasSuffix(r.Images, "/"):
		return `is not a registry and a path in lower case: write one like "ghcr.io/you", or "ssh"`
	case !strings.ContainsAny(server, ".:") && server != "localhost":
		return fmt.Sprintf(`names no server: write "docker.io/%s" for Docker Hub`, r.Images)
	}
	return ""
}

// mirrorProblem tells what is wrong with a mirror's URL, or nothing.
func (r Registry) mirrorProblem(mirror string) string {
	u, err := url.Parse(mirror)
	switch {
	case err != nil || u.Scheme != "https" && u.Scheme != "http" || !registryName.MatchString(u.Host):
		return `is not the URL of a registry; write one like "https://mirror.example.org"`
	case u.User != nil:
		return "holds credentials, which do not belong into the repository: use docker login " + u.Host
	case u.RawQuery != "" || u.Fragment != "" || !mirrorPath.MatchString(u.Path):
		return "has more than a host and a path in lower case"
	case u.Scheme == "http" && !isThisMachine(u.Hostname()) && !slices.Contains(r.Insecure, u.Host):
		return fmt.Sprintf("is not encrypted: write https, or list %q under insecure", u.Host)
	}
	return ""
}

func isThisMachine(host string) bool {
	ip, err := netip.ParseAddr(host)
	return host == "localhost" || err == nil && ip.IsLoopback()
}

// redacted is a URL without the password that somebody may have put there.
func redacted(text string) string {
	if u, err := url.Parse(text); err == nil {
		return u.Redacted()
	}
	_, after, found := strings.Cut(text, "@")
	if found {
		return "…@" + after
	}
	return text
}

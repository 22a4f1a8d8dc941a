package images

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"slices"
	"strings"

	"pistack/compose"
)

// BySSH, in the place of a registry, says that built images are copied to hosts
// over ssh. They are named below LocalRegistry, which no name server knows: no
// stranger can serve an image of that name.
const (
	BySSH         = "ssh"
	LocalRegistry = "pistack.invalid"
)

// Recipe is what an image is built from, as far as the Compose file says it.
// Paths are relative to the repository's root. What it leaves out, such as where
// to cache, does not change the image.
type Recipe struct {
	Image      string            `json:"image"`   // repository, without a tag: "ghcr.io/me/chat-web"
	Context    string            `json:"context"` // folder: "stacks/chat/app"
	Dockerfile string            `json:"dockerfile,omitempty"`
	Inline     string            `json:"inline,omitempty"` // text of the Dockerfile, instead
	Target     string            `json:"target,omitempty"`
	Args       map[string]string `json:"args,omitempty"`
	Labels     map[string]string `json:"labels,omitempty"`
	Folders    map[string]string `json:"folders,omitempty"` // additional contexts: name to folder
	Pinned     map[string]string `json:"pinned,omitempty"`  // additional contexts: name to docker-image://…@sha256:…
	Network    string            `json:"network,omitempty"`
	ExtraHosts []string          `json:"extra_hosts,omitempty"` // name=address, sorted
	ShmSize    int64             `json:"shm_size,omitempty"`    // bytes
	Ulimits    []string          `json:"ulimits,omitempty"`     // name=soft:hard, sorted
	SecretIDs  []string          `json:"secret_ids,omitempty"`  // sorted
}

// Key names a recipe: 16 hex digits. A lock file says by it which of its images
// was built for a service.
func (r Recipe) Key() string {
	text, err := json.Marshal(r)
	if err != nil {
		return "" // cannot be: it holds texts and numbers
	}
	sum := sha256.Sum256(text)
	return hex.EncodeToString(sum[:8])
}

// Means are what a build uses that does not change its image.
type Means struct {
	CacheFrom []string `json:"cache_from,omitempty"`
	CacheTo   []string `json:"cache_to,omitempty"`
	Secrets   []string `json:"secrets,omitempty"` // id=X,env=NAME or id=X,src=FILE: where they are, never what they are
	SSH       []string `json:"ssh,omitempty"`
	NoCache   bool     `json:"no_cache,omitempty"`
	Pull      bool     `json:"pull,omitempty"`
}

// Build is a service that is built for one host.
type Build struct {
	Service  string           `json:"service"`
	Platform string           `json:"platform"` // the host's, or the one that the service asks for
	Place    compose.Position `json:"place"`
	Recipe   Recipe           `json:"recipe"`
	Means    Means            `json:"means"`
}

// Built finds the image that was built from a recipe for a platform.
func (l Lock) Built(key, platform string) (Entry, bool) {
	i := slices.IndexFunc(l, func(e Entry) bool { return e.Build == key && e.covers(platform) })
	if i < 0 {
		return Entry{}, false
	}
	return l[i], true
}

func (e Entry) covers(platform string) bool { return Covers(e.Platforms, platform) }

// Covers tells whether an image with these platforms has what is asked for.
func Covers(have []string, asked string) bool {
	return slices.ContainsFunc(have, func(p string) bool { return covers(p, asked) })
}

// Runs is the name by which a host of a platform runs a built image: with the
// digest of the index or, of one that is copied over ssh, with its id as the tag.
func (e Entry) Runs(platform string) string {
	if len(e.IDs) == 0 {
		return e.Reference + "@" + e.Digest
	}
	i := slices.IndexFunc(e.Platforms, func(p string) bool { return covers(p, platform) })
	if i < 0 {
		return ""
	}
	return LocalName(e.Reference, e.IDs[i])
}

// LocalName is what an image of an id (sha256:…) is called where it is copied:
// the name holds the whole id, so a name stands for one image only.
func LocalName(reference, id string) string {
	return Repository(reference) + ":" + strings.TrimPrefix(id, "sha256:")
}

// IsLocal tells whether an image comes over ssh, so that nothing can pull it.
func IsLocal(reference string) bool { return strings.HasPrefix(reference, LocalRegistry+"/") }

// Repository is a reference without tag and digest.
func Repository(reference string) string {
	reference, _, _ = strings.Cut(reference, "@")
	if i := strings.LastIndexByte(reference, ':'); i > strings.LastIndexByte(reference, '/') {
		return reference[:i]
	}
	return reference
}

// Override is the image of each built service of a stack, as a host runs it.
func Override(builds []Build, lock Lock) map[string]string {
	names := map[string]string{}
	for _, b := range builds {
		if e, locked := lock.Built(b.Recipe.Key(), b.Platform); locked {
			names[b.Service] = e.Runs(b.Platform)
		}
	}
	return names
}

// Keys lists the recipes of builds, sorted.
func Keys(builds []Build) []string {
	var keys []string
	for _, b := range builds {
		keys = append(keys, b.Recipe.Key())
	}
	slices.Sort(keys)
	return slices.Compact(keys)
}

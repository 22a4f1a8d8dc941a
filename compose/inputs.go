package compose

import (
	"crypto/sha256"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
)

// inputs collects what makes a service's container stale although Compose sees
// no change: values of secrets, and content of files that it mounts.
type inputs struct {
	Secrets map[string]string `json:"secrets,omitempty"` // name to value version
	Files   map[string]string `json:"files,omitempty"`   // path below the root to content hash
	Configs map[string]string `json:"configs,omitempty"` // inline config to content hash
}

func newInputs(names []string, versions map[string]string) *inputs {
	in := &inputs{Secrets: map[string]string{}, Files: map[string]string{}, Configs: map[string]string{}}
	for _, n := range names {
		in.secret(n, versions[n])
	}
	return in
}

var errNotRegular = errors.New("is not a regular file: a symlink would point elsewhere on the device")

func (in *inputs) secret(name, version string) { in.Secrets[name] = version }

func (in *inputs) inline(name, content string) {
	sum := sha256.Sum256([]byte(content))
	in.Configs[name] = hex.EncodeToString(sum[:])
}

// file adds a regular file: its content, and whether it can be executed, which
// is all that Git and Nix keep of a file's mode.
func (in *inputs) file(repository fs.FS, name string) error {
	info, err := fs.Lstat(repository, name)
	if err != nil {
		return plain(err)
	}
	if !info.Mode().IsRegular() {
		return errNotRegular
	}
	f, err := repository.Open(name)
	if err != nil {
		return plain(err)
	}
	defer f.Close()
	h := sha256.New()
	n, err := io.Copy(h, io.LimitReader(f, maxHashed+1))
	if err != nil {
		return plain(err)
	}
	if n > maxHashed {
		return errors.New("is larger than 64 MiB: too large for configuration")
	}
	in.Files[name] = fmt.Sprintf("%t:%x", info.Mode()&0o111 != 0, h.Sum(nil))
	return nil
}

// Parts are what a service's Inputs is a hash of.
type Parts struct {
	Secrets map[string]string // name to value version
	Files   map[string]string // path below the repository's root to a hash of content and mode
	Configs map[string]string // inline config to a hash of its content
}

// Parts of a service that the stack has; of any other they are empty. They are
// shared: do not change them.
func (s *Stack) Parts(service string) Parts {
	in := s.inputs[service]
	if in == nil {
		return Parts{}
	}
	return Parts{Secrets: in.Secrets, Files: in.Files, Configs: in.Configs}
}

// hash is 64 hex digits. JSON sorts the keys of maps, so it depends on nothing
// but the inputs.
func (in *inputs) hash() string {
	data, err := json.Marshal(in)
	if err != nil {
		panic(err) // maps of strings always marshal
	}
	sum := sha256.Sum256(data)
	return hex.EncodeToString(sum[:])
}

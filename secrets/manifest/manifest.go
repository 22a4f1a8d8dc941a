// Package manifest is the contract between the NixOS module and the installer
// on the device: a JSON file in the Nix store that says which secrets to
// decrypt and which files to make of them. modules/manifest.nix writes it.
//
// Reading is strict: an unknown key, a newer schema, a path that leaves its
// folder or a secret that is not declared are errors, and all are reported.
// The package has no dependencies, so that anything may read a manifest.
package manifest

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"path"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// Schema is the version of the format that this package reads.
const Schema = 2

// MaxSize bounds a manifest, in bytes; one with 1,000 secrets has 300 KiB.
const MaxSize = 16 << 20

// Manifest says what a device's secrets are and where they go.
type Manifest struct {
	Schema   int       `json:"schema"`
	Host     string    `json:"host"`     // whose secrets these are, as their headers name it
	HostKeys []string  `json:"hostKeys"` // absolute paths of private ssh keys, tried in turn
	Root     string    `json:"root"`     // mount point of a ramfs, absolute
	Secrets  []Secret  `json:"secrets"`
	Files    []File    `json:"files"`
	EnvFiles []EnvFile `json:"envFiles"`
	Logins   []Login   `json:"logins"` // of private registries, for Docker's command line
}

// Secret is an encrypted file to open.
type Secret struct {
	Name    string `json:"name"`
	File    string `json:"file"`    // absolute path, in the Nix store
	Version string `json:"version"` // value version that its header must carry
}

// File is a file to write with the value of one secret.
type File struct {
	Secret string `json:"secret"`
	Path   string `json:"path"` // below the generation's folder: secrets/… or stacks/…
	Mode   Mode   `json:"mode"`
	UID    int    `json:"uid"`
	GID    int    `json:"gid"`
}

// EnvFile is an env file for Docker Compose to write, with one line a secret.
type EnvFile struct {
	Path    string   `json:"path"` // below the generation's folder: env/…
	Secrets []string `json:"secrets"`
}

// Login is a private registry and the secret, user:token, that it lets in.
type Login struct {
	Registry string `json:"registry"` // host or host:port, or docker.io
	Secret   string `json:"secret"`
}

// Mode is a file's permission bits, written as an octal string: "0400".
type Mode uint32

// UnmarshalJSON reads three or four octal digits; special bits are refused.
func (m *Mode) UnmarshalJSON(data []byte) error {
	var s string
	if err := json.Unmarshal(data, &s); err != nil {
		return fmt.Errorf("mode %s is not a string", data)
	}
	bits, err := strconv.ParseUint(s, 8, 32)
	if err != nil || len(s) < 3 || len(s) > 4 || bits > 0o777 {
		return fmt.Errorf("mode %q is not of the form \"0400\"", s)
	}
	*m = Mode(bits)
	return nil
}

// MarshalJSON writes the form that UnmarshalJSON reads.
func (m Mode) MarshalJSON() ([]byte, error) { return json.Marshal(fmt.Sprintf("%04o", uint32(m))) }

// Read decodes and validates a manifest.
func Read(r io.Reader) (*Manifest, error) {
	data, err := io.ReadAll(io.LimitReader(r, MaxSize+1))
	if err != nil {
		return nil, err
	}
	if len(data) > MaxSize {
		return nil, errors.New("the manifest is larger than 16 MiB")
	}
	if err := checkSchema(data); err != nil {
		return nil, err
	}
	var m Manifest
	d := json.NewDecoder(bytes.NewReader(data))
	d.DisallowUnknownFields()
	if err := d.Decode(&m); err != nil {
		return nil, fmt.Errorf("the manifest is not valid: %w", err)
	}
	if _, err := d.Token(); err != io.EOF {
		return nil, errors.New("the manifest is followed by something else")
	}
	return &m, m.validate()
}

// checkSchema looks at the version alone first, so that a newer manifest gets
// a message about its age and not about an unknown key.
func checkSchema(data []byte) error {
	var head struct {
		Schema int `json:"schema"`
	}
	if err := json.Unmarshal(data, &head); err != nil {
		return fmt.Errorf("the manifest is not JSON: %w", err)
	}
	if head.Schema != Schema {
		return fmt.Errorf("the manifest has schema %d and this pisec reads schema %d: system and pisec do not belong together", head.Schema, Schema)
	}
	return nil
}

func (m *Manifest) validate() error {
	v := validator{declared: map[string]bool{}, paths: map[string]bool{}, registries: map[string]bool{}}
	v.check(m.Host != "", "host is empty")
	v.check(len(m.HostKeys) > 0, "hostKeys is empty")
	for _, k := range m.HostKeys {
		v.check(path.IsAbs(k), "host key %q is not an absolute path", k)
	}
	v.check(path.IsAbs(m.Root) && path.Clean(m.Root) == m.Root && m.Root != "/", "root %q is not a clean absolute path", m.Root)
	for _, s := range m.Secrets {
		v.secret(s)
	}
	for _, f := range m.Files {
		v.use(f.Path, f.Secret)
		v.path(f.Path, "secrets/", "stacks/")
		v.check(f.UID >= 0 && f.GID >= 0, "%s: uid and gid must not be negative", f.Path)
	}
	for _, e := range m.EnvFiles {
		for _, name := range e.Secrets {
			v.use(e.Path, name)
		}
		v.path(e.Path, "env/")
	}
	for _, l := range m.Logins {
		v.login(l)
	}
	v.nested()
	return errors.Join(v.problems...)
}

type validator struct {
	declared   map[string]bool
	paths      map[string]bool
	registries map[string]bool
	problems   []error
}

func (v *validator) check(ok bool, format string, args ...any) {
	if !ok {
		v.problems = append(v.problems, fmt.Errorf("manifest: "+format, args...))
	}
}

func (v *validator) secret(s Secret) {
	v.check(s.Name != "" && s.Version != "", "secret %q has no name or version", s.Name)
	v.check(!v.declared[s.Name], "secret %s is declared twice", s.Name)
	v.check(path.IsAbs(s.File), "secret %s: file %q is not an absolute path", s.Name, s.File)
	v.declared[s.Name] = true
}

func (v *validator) use(where, name string) {
	v.check(v.declared[name], "%s: secret %q is not declared", where, name)
}

// login refuses what Docker would not look up as a registry.
func (v *validator) login(l Login) {
	v.check(registryForm.MatchString(l.Registry), "logins: %q is not the host, or host:port, of a registry", l.Registry)
	v.check(!v.registries[l.Registry], "logins: registry %s stands there twice", l.Registry)
	v.registries[l.Registry] = true
	v.use("logins: registry "+l.Registry, l.Secret)
}

// registryForm is a DNS name or an address, with or without a port.
var registryForm = regexp.MustCompile(`^([A-Za-z0-9]([A-Za-z0-9.-]*[A-Za-z0-9])?|\[[0-9A-Fa-f:]+\])(:[0-9]{1,5})?$`)

// path refuses what could leave the generation's folder or meet another file.
func (v *validator) path(p string, folders ...string) {
	inside := false
	for _, f := range folders {
		inside = inside || (strings.HasPrefix(p, f) && len(p) > len(f))
	}
	clean := path.Clean(p) == p && !path.IsAbs(p) && !strings.Contains(p, "..") && !strings.ContainsRune(p, 0)
	v.check(inside && clean, "path %q is not a clean path below %s", p, strings.Join(folders, " or "))
	v.check(!v.paths[p], "path %q stands there twice", p)
	v.paths[p] = true
}

// nested refuses a path below another one, which would have to be both file and
// folder.
func (v *validator) nested() {
	for _, p := range slices.Sorted(maps.Keys(v.paths)) {
		for i, c := range p {
			v.check(c != '/' || !v.paths[p[:i]], "path %q is below the file %q", p, p[:i])
		}
	}
}

package fleet

import (
	"io/fs"
	"regexp"
	"slices"
	"strings"
)

// Host is one machine: what its host.toml says.
type Host struct {
	Name    string
	Address string // DNS name or IP address that ssh connects to
	System  string // Nix system: aarch64-linux or x86_64-linux
	Board   string // modules/boards/<board>.nix
	Roles   []string
	Stacks  []string
	Tags    []string
	User    string            // ssh user, root by default
	Port    int               // ssh port, 22 by default
	SSH     SSH               // the same as host.toml says it
	Env     map[string]string // Compose variables of all its stacks; not secret

	Open     []string          // interfaces on which published ports may be reached; "any" for all
	Memory   int64             // RAM in bytes, 0 when host.toml does not say
	Reserved []ReservedPort    // ports of the host's own services, sorted
	Accept   map[string]string // findings that are accepted: code to reason

	// Registries maps a private registry, as in "ghcr.io", to the secret that its
	// Docker logs in with.
	Registries map[string]string

	files fs.FS  // of the repository, to read from
	root  string // of the work tree, to write to
	doc   document
}

type hostFile struct {
	Address string            `toml:"address"`
	System  string            `toml:"system"`
	Board   string            `toml:"board"`
	Roles   []string          `toml:"roles"`
	Stacks  []string          `toml:"stacks"`
	Tags    []string          `toml:"tags"`
	Open    []string          `toml:"open"`
	Memory  string            `toml:"memory"`
	SSH     SSH               `toml:"ssh"`
	Env     map[string]string `toml:"env"`
	Ports   map[string]string `toml:"reserved_ports"`
	Accept  map[string]string `toml:"accept"`
	Logins  map[string]string `toml:"registries"`
	Network networkTable      `toml:"network"` // read by modules/; only checked here
}

// SSH is what host.toml says of the way to a host. What it leaves out, the
// user's own ~/.ssh/config may say.
type SSH struct {
	User string `toml:"user"` // "" when it is not said
	Port int    `toml:"port"` // 0 when it is not said
}

var (
	variableName = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	plainWord    = regexp.MustCompile(`^[A-Za-z0-9][A-Za-z0-9_.-]*$`)
	// An address ends up in ssh_config: no spaces, quotes or leading dash.
	addressForm = regexp.MustCompile(`^[A-Za-z0-9:][A-Za-z0-9:._%-]*$`)
	userForm    = regexp.MustCompile(`^[a-z_][a-z0-9_-]*$`)
)

// Dir is the host's folder, relative to the root, with slashes.
func (h Host) Dir() string { return "hosts/" + h.Name }

// File is the host's host.toml, relative to the root.
func (h Host) File() string { return h.Dir() + "/host.toml" }

// choices are the names that a host.toml can use.
type choices struct {
	stacks, boards, roles []string
	anyBoard, anyRole     bool              // boards and roles are not checked
	systems               map[string]string // of the boards that are pistack's
}

func readHost(files fs.FS, root, name string, known choices) (Host, []error) {
	h := Host{Name: name, files: files, root: root}
	var t hostFile
	doc, problems := readTOML(files, h.File(), &t)
	problems = h.take(doc, t, problems, known)
	return h, problems
}

// take fills in what the file says, and adds to the problems of reading it.
func (h *Host) take(doc document, t hostFile, problems []error, known choices) []error {
	h.Address, h.System, h.Board = t.Address, t.System, t.Board
	h.Roles, h.Stacks, h.Tags, h.Env = t.Roles, t.Stacks, t.Tags, t.Env
	h.SSH, h.User, h.Port = t.SSH, t.SSH.User, t.SSH.Port
	h.Open, h.Accept, h.Registries, h.doc = t.Open, t.Accept, t.Logins, doc
	if h.User == "" {
		h.User = "root"
	}
	if h.Port == 0 {
		h.Port = 22
	}
	if len(problems) == 0 {
		problems = slices.Concat(h.validate(doc, known), h.readTarget(doc, t), t.Network.validate(doc))
	}
	return problems
}

func (h Host) validate(doc document, known choices) []error {
	var problems []error
	wrong := func(key []string, format string, args ...any) {
		problems = append(problems, doc.problem(key, format, args...))
	}
	if !hostName.MatchString(h.Name) {
		wrong(nil, "%q cannot be a host name: use a-z, 0-9 and -, at most 63 characters", h.Name)
	}
	if h.Address == "" {
		wrong([]string{"address"}, `no address: write address = "%s.local" or an IP address`, h.Name)
	} else if strings.Count(h.Address, ":") == 1 { // an IPv6 address has more
		wrong([]string{"address"}, "address %q has a port: write it as port = … below [ssh]", h.Address)
	} else if !addressForm.MatchString(h.Address) {
		wrong([]string{"address"}, "address %q is neither a DNS name nor an IP address", h.Address)
	}
	if !validSystem(h.System) {
		wrong([]string{"system"}, "system is %q: %s", h.System, systemsHelp)
	}
	if h.Port < 1 || h.Port > 65535 {
		wrong([]string{"ssh", "port"}, "port %d is not between 1 and 65535", h.Port)
	}
	if !userForm.MatchString(h.User) {
		wrong([]string{"ssh", "user"}, "user %q is not a user name", h.User)
	}
	h.validateNames(wrong)
	h.validateChoices(wrong, known)
	h.validateEnv(wrong)
	return append(problems, h.validateRegistries(doc)...)
}

func (h Host) validateNames(wrong func([]string, string, ...any)) {
	for key, values := range map[string][]string{"roles": h.Roles, "tags": h.Tags, "stacks": h.Stacks} {
		for i, v := range values {
			if !plainWord.MatchString(v) {
				wrong([]string{key}, "%s: %q is not a plain name", key, v)
			}
			if slices.Contains(values[:i], v) {
				wrong([]string{key}, "%s: %q stands there twice", key, v)
			}
		}
	}
	if h.Board != "" && !plainWord.MatchString(h.Board) {
		wrong([]string{"board"}, "board: %q is not a plain name", h.Board)
	}
}

// validateChoices checks names against the folders that they stand for.
func (h Host) validateChoices(wrong func([]string, string, ...any), known choices) {
	for _, s := range h.Stacks {
		if !slices.Contains(known.stacks, s) {
			wrong([]string{"stacks"}, "no stack %q: stacks/%s/compose.yaml does not exist%s", s, s, didYouMean(s, known.stacks))
		}
	}
	switch {
	case known.anyBoard || h.Board != "" && !plainWord.MatchString(h.Board):
	case h.Board == "":
		wrong([]string{"board"}, "board is missing: there are %s", strings.Join(known.boards, ", "))
	case !slices.Contains(known.boards, h.Board):
		wrong([]string{"board"}, "no board %q%s: there are %s", h.Board, didYouMean(h.Board, known.boards), strings.Join(known.boards, ", "))
	}
	if of, ours := known.systems[h.Board]; ours && validSystem(h.System) && of != h.System {
		wrong([]string{"system"}, "system is %q, and the board %q is of %q: change one of them", h.System, h.Board, of)
	}
	for _, r := range h.Roles {
		if !known.anyRole && plainWord.MatchString(r) && !slices.Contains(known.roles, r) {
			wrong([]string{"roles"}, "no role %q%s: there are %s", r, didYouMean(r, known.roles), strings.Join(known.roles, ", "))
		}
	}
}

func (h Host) validateEnv(wrong func([]string, string, ...any)) {
	for name, value := range h.Env {
		if !variableName.MatchString(name) {
			wrong([]string{"env", name}, "%q is not a variable name", name)
		}
		if strings.ContainsRune(value, 0) {
			wrong([]string{"env", name}, "the value of %s holds a NUL byte", name)
		}
	}
}

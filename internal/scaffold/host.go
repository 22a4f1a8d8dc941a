package scaffold

import (
	"io/fs"
	"strconv"
	"strings"
)

// Host is what a new host's host.toml says. fleet.CheckHost judges it.
type Host struct {
	Name    string
	Address string
	System  string
	Board   string
	Roles   []string
	Stacks  []string
	Tags    []string
	Open    []string // interfaces; empty leaves the key out
	User    string   // of ssh; "" or root leaves it out
	Port    int      // of ssh; 0 or 22 leaves it out
}

// TOML is the host's host.toml. Lists without an element are left out.
func (h Host) TOML() string {
	var out strings.Builder
	for _, pair := range [][2]string{{"address", h.Address}, {"system", h.System}, {"board", h.Board}} {
		out.WriteString(pair[0] + " = " + quote(pair[1]) + "\n")
	}
	writeList(&out, "roles", h.Roles)
	writeList(&out, "stacks", h.Stacks)
	writeList(&out, "tags", h.Tags)
	if len(h.Open) > 0 {
		out.WriteString("# On which interfaces the ports that stacks publish may be reached.\n")
	}
	writeList(&out, "open", h.Open)
	h.writeSSH(&out)
	return out.String()
}

func (h Host) writeSSH(out *strings.Builder) {
	user, port := h.User != "" && h.User != "root", h.Port != 0 && h.Port != 22
	if user || port {
		out.WriteString("\n[ssh]\n")
	}
	if user {
		out.WriteString("user = " + quote(h.User) + "\n")
	}
	if port {
		out.WriteString("port = " + strconv.Itoa(h.Port) + "\n")
	}
}

func writeList(out *strings.Builder, key string, items []string) {
	if len(items) == 0 {
		return
	}
	quoted := make([]string, len(items))
	for i, item := range items {
		quoted[i] = quote(item)
	}
	out.WriteString(key + " = [" + strings.Join(quoted, ", ") + "]\n")
}

// Files are the host's files. Its name has to be one that fleet.CheckHost takes.
func (h Host) Files() ([]File, error) {
	module, err := fs.ReadFile(embedded, "fleet/"+firstHost+"default.nix")
	if err != nil {
		return nil, err
	}
	dir := "hosts/" + h.Name + "/"
	return []File{{dir + "default.nix", string(module)}, {dir + "host.toml", h.TOML()}}, nil
}

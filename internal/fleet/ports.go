package fleet

import (
	"io/fs"
	"regexp"
	"strconv"
	"strings"
)

// portLine is a variable of an env file that names a port.
var portLine = regexp.MustCompile(`(?m)^[ \t]*(?:export )?[A-Za-z_][A-Za-z0-9_]*PORT=["']?([1-9][0-9]{0,4})["']?[ \t\r]*$`)

// NamedPorts are the ports of hosts that somebody has given away, each with the
// file that says so: variables called …PORT of stacks' .env and of [env], and
// reserved_ports. Only Compose knows all that are published; this is for the
// choice of a new one.
func (f *Fleet) NamedPorts() map[int]string {
	taken := map[int]string{}
	take := func(text, file string) {
		if port, err := strconv.Atoi(text); err == nil && taken[port] == "" {
			taken[port] = file
		}
	}
	for _, stack := range f.Stacks {
		file := "stacks/" + stack + "/.env"
		for _, m := range portLine.FindAllStringSubmatch(f.smallText(file), -1) {
			take(m[1], file)
		}
	}
	for _, h := range f.Hosts {
		for name, value := range h.Env {
			if strings.HasSuffix(name, "PORT") {
				take(value, h.File())
			}
		}
		for _, r := range h.Reserved {
			take(strconv.Itoa(r.Port), h.File())
		}
	}
	return taken
}

// smallText is the text of a file; "" for one that cannot be read, or is too
// large to be of these.
func (f *Fleet) smallText(file string) string {
	info, err := fs.Stat(f.files, file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxTOML {
		return ""
	}
	text, err := fs.ReadFile(f.files, file)
	if err != nil {
		return ""
	}
	return string(text)
}

package disk

import (
	"os"
	"path/filepath"
	"strings"
)

// below finds every device that something stands on. What was found is not looked
// at again, so that it ends, whatever the kernel tells.
type below struct {
	machine Machine
	mounts  []mount
	found   map[string]bool
}

// device takes a device, the disk that it is a part of, those that it is made of,
// and for a loop device those below its file.
func (b below) device(name string) {
	if name == "" || b.found[name] {
		return
	}
	b.found[name] = true
	b.device(b.machine.wholeOf(name))
	for _, s := range b.machine.list(name, "slaves") {
		b.device(s)
	}
	if file := b.machine.attribute(name, "loop/backing_file"); file != "" {
		b.path(strings.TrimSuffix(file, " (deleted)"))
	}
}

// mount takes what a file system is on.
func (b below) mount(m mount) {
	key := "mount " + m.point + " " + m.number
	if b.found[key] {
		return
	}
	b.found[key] = true
	if name, err := b.machine.nameOf(m.number); err == nil {
		b.device(name)
	}
	if strings.HasPrefix(m.source, "/dev/") {
		b.source(m.source)
	}
	if m.kind == "overlay" {
		for _, dir := range layers(m.options) {
			b.path(dir)
		}
	}
}

// source takes a device by its path, and all devices of a btrfs that it is one of.
func (b below) source(path string) {
	name := filepath.Base(path)
	if real, err := filepath.EvalSymlinks(path); err == nil {
		name = filepath.Base(real)
	}
	if _, err := os.Stat(b.machine.block(name)); err != nil {
		return
	}
	b.device(name)
	members, _ := filepath.Glob(filepath.Join(b.machine.Root, "/sys/fs/btrfs/*/devices", name))
	for _, member := range members {
		entries, _ := os.ReadDir(filepath.Dir(member))
		for _, e := range entries {
			b.device(e.Name())
		}
	}
}

// path takes what a file is on: a device, or the file system that holds it.
func (b below) path(path string) {
	if strings.HasPrefix(path, "/dev/") {
		b.source(path)
		return
	}
	longest := -1
	for n, m := range b.mounts {
		inside := m.point == "/" || path == m.point || strings.HasPrefix(path, m.point+"/")
		if inside && (longest < 0 || len(m.point) >= len(b.mounts[longest].point)) {
			longest = n
		}
	}
	if longest >= 0 {
		b.mount(b.mounts[longest])
	}
}

// layers are the folders that an overlay is made of.
func layers(options string) []string {
	var found []string
	for _, o := range strings.Split(options, ",") {
		name, value, _ := strings.Cut(o, "=")
		if name == "upperdir" || name == "lowerdir" || name == "lowerdir+" || name == "datadir+" {
			for _, dir := range strings.Split(value, ":") {
				if dir != "" {
					found = append(found, unescape(dir))
				}
			}
		}
	}
	return found
}

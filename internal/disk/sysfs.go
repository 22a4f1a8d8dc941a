package disk

import (
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

// block is the folder of a device.
func (m Machine) block(name string) string {
	return filepath.Join(m.Root, "/sys/class/block", name)
}

// nameOf finds a device by its number.
func (m Machine) nameOf(number string) (string, error) {
	real, err := filepath.EvalSymlinks(filepath.Join(m.Root, "/sys/dev/block", number))
	return filepath.Base(real), err
}

// maxAttribute bounds a file of sysfs, in bytes: one has at most a page.
const maxAttribute = 4096

// attribute is the content of a file in a device's folder; "" when there is none.
func (m Machine) attribute(name, file string) string {
	f, err := os.Open(filepath.Join(m.block(name), file))
	if err != nil {
		return ""
	}
	defer f.Close()
	text, err := io.ReadAll(io.LimitReader(f, maxAttribute))
	if err != nil {
		return ""
	}
	return strings.TrimSpace(string(text))
}

// wholeOf is the disk that a partition is a part of; another device is its own.
func (m Machine) wholeOf(name string) string {
	if m.attribute(name, "partition") == "" {
		return name
	}
	real, err := filepath.EvalSymlinks(m.block(name))
	if err != nil {
		return name
	}
	return filepath.Base(filepath.Dir(real))
}

// list is the names in a folder of a device's.
func (m Machine) list(name, folder string) []string {
	entries, _ := os.ReadDir(filepath.Join(m.block(name), folder)) // none where there is no folder
	var names []string
	for _, e := range entries {
		names = append(names, e.Name())
	}
	return names
}

// above lists the devices that stand on a disk or its partitions.
func (m Machine) above(name string) []string {
	names := m.list(name, "holders")
	for _, entry := range m.list(name, ".") {
		if m.attribute(entry, "partition") != "" && m.wholeOf(entry) == name {
			names = append(names, m.list(entry, "holders")...)
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

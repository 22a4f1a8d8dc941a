package disk

import (
	"bufio"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"

	"golang.org/x/sys/unix"
)

// mount is a line of mountinfo (proc_pid_mountinfo(5)).
type mount struct {
	number  string // of the device, "8:2"; "0:…" for what has none
	point   string
	kind    string
	source  string
	options string
}

// number is that of a device file.
func number(st *syscall.Stat_t) string {
	return fmt.Sprintf("%d:%d", unix.Major(uint64(st.Rdev)), unix.Minor(uint64(st.Rdev)))
}

// mounts lists what is mounted here, and, where that can be seen, what is for the
// first process: this one may be in a container.
func (m Machine) mounts() ([]mount, error) {
	own, err := readMounts(filepath.Join(m.Root, "/proc/self/mountinfo"))
	if err != nil {
		return nil, err
	}
	if first, err := readMounts(filepath.Join(m.Root, "/proc/1/mountinfo")); err == nil {
		for _, mount := range first {
			if !slices.Contains(own, mount) {
				own = append(own, mount)
			}
		}
	}
	return own, nil
}

func readMounts(path string) ([]mount, error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, err
	}
	defer f.Close()
	var found []mount
	lines := bufio.NewScanner(f)
	lines.Buffer(nil, 1<<20)
	for lines.Scan() {
		if mount, ok := parseMount(lines.Text()); ok {
			found = append(found, mount)
		}
	}
	return found, lines.Err()
}

func parseMount(line string) (mount, bool) {
	front, back, ok := strings.Cut(line, " - ")
	first, last := strings.Fields(front), strings.Fields(back)
	if !ok || len(first) < 6 || len(last) < 2 {
		return mount{}, false
	}
	m := mount{number: first[2], point: unescape(first[4]), kind: last[0], source: unescape(last[1])}
	if len(last) > 2 {
		m.options = last[2]
	}
	return m, true
}

// unescape undoes how the kernel writes spaces, tabs, line breaks and backslashes.
func unescape(text string) string {
	return strings.NewReplacer(`\040`, " ", `\011`, "\t", `\012`, "\n", `\134`, `\`).Replace(text)
}

// needs tells whether a machine cannot do without what is mounted there.
func needs(point string) bool {
	switch point {
	case "/", "/nix", "/nix/store", "/usr", "/etc", "/var", "/var/lib", "/boot":
		return true
	}
	return strings.HasPrefix(point, "/boot/")
}

// use fills in what a disk is used for.
func (m Machine) use(d *Device) error {
	mounts, err := m.mounts()
	if err != nil {
		return err
	}
	for _, mount := range mounts {
		b := below{machine: m, mounts: mounts, found: map[string]bool{}}
		b.mount(mount)
		if !b.found[d.Name] {
			continue
		}
		if needs(mount.point) && d.System == "" {
			d.System = mount.point
		}
		if !slices.Contains(d.Mounts, mount.point) {
			d.Mounts = append(d.Mounts, mount.point)
		}
	}
	if m.swapsOn(d.Name, mounts) && d.System == "" {
		d.System = "swap"
	}
	d.Above = m.above(d.Name)
	return nil
}

// swapsOn tells whether a disk has swap, in whatever is above it.
func (m Machine) swapsOn(name string, mounts []mount) bool {
	f, err := os.Open(filepath.Join(m.Root, "/proc/swaps"))
	if err != nil {
		return false
	}
	defer f.Close()
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) == 0 || !strings.HasPrefix(fields[0], "/") {
			continue
		}
		b := below{machine: m, mounts: mounts, found: map[string]bool{}}
		b.path(unescape(fields[0]))
		if b.found[name] {
			return true
		}
	}
	return false
}

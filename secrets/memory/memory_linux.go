package memory

import (
	"bufio"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
)

// Magic numbers of statfs(2).
const (
	ramfsMagic = 0x858458f6
	tmpfsMagic = 0x01021994
)

// Of tells what dir is on.
func Of(dir string) (Kind, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return Disk, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	switch uint32(st.Type) {
	case ramfsMagic:
		return Pinned, nil
	case tmpfsMagic:
		if slices.Contains(mountOptions(dir), "noswap") {
			return Pinned, nil
		}
		return Swapped, nil
	}
	return Disk, nil
}

// mountOptions are those of the file system that holds dir: of the longest mount
// point that is a prefix of its real path, the last one mounted there
// (proc_pid_mountinfo(5)).
func mountOptions(dir string) []string {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return nil
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return nil
	}
	defer f.Close()
	longest, options := -1, ""
	for lines := bufio.NewScanner(f); lines.Scan(); {
		fields := strings.Fields(lines.Text())
		if len(fields) < 10 {
			continue
		}
		point := fields[4]
		inside := point == "/" || real == point || strings.HasPrefix(real, point+"/")
		if inside && len(point) >= longest {
			longest, options = len(point), fields[len(fields)-1]
		}
	}
	return strings.Split(options, ",")
}

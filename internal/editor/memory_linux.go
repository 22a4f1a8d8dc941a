package editor

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

func memoryOf(dir string) (memory, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return onDisk, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	switch uint32(st.Type) {
	case ramfsMagic:
		return pinned, nil
	case tmpfsMagic:
		if slices.Contains(mountOptions(dir), "noswap") {
			return pinned, nil
		}
		return swapped, nil
	}
	return onDisk, nil
}

// mountOptions are those of the file system that holds dir: of the longest mount
// point that is a prefix of its real path (proc_pid_mountinfo(5)).
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

func noMemory(problems []string) error {
	return &Refusal{
		Message: "there is no folder in memory to edit in: " + strings.Join(problems, "; "),
		Fix:     "mount one: mount -t tmpfs -o mode=1777 tmpfs /dev/shm, or edit in a pipe: pisec show HOST NAME | sed … | pisec add --replace HOST NAME",
	}
}

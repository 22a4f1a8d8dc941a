package install

import (
	"bufio"
	"os"
	"path/filepath"
	"strings"
	"syscall"
)

// Magic numbers of statfs(2).
const (
	ramfsMagic = 0x858458f6
	tmpfsMagic = 0x01021994
)

func storageOf(dir string) (storage, error) {
	var st syscall.Statfs_t
	if err := syscall.Statfs(dir, &st); err != nil {
		return onDisk, &os.PathError{Op: "statfs", Path: dir, Err: err}
	}
	switch uint32(st.Type) {
	case ramfsMagic:
		return inMemory, nil
	case tmpfsMagic:
		if neverSwapped(dir) {
			return inMemory, nil
		}
		return inSwappedMemory, nil
	}
	return onDisk, nil
}

// neverSwapped looks for "noswap" among the options of the mount that holds
// dir: the longest mount point that is a prefix of its real path, the last one
// mounted there (proc_pid_mountinfo(5)).
func neverSwapped(dir string) bool {
	real, err := filepath.EvalSymlinks(dir)
	if err != nil {
		return false
	}
	f, err := os.Open("/proc/self/mountinfo")
	if err != nil {
		return false
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
	for _, o := range strings.Split(options, ",") {
		if o == "noswap" {
			return true
		}
	}
	return false
}

func ownedBy(info os.FileInfo, uid, gid int) bool {
	st, ok := info.Sys().(*syscall.Stat_t)
	return ok && int(st.Uid) == uid && int(st.Gid) == gid
}

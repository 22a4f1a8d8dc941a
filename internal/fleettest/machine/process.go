//go:build linux

package main

import (
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"syscall"
)

// process is one of this machine's.
type process struct {
	pid, parent int
	name        string
}

func processes() []process {
	entries, _ := os.ReadDir("/proc")
	var all []process
	for _, e := range entries {
		if p, ok := processOf(e.Name()); ok {
			all = append(all, p)
		}
	}
	return all
}

func processOf(pid string) (process, bool) {
	number, err := strconv.Atoi(pid)
	if err != nil {
		return process{}, false
	}
	data, err := os.ReadFile("/proc/" + pid + "/stat")
	if err != nil {
		return process{}, false
	}
	begin, end := strings.IndexByte(string(data), '('), strings.LastIndexByte(string(data), ')')
	rest := strings.Fields(string(data[end+1:]))
	parent, err := strconv.Atoi(rest[1])
	return process{number, parent, string(data[begin+1 : end])}, err == nil && rest[0] != "Z"
}

// cutConnections kills every sshd but the one that listens.
func cutConnections() {
	for _, p := range processes() {
		if strings.HasPrefix(p.name, "sshd") && !p.listens() {
			_ = syscall.Kill(p.pid, syscall.SIGKILL)
		}
	}
}

// listens tells whether this is the sshd that takes new connections: init's own
// child, unless that was killed and its children are init's now.
func (p process) listens() bool {
	line, _ := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", p.pid))
	return p.parent == 1 && strings.Contains(string(line), "/usr/sbin/sshd")
}

// killSession kills the shells and the sshd above this process, up to the sshd
// that listens: from above, so that nobody is told of a death below.
func killSession() {
	all := map[int]process{}
	for _, p := range processes() {
		all[p.pid] = p
	}
	chain := []int{os.Getpid()}
	for p := all[os.Getppid()]; p.pid > 1 && p.parent != 1; p = all[p.parent] {
		chain = append(chain, p.pid)
	}
	for _, pid := range slices.Backward(chain) {
		_ = syscall.Kill(pid, syscall.SIGKILL)
	}
}

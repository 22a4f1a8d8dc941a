package nix

import (
	"os"
	"strconv"
	"strings"
)

// evalMemory is what an evaluation of a host takes, in bytes, with some to spare.
const evalMemory = 2 << 30

// EvalJobs is how many evaluations this machine has memory and cores for at
// once, at least one.
func EvalJobs(cores int) int {
	text, err := os.ReadFile("/proc/meminfo")
	if err != nil {
		return min(cores, 2) // not Linux: the system does not say it as simply
	}
	return evalJobs(string(text), cores)
}

func evalJobs(meminfo string, cores int) int {
	for line := range strings.Lines(meminfo) {
		fields := strings.Fields(line)
		if len(fields) < 2 || fields[0] != "MemAvailable:" {
			continue
		}
		if kib, err := strconv.ParseInt(fields[1], 10, 64); err == nil {
			return int(max(1, min(int64(cores), kib<<10/evalMemory)))
		}
	}
	return 1
}

package main

import (
	"fmt"
	"os/exec"
	"syscall"
	"time"
)

// timed runs a command to its end, which must be good, and tells how long that
// took. Its resources are in cmd.ProcessState.
func timed(cmd *exec.Cmd, goodStatus ...int) (time.Duration, error) {
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := time.Since(start)
	for _, status := range goodStatus {
		if cmd.ProcessState != nil && cmd.ProcessState.ExitCode() == status {
			return took, nil
		}
	}
	if err != nil {
		return took, fmt.Errorf("%s: %w\n%s", cmd, err, out[:min(len(out), 2000)])
	}
	return took, nil
}

// best is the shortest of n measurements: what others do on the machine can only
// make one longer.
func best(n int, measure func() (time.Duration, error)) (time.Duration, error) {
	shortest := time.Duration(1<<63 - 1)
	for range n {
		took, err := measure()
		if err != nil {
			return 0, err
		}
		shortest = min(shortest, took)
	}
	return shortest, nil
}

// peak is the most memory that an ended command had, in KiB.
func peak(cmd *exec.Cmd) int64 {
	if usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage); ok {
		return int64(usage.Maxrss)
	}
	return 0
}

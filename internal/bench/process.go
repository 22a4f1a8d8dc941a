package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// timed runs a command to its end, which must be good, and tells how long that
// took.
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
	took, err := takeTurns(n, []contestant{{"pisec", measure}})
	if err != nil {
		return 0, err
	}
	return took[0], nil
}

// contestant is one of several that do the same.
type contestant struct {
	name string
	run  func() (time.Duration, error)
}

// takeTurns is best for several: each in turn, n times.
func takeTurns(n int, all []contestant) ([]time.Duration, error) {
	shortest := make([]time.Duration, len(all))
	for round := range n {
		for i, c := range all {
			took, err := c.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if round == 0 || took < shortest[i] {
				shortest[i] = took
			}
		}
	}
	return shortest, nil
}

// peakArgument makes this command run the rest of its arguments, and print the
// most memory that this process had, in KiB.
const peakArgument = "peak"

// peak runs a command and tells the most memory that it had, in KiB. The kernel
// counts what the process that starts it has, too, since they share it for a
// moment: a small one is in between.
func peak(cmd *exec.Cmd) (int64, error) {
	self, err := os.Executable()
	if err != nil {
		return 0, err
	}
	out, err := exec.Command(self, append([]string{peakArgument}, cmd.Args...)...).Output()
	if err != nil {
		return 0, fmt.Errorf("%s: %w", cmd, err)
	}
	return strconv.ParseInt(strings.TrimSpace(string(out)), 10, 64)
}

// printPeak is the process in between.
func printPeak(args []string) error {
	cmd := exec.Command(args[0], args[1:]...)
	if _, err := timed(cmd); err != nil {
		return err
	}
	usage, ok := cmd.ProcessState.SysUsage().(*syscall.Rusage)
	if !ok {
		return errors.New("this system does not tell")
	}
	_, err := fmt.Println(usage.Maxrss)
	return err
}

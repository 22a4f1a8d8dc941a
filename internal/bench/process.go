package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"time"
)

// cost is how long something took, and the processor time that it and its
// children had, which another load on the machine changes less.
type cost struct{ wall, cpu time.Duration }

// timed runs a command to its end, which must be good.
func timed(cmd *exec.Cmd, goodStatus ...int) (cost, error) {
	start := time.Now()
	out, err := cmd.CombinedOutput()
	took := cost{wall: time.Since(start)}
	if cmd.ProcessState != nil {
		took.cpu = cmd.ProcessState.UserTime() + cmd.ProcessState.SystemTime()
		if slices.Contains(goodStatus, cmd.ProcessState.ExitCode()) {
			return took, nil
		}
	}
	if err != nil {
		return took, fmt.Errorf("%s: %w\n%s", cmd, err, out[:min(len(out), 2000)])
	}
	return took, nil
}

// ownProcessors is the processor time that this process has had.
func ownProcessors() time.Duration {
	var usage syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &usage); err != nil {
		return 0 // no such call fails
	}
	return time.Duration(usage.Utime.Nano() + usage.Stime.Nano())
}

// contestant is one of several that do the same.
type contestant struct {
	name string
	run  func() (cost, error)
}

// takeTurns runs each in turn, n times, and tells the least that each took: what
// others do on the machine can only make it more.
func takeTurns(n int, all []contestant) ([]cost, error) {
	least := make([]cost, len(all))
	for round := range n {
		for i, c := range all {
			took, err := c.run()
			if err != nil {
				return nil, fmt.Errorf("%s: %w", c.name, err)
			}
			if round == 0 {
				least[i] = took
			}
			least[i] = cost{min(least[i].wall, took.wall), min(least[i].cpu, took.cpu)}
		}
	}
	return least, nil
}

// best is takeTurns for one.
func best(n int, run func() (cost, error)) (cost, error) {
	took, err := takeTurns(n, []contestant{{"pisec", run}})
	if err != nil {
		return cost{}, err
	}
	return took[0], nil
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

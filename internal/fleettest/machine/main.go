//go:build linux

// Command machine is every program that package fleettest puts on the PATH of a
// machine, and the process that is the machine's init: what it is called says
// which. State is in /fleettest, and real are the shell, coreutils and sshd.
package main

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"pistack/internal/fleettest/model"
)

func main() {
	name := filepath.Base(os.Args[0])
	if name == "fleettest-init" {
		check(boot(os.Args[1], os.Args[2:]))
		return
	}
	if name == "fleettest-workstation" {
		check(workstation(os.Args[1], os.Args[2:]))
		return
	}
	if name == "fleettest-timer" {
		check(waitForTimer(os.Args[1], os.Args[2]))
		return
	}
	os.Exit(faulty(name, os.Args[1:], func() int { return program(name, os.Args[1:]) }))
}

func check(err error) {
	if err != nil {
		fmt.Fprintln(os.Stderr, "fleettest:", err)
		os.Exit(70)
	}
}

// program is a call that goes as it should.
func program(name string, args []string) int {
	switch name {
	case "systemctl":
		return systemctl(args)
	case "systemd-run":
		return systemdRun(args)
	case "timedatectl":
		return timedatectl()
	case "journalctl":
		return journalctl(args)
	case "docker":
		return docker(args)
	case "nix-store":
		return nixStore(args)
	case "nix-env":
		return nixEnv(args)
	case "switch-to-configuration":
		return switchToConfiguration(args)
	case "sudo":
		return sudo(args)
	case "nix":
		return nix(args)
	case "nix-copy-closure":
		return nixCopyClosure(args)
	case "nixos-rebuild":
		return nixosRebuild(args)
	}
	return say(70, "fleettest: %s is not a program of this machine", name)
}

// say prints a line to standard error and gives an exit status back.
func say(code int, format string, args ...any) int {
	fmt.Fprintf(os.Stderr, format+"\n", args...)
	return code
}

// faulty records a call, and makes it go as the faults say.
func faulty(name string, args []string, work func() int) int {
	record(name, args)
	fault := nextFault(name, strings.Join(args, " "))
	if fault == nil {
		return work()
	}
	code := 0
	if fault.After {
		code = work()
	}
	write(fault.Output)
	time.Sleep(fault.Delay)
	if fault.Stderr != "" {
		fmt.Fprintln(os.Stderr, fault.Stderr)
	}
	if fault.Cut {
		cutConnections()
	}
	if fault.Kill {
		killSession()
	}
	if fault.Dies {
		_ = syscall.Kill(os.Getpid(), syscall.SIGKILL)
		time.Sleep(time.Hour)
	}
	for fault.Hang { // select would be a deadlock, of which Go tells
		time.Sleep(time.Hour)
	}
	if fault.Exit != 0 {
		return fault.Exit
	}
	if !fault.After {
		code = work()
	}
	return code
}

// write fills standard error with as many bytes.
func write(size int64) {
	out := bufio.NewWriterSize(os.Stderr, 1<<16)
	for line := 1; size > 0; line++ {
		n, err := fmt.Fprintf(out, "%09d%90s\n", line, "")
		if err != nil {
			return // nobody reads on
		}
		size -= int64(n)
	}
	_ = out.Flush()
}

func record(name string, args []string) {
	file, err := os.OpenFile(filepath.Join(model.Inside, model.CallsFile), os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	check(err)
	defer file.Close()
	line, err := json.Marshal(model.Call{Program: name, Args: args, Time: time.Now()})
	check(err)
	_, err = file.Write(append(line, '\n'))
	check(err)
}

// nextFault finds what befalls a call, and counts it.
func nextFault(name, args string) (found *model.Fault) {
	if _, err := os.Stat(filepath.Join(model.Inside, model.FaultsFile)); err != nil {
		return nil
	}
	check(model.Lock(model.Inside, model.FaultsFile, func(all *[]model.Fault) error {
		for i := range *all {
			f := &(*all)[i]
			if f.Program != name || !strings.Contains(args, f.Args) || f.Times < 0 {
				continue
			}
			if f.Skip > 0 {
				f.Skip--
				continue
			}
			copied := *f
			found = &copied
			if f.Times == 1 {
				f.Times = -1 // used up
			} else if f.Times > 1 {
				f.Times--
			}
			return nil
		}
		return nil
	}))
	return found
}

func state(change func(*model.State) error) { check(model.Update(model.Inside, change)) }

// sudo runs a command as it is: who called it has logged in as somebody else only
// by name.
func sudo(args []string) int {
	if len(args) < 2 || args[0] != "-n" {
		return say(1, "sudo: a password is required")
	}
	return runHere(args[1:], nil)
}

// runHere runs a command with this process's streams.
func runHere(argv, env []string) int {
	cmd := exec.Command(argv[0], argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	if env != nil {
		cmd.Env = env
	}
	return status(cmd.Run())
}

// status is the exit status of a child, as a shell gives it.
func status(err error) int {
	var exit *exec.ExitError
	switch {
	case err == nil:
		return 0
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode()
	case errors.As(err, &exit):
		return 143
	}
	return say(127, "%v", err)
}

//go:build linux

package main

import (
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"pistack/internal/fleettest/model"
)

// systemdRun knows the options that pistack and nixos-rebuild give it.
func systemdRun(args []string) int {
	name, delay := "", ""
	service := model.Service{}
	wait := true
	for len(args) > 0 && strings.HasPrefix(args[0], "-") {
		option, value, _ := strings.Cut(args[0], "=")
		switch option {
		case "-E":
			value, args = args[1], args[1:]
			service.Env = append(service.Env, value+"="+os.Getenv(value))
		case "--setenv":
			service.Env = append(service.Env, value)
		case "--unit":
			name = value
		case "--on-active":
			delay = value
		case "--no-block":
			wait = false
		case "--collect":
			service.Collect = true
		case "--quiet", "--pipe", "--no-ask-password", "--service-type", "--property", "--timer-property", "--description":
		default:
			return say(1, "systemd-run: unrecognized option '%s'", args[0])
		}
		args = args[1:]
	}
	service.Argv = args
	if !load(name, delay, service) {
		return say(1, "Failed to start transient service unit: Unit %s.service was already loaded or has a fragment file.", name)
	}
	switch {
	case delay != "":
		return detach("fleettest-timer", "timer", name)
	case !wait:
		return detach("fleettest-timer", "service", name)
	}
	return serviceOf(name, service)
}

// load makes the transient units known.
func load(name, delay string, service model.Service) bool {
	ok := false
	state(func(s *model.State) error {
		if _, taken := s.Services[name]; taken || s.Units[name+".service"].State != "" {
			return nil
		}
		ok = true
		s.Services[name] = service
		if delay == "" {
			s.Units[name+".service"] = model.Unit{State: "activating"}
			return nil
		}
		seconds, err := strconv.ParseFloat(delay, 64)
		check(err)
		s.Timers[name] = model.Timer{Seconds: seconds, Deadline: deadline(seconds), Service: service}
		s.Units[name+".timer"] = model.Unit{State: "active"}
		return nil
	})
	return ok
}

func deadline(seconds float64) time.Time {
	scale, err := strconv.ParseFloat(readWord(model.ScaleFile), 64)
	if err != nil {
		scale = 1
	}
	return time.Now().Add(time.Duration(seconds * scale * float64(time.Second)))
}

// detach starts this program under another name, as init's child.
func detach(name string, args ...string) int {
	cmd := exec.Command(filepath.Join(model.Inside, "bin", name), args...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	check(cmd.Start())
	return 0
}

// waitForTimer is what systemd does for a timer, or for a service that nobody
// waits for.
func waitForTimer(what, name string) error {
	if what == "service" {
		var service model.Service
		state(func(s *model.State) error { service = s.Services[name]; return nil })
		serviceOf(name, service)
		return nil
	}
	for over, elapsed := false, false; ; time.Sleep(tick) {
		if over, elapsed = lookAtTimer(name); !over {
			continue
		}
		if elapsed {
			var service model.Service
			state(func(s *model.State) error { service = s.Services[name]; return nil })
			serviceOf(name, service)
		}
		return nil
	}
}

// lookAtTimer tells whether a timer is over, and whether its service is to be
// started: it is not when somebody stopped the timer, or started the service.
func lookAtTimer(name string) (over, elapsed bool) {
	state(func(s *model.State) error {
		timer, ok := s.Timers[name]
		if over = !ok; over || time.Now().Before(timer.Deadline) {
			return nil
		}
		over, elapsed = true, s.Units[name+".service"].State == ""
		delete(s.Timers, name)
		delete(s.Units, name+".timer")
		if elapsed {
			s.Units[name+".service"] = model.Unit{State: "activating"}
		}
		return nil
	})
	return over, elapsed
}

// serviceOf runs a transient service to its end, and forgets it.
func serviceOf(name string, service model.Service) int {
	unit := name + ".service"
	cmd := exec.Command(service.Argv[0], service.Argv[1:]...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.Env = append([]string{"PATH=" + filepath.Join(model.Inside, "bin") + ":/usr/bin:/bin"}, service.Env...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	err := cmd.Start()
	if err == nil {
		state(func(s *model.State) error {
			s.Units[unit] = model.Unit{State: "activating", Pid: cmd.Process.Pid}
			return nil
		})
		err = cmd.Wait()
	}
	code := status(err)
	state(func(s *model.State) error {
		delete(s.Units, unit)
		if _, again := s.Timers[name]; !again {
			delete(s.Services, name)
		}
		if code != 0 && !service.Collect {
			s.Units[unit] = model.Unit{State: "failed"}
		}
		return nil
	})
	return code
}

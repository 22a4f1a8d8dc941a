//go:build linux

package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
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

func systemctl(args []string) int {
	var words, properties []string
	noBlock := false
	for _, a := range args {
		switch {
		case a == "--no-block":
			noBlock = true
		case strings.HasPrefix(a, "--property="):
			properties = append(properties, strings.TrimPrefix(a, "--property="))
		case !strings.HasPrefix(a, "-"):
			words = append(words, a)
		}
	}
	if len(words) == 0 {
		return say(1, "systemctl: no verb")
	}
	switch verb, units := words[0], words[1:]; verb {
	case "list-units":
		return listFailed()
	case "show":
		return show(units[0], properties[0])
	case "is-active":
		if stateOf(units[0]) == "active" {
			return 0
		}
		return 3
	case "start":
		return start(units[0], noBlock)
	case "stop":
		return stop(units[0])
	case "restart":
		return restart(units[0])
	case "reboot":
		check(os.WriteFile(filepath.Join(model.Inside, model.RebootFile), []byte("50ms"), 0o600))
		return 0
	case "is-system-running":
		fmt.Println("running")
		return 0
	case "daemon-reload", "reset-failed":
		return 0
	}
	return say(1, "systemctl: Unknown command verb %s.", words[0])
}

func listFailed() int {
	var failed []string
	state(func(s *model.State) error {
		for name, unit := range s.Units {
			if unit.State == "failed" {
				failed = append(failed, name)
			}
		}
		return nil
	})
	slices.Sort(failed)
	for _, name := range failed {
		fmt.Printf("%s loaded failed failed Something that failed\n", name)
	}
	return 0
}

func stateOf(unit string) (active string) {
	state(func(s *model.State) error { active = s.Units[unit].State; return nil })
	if active == "" {
		return "inactive"
	}
	return active
}

func show(unit, property string) int {
	switch property {
	case "ActiveState":
		fmt.Println(stateOf(unit))
	case "LoadState":
		loaded := "not-found"
		state(func(s *model.State) error {
			name := strings.TrimSuffix(unit, ".service")
			if _, ok := s.Services[name]; ok || s.Units[unit].State != "" {
				loaded = "loaded"
			}
			return nil
		})
		fmt.Println(loaded)
	case "Job":
		fmt.Println()
	}
	return 0
}

func start(unit string, noBlock bool) int {
	name := strings.TrimSuffix(unit, ".service")
	var service model.Service
	found, running := false, false
	state(func(s *model.State) error {
		service, found = s.Services[name]
		if running = s.Units[unit].State == "activating"; found && !running {
			s.Units[unit] = model.Unit{State: "activating"}
		}
		return nil
	})
	switch {
	case !found:
		return say(5, "Failed to start %s: Unit %s not found.", unit, unit)
	case running:
		return 0
	case noBlock:
		return detach("fleettest-timer", "service", name)
	}
	return serviceOf(name, service)
}

// stop ends a service's processes, or a timer.
func stop(unit string) int {
	var pid int
	found := false
	state(func(s *model.State) error {
		name := strings.TrimSuffix(unit, ".timer")
		if _, ok := s.Timers[name]; ok && name != unit {
			found = true
			delete(s.Timers, name)
			delete(s.Units, unit)
			if s.Units[name+".service"].State == "" {
				delete(s.Services, name)
			}
			return nil
		}
		pid = s.Units[unit].Pid
		found = found || s.Units[unit].State != ""
		return nil
	})
	if !found {
		return say(5, "Failed to stop %s: Unit %s not loaded.", unit, unit)
	}
	if pid == 0 {
		return 0
	}
	_ = syscall.Kill(-pid, syscall.SIGTERM)
	for i := 0; stateOf(unit) == "activating"; i++ {
		if i == 100 {
			_ = syscall.Kill(-pid, syscall.SIGKILL)
		}
		time.Sleep(tick)
	}
	return 0
}

// restart is of the timer: its deadline starts anew.
func restart(unit string) int {
	name := strings.TrimSuffix(unit, ".timer")
	found := false
	state(func(s *model.State) error {
		timer, ok := s.Timers[name]
		if found = ok; !ok {
			return nil
		}
		timer.Deadline = deadline(timer.Seconds)
		s.Timers[name] = timer
		return nil
	})
	if !found {
		return say(5, "Failed to restart %s: Unit %s not found.", unit, unit)
	}
	return 0
}

func timedatectl() int {
	answer := "yes"
	state(func(s *model.State) error {
		if s.NoClock {
			answer = "no"
		}
		return nil
	})
	fmt.Println(answer)
	return 0
}

func journalctl(args []string) int {
	i := slices.Index(args, "--unit")
	if i < 0 || i+1 == len(args) {
		return say(1, "journalctl: --unit is missing")
	}
	fmt.Printf("Starting %s...\n%s: something went wrong\n", args[i+1], args[i+1])
	return 0
}

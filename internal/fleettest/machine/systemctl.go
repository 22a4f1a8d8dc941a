//go:build linux

package main

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"pistack/internal/fleettest/model"
)

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

// Package model is what the stand-in programs of package fleettest and a test
// share: the state of one machine, in a file, and what its systems do.
package model

import (
	"crypto/sha256"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"
)

// System is what a system is made of and how it behaves. It lies as system.json in
// its store path.
type System struct {
	Name       string                   // after "nixos-system-"
	Units      map[string]string        // name → text, below etc/systemd/system
	Etc        map[string]string        `json:",omitempty"` // name → text, below etc
	Containers []Container              // that run when it is active
	Failed     []string                 // units that fail when it is active
	Kernel     string                   // another one needs a reboot
	Exit       map[string]int           // action → exit status of its switch-to-configuration; a failed unit gives 4 by itself
	Takes      map[string]time.Duration // action → how long it takes, at least
	Early      map[string]int           // action → exit status with which it ends before it changes anything, as a pre-switch check does
	CutsLink   bool                     // nobody reaches the machine while it is active
	Deaf       bool                     // no new connection is let in while it is active; those that are open stay
	Says       []string                 // lines that every action prints
	Images     []string                 // that its stacks want, listed in etc/pistack/images
	Size       int64                    // bytes that Nix says it takes; 0: one MiB
}

// Path is the store path that a system has.
func Path(s System) string {
	text, err := json.Marshal(s)
	if err != nil {
		panic(err) // it is made of strings and numbers
	}
	// A digest of the content, in Nix's alphabet, more or less.
	sum := sha256.Sum256(text)
	return fmt.Sprintf("/nix/store/%x-nixos-system-%s", sum[:16], s.Name)
}

// Container is one of Docker's.
type Container struct {
	Project, Service, Name, ID, Image string
	State, Health                     string // empty: running, and no healthcheck
	ExitCode, Restarts                int
	Restart                           string `json:",omitempty"` // restart policy; empty: unless-stopped
	Log                               []string
}

// Unit is what systemd knows of a unit.
type Unit struct {
	State string // activating, active, inactive, failed
	Pid   int    // process group of a service that runs
}

// Timer is a transient timer and the service that it starts.
type Timer struct {
	Seconds  float64
	Deadline time.Time
	Service  Service
}

// Service is a transient service.
type Service struct {
	Argv    []string
	Env     []string
	Collect bool
}

// State is one machine.
type State struct {
	Units      map[string]Unit
	Timers     map[string]Timer
	Services   map[string]Service // loaded, by name without ".service"
	Containers []Container
	Images     []string
	Absent     []string // images that no registry has
	Boots      int
	Default    string // what switch-to-configuration boot wrote last
	NoDocker   bool
	NoClock    bool // not synchronised
}

// Fault is something that goes wrong, once or more often.
type Fault struct {
	Program string // whose call it befalls
	Args    string // that its arguments hold, joined by spaces; empty: any
	Skip    int    // calls that go well before
	Times   int    // how often; 0: always
	After   bool   // the program does its work first
	Exit    int    // exit status; 0: the program's own
	Stderr  string
	Delay   time.Duration
	Hang    bool  // it never ends
	Output  int64 // bytes that it writes to standard error first, in lines of 100
	Dies    bool  // the program dies of a signal
	Cut     bool  // every connection to the machine breaks
	Kill    bool  // the program's own session breaks and the rest of the script is never run
}

// Call is a call of a stand-in.
type Call struct {
	Program string
	Args    []string
	Time    time.Time
}

// Files are in a machine's folder, which is /fleettest inside.
const (
	Inside     = "/fleettest"
	StateFile  = "state.json"
	FaultsFile = "faults.json"
	CallsFile  = "calls.jsonl"
	ScaleFile  = "scale"       // how long a second of a timer is, in seconds
	LinkFile   = "link"        // "up", "down", or "deaf": no new connections
	RebootFile = "reboot"      // there while a reboot is wanted
	WantedFile = "wanted.json" // on a workstation: the system of each host, by name
)

// Lock calls change with what a JSON file holds, and keeps what it made of that.
// Nobody else does so at the same time.
func Lock[T any](dir, file string, change func(*T) error) error {
	guard, err := os.OpenFile(filepath.Join(dir, file+".lock"), os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return err
	}
	defer guard.Close()
	if err := syscall.Flock(int(guard.Fd()), syscall.LOCK_EX); err != nil {
		return err
	}
	var value T
	path := filepath.Join(dir, file)
	data, err := os.ReadFile(path)
	if err == nil {
		err = json.Unmarshal(data, &value)
	}
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	if err := change(&value); err != nil {
		return err
	}
	after, err := json.Marshal(value)
	if err != nil || string(after) == string(data) {
		return err
	}
	if err := os.WriteFile(path+".new", after, 0o600); err != nil {
		return err
	}
	return os.Rename(path+".new", path)
}

// Update changes a machine's state.
func Update(dir string, change func(*State) error) error {
	return Lock(dir, StateFile, func(s *State) error {
		if s.Units == nil {
			s.Units, s.Timers, s.Services = map[string]Unit{}, map[string]Timer{}, map[string]Service{}
		}
		return change(s)
	})
}

// SystemOf reads what the system at a path is.
func SystemOf(path string) (System, error) {
	var s System
	data, err := os.ReadFile(filepath.Join(path, "system.json"))
	if err != nil {
		return s, err
	}
	return s, json.Unmarshal(data, &s)
}

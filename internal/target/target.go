// Package target is what is asked of one machine, and done to it, during a
// deploy: each a POSIX shell script (folder script) that one ssh session runs.
//
// What a run needs on the machine is in one folder that only root reads,
// /run/pistack-deploy, so that a reboot clears it: the lock, and what the
// dead-man timer needs to bring the machine back to exactly the systems that it
// ran and that its profile named before. Answers are lines "key<TAB>value" below
// a first line with the version, and are read strictly.
package target

import (
	"context"
	"errors"
	"fmt"
	"time"

	"pistack/internal/remote"
)

// Shell runs scripts on machines; *remote.Connections is one.
type Shell interface {
	Run(ctx context.Context, call remote.Call) ([]byte, error)
}

// Machine is one machine of the fleet.
type Machine struct {
	shell Shell
	host  string
}

// New is a machine by its name in the fleet. Nothing is asked of it yet.
func New(shell Shell, host string) Machine { return Machine{shell, host} }

// Host is the machine's name in the fleet.
func (m Machine) Host() string { return m.host }

// Why a run cannot go on. Errors of Machine wrap them.
var (
	ErrLockLost = errors.New("the lock is no longer this run's")
	ErrFired    = errors.New("rolled back: the undo timer fired before")
	ErrNotArmed = errors.New("no undo of this run is armed")
	ErrPending  = errors.New("an undo of an earlier run is not over")
)

// Owner is who holds a machine's lock.
type Owner struct {
	ID       string // of the run; letters, digits and "-"
	User     string
	From     string // the workstation
	Revision string // Git's
	Dirty    bool   // with changes that are not committed
	Since    time.Time
}

// Held is a lock that another run holds.
type Held struct {
	Host  string
	Owner Owner
}

func (e *Held) Error() string {
	by := e.Owner.User
	if e.Owner.From != "" {
		by += " from " + e.Owner.From
	}
	return fmt.Sprintf("%s: locked by %s since %s", e.Host, by, e.Owner.Since.UTC().Format(time.RFC3339))
}

// Hint says what to do next.
func (e *Held) Hint() string {
	return "wait for that run with --lock-wait; if it is dead: pistack unlock " + e.Host
}

// State is what a machine says of itself. Paths are store paths, empty where the
// machine has none.
type State struct {
	Hostname string
	Arch     string // as uname -m says: aarch64
	Kernel   string // release that runs
	BootID   string // another after every boot
	Now      time.Time
	Uptime   time.Duration

	Running    string // system that is active
	Booted     string // system that was booted
	Profile    string // system that the next boot takes
	Generation int    // number of the profile's generation; 0 for none

	StoreFree  int64    // bytes for the Nix store
	DockerFree int64    // bytes for images
	Failed     []string // units, sorted
	Lock       *Owner   // nil when free
	Undo       string   // "", "armed", "fired" (running), "done" or "failed" (finished)
	UndoID     string   // run whose undo that is

	Reboot       bool   // kernel, initrd or modules of Running are not those that were booted
	BootedKernel string // store path
	Receipt      []byte // of the last deploy; nil for none
}

// Before is what an undo goes back to.
type Before struct {
	Running    string
	Profile    string
	Generation int
	Failed     []string
}

// Outcome is how an undo ended.
type Outcome struct {
	Status  int // of the old system's switch-to-configuration; 0 and 4: it is active
	Running string
	Profile string
	Failed  []string
	Log     []string // last lines
}

// Health is how the units and containers of a machine are.
type Health struct {
	Failed     []string // units, sorted
	Containers []Container
	Changed    []string // stacks that differ between two systems
}

// Container is a container of a stack.
type Container struct {
	Stack    string // Compose project
	Service  string
	Name     string
	ID       string
	Image    string
	State    string // running, exited, restarting, …
	Health   string // healthy, unhealthy, starting; empty without healthcheck
	ExitCode int
	Restarts int
}

// Generation is an entry of the system profile.
type Generation struct {
	Number  int
	Path    string
	Date    time.Time
	Current bool
}

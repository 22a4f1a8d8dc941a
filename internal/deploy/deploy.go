// Package deploy brings chosen hosts to what the repository says.
//
// # Plan, show, apply
//
// [Run.Plan] asks the machines, evaluates and builds their systems, and returns
// a value that says what would happen. [Run.Apply] carries that value out. What
// happens on the way is told as events; the package prints nothing.
//
// # Why a machine is never left in between
//
// The order of the steps is the argument:
//
//  1. Copy the system and pull its images, while nothing changes yet.
//  2. Lock all chosen machines, in name order, so that two deploys never wait
//     for each other.
//  3. Arm the dead-man timer on the machine. It knows the exact store paths of
//     the running system and of the profile, and returns to both unless it is
//     renewed; every renewal is a new connection, so it proves the link.
//  4. nixos-rebuild test: the new system runs, the profile is the old one, and
//     so a reboot would be a return, too.
//  5. Gate: no unit failed that had not failed before, and every container of a
//     changed stack stays up and healthy for a while.
//  6. nixos-rebuild switch: the profile follows.
//  7. Disarm. A rename on the machine decides whether this or the timer came
//     first; when it was the timer, the deploy was rolled back, and says so.
//
// Whatever fails from 4 to 7 runs the same undo at once that the timer would
// have run. An end that is not understood is never guessed at: the machine is
// asked. When the workstation dies, the timer does the rest.
package deploy

import (
	"context"
	"sync"
	"time"

	"pistack/internal/fleet"
	"pistack/internal/target"
)

// Options is how a run goes about it.
type Options struct {
	Action    Action
	NoGate    bool          // nixos-rebuild alone: no timer, no gate, no undo
	Parallel  int           // hosts that are worked on at once
	EvalJobs  int           // evaluations at once
	Canary    string        // the first wave: a host, or a number of hosts; "" for one wave of all
	KeepGoing bool          // a wave that failed does not end the run
	LockWait  time.Duration // for a lock that somebody else holds
	Timing    Timing
}

// Run is one run of a deploy. Its methods are for one goroutine.
type Run struct {
	ID      string       // unguessable; names the locks
	Owner   target.Owner // what a lock says to others; ID is set from Run.ID
	Options Options
	Nix     Nix
	Machine func(host string) Machine
	Sudo    func(host string) bool // the ssh user is not root
	// Connect connects to a machine that is asked soon, unless that is done; nil where
	// it takes no time.
	Connect func(ctx context.Context, host string)
	Deliver Delivery // nil where all images come from registries
	// ImageSize tells how much there is to fetch, in bytes, 0 when that is not
	// known; nil when nobody is to be asked.
	ImageSize func(ctx context.Context, h fleet.Host, reference string) int64
	// Surveyed is told, before anything is built, what each host runs and is to run;
	// nil when nobody wants to know. It does not keep what it is given.
	Surveyed func(hosts []HostPlan)
	// Ready tells why nothing may be deployed. Plan calls it while the hosts are
	// asked what they run, and evaluates none before; nil for no reason.
	Ready    func(ctx context.Context) error
	Sink     func(Event) // called by one goroutine at a time
	Archive  Archive
	Revision string // commit of the repository
	Dirty    bool   // the work tree differs from it
	// Repository tells what of that is a host's; nil where that is not asked: then
	// all of it is, and no receipt is renewed.
	Repository Repository

	mu sync.Mutex // around Sink
}

// Warn tells something that concerns the whole run.
func (r *Run) Warn(text string) { r.event(Event{Kind: Warning, Text: text}) }

// event passes an event on.
func (r *Run) event(e Event) {
	r.mu.Lock()
	defer r.mu.Unlock()
	e.Time = time.Now()
	r.Sink(e)
}

// lines gives a function that tells lines of a child as events of a phase.
func (r *Run) lines(host string, phase Phase) func(string) {
	log := r.Archive.Log(host)
	return func(text string) {
		log(text)
		r.event(Event{Host: host, Kind: Line, Phase: phase, Text: text})
	}
}

package deploy

import "time"

// Phase is what a host, or the run as a whole, is at. They come in this order;
// Undo takes the place of all that would come after a gate that failed.
type Phase string

const (
	Preflight Phase = "preflight" // is it the pinned machine, and fit for a deploy
	Evaluate  Phase = "evaluate"  // which system the repository says
	Build     Phase = "build"     // of all chosen hosts, at once
	Copy      Phase = "copy"      // the system, to the machine's store
	Pull      Phase = "pull"      // images, while everything still runs
	Lock      Phase = "lock"      // on the machine, against other deploys
	Activate  Phase = "activate"  // dead-man timer armed, then nixos-rebuild test
	Gate      Phase = "gate"      // units and containers stay healthy, seen over new connections
	Commit    Phase = "commit"    // nixos-rebuild switch: the next boot finds the same system
	Undo      Phase = "undo"      // back to exactly what ran before
	Record    Phase = "record"    // timer disarmed, receipt written, lock released
)

// Kind says what an Event tells.
type Kind string

const (
	Begun    Kind = "begun"    // Phase begins
	Line     Kind = "line"     // a child process wrote Text
	Warning  Kind = "warning"  // Text, and the deploy goes on
	Finished Kind = "finished" // Result is final
)

// Event is something that happened in a run. Events of one host come in order;
// those of several hosts are mixed, and never overlap: a sink is called by one
// goroutine at a time.
type Event struct {
	Time   time.Time
	Host   string // "" for what concerns all hosts
	Kind   Kind
	Phase  Phase
	Text   string  // of Line and Warning
	Result *Result // of Finished
}

// Outcome is how a host came out of a run.
type Outcome string

const (
	Unchanged   Outcome = "unchanged"   // it ran the system already
	Recorded    Outcome = "recorded"    // so it did, and its receipt names this commit now
	Deployed    Outcome = "deployed"    // it runs the new system, and boots it
	Staged      Outcome = "staged"      // it boots the new system, and still runs the old one
	Tested      Outcome = "tested"      // it runs the new system until it reboots
	Dry         Outcome = "dry"         // it said what it would do
	Degraded    Outcome = "degraded"    // the new system is in place, a step of that failed, and nothing guarded it
	Refused     Outcome = "refused"     // nothing was changed on it
	RolledBack  Outcome = "rolled back" // it is back on exactly what it ran before
	Unknown     Outcome = "unknown"     // what it runs could not be read, or is neither old nor new
	NotReached  Outcome = "not reached" // an earlier wave failed, or the run was interrupted before
	Interrupted Outcome = "interrupted" // by a signal, before anything was changed on it
)

// Good tells whether nothing is left to do or to worry about.
func (o Outcome) Good() bool {
	switch o {
	case Unchanged, Recorded, Deployed, Staged, Tested, Dry:
		return true
	}
	return false
}

// Result is what became of a host.
type Result struct {
	Host       string
	Outcome    Outcome
	Phase      Phase    // the last one that began
	Err        error    // why the outcome is not a good one; may have a Hint
	Old, New   string   // systems, as store paths; New is empty when it was never known
	Generation int      // of New in the machine's system profile; 0 when it has none
	Warnings   []string // of the whole way
	Last       []string // what the failing unit, container or command said last
	Log        string   // file with all output of the host's child processes; "" when there was none
	Begun      time.Time
	Ended      time.Time
}

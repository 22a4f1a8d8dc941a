// Package status tells whether hosts are what they should be. It compares what a
// machine says of itself (the system that runs, that was booted, and that its
// profile names, its containers, its lock), the receipt of the last deploy, and
// the work tree.
//
// [Judge] is a pure function of these. [Watch] looks again and again. Nothing is
// changed on a machine, and no lock is taken: a status works while a deploy does.
package status

import (
	"time"

	"pistack/internal/deploy"
	"pistack/internal/fleet"
	"pistack/internal/target"
)

// Code names what was found. The order below is that of importance: the first one
// that a host has is its verdict.
type Code string

const (
	Unreachable   Code = "unreachable"        // it could not be asked
	UndoPending   Code = "undo pending"       // the dead-man timer of a deploy is armed, or at work
	Deploying     Code = "deploy in progress" // somebody has the lock
	NeverDeployed Code = "never deployed"     // by pistack: it has no receipt
	ByHand        Code = "changed by hand"    // it runs or boots a system that the last deploy did not leave
	Drifted       Code = "drifted"            // containers are not as the running system says
	Failed        Code = "failed units"       // systemd's
	Behind        Code = "behind"             // commits were not deployed
	NotCommitted  Code = "not committed"      // what runs, or what would be deployed, is in no commit
	NeedsReboot   Code = "needs reboot"       // kernel, initrd or modules that run are not those of the system
	InSync        Code = "in sync"            // none of the above
	Note          Code = "note"               // worth knowing; it changes no verdict
)

// order is that of importance.
func order() []Code {
	return []Code{Unreachable, UndoPending, Deploying, NeverDeployed, ByHand, Drifted, Failed, Behind, NotCommitted, NeedsReboot}
}

// Finding is something that was found.
type Finding struct {
	Code Code
	Text string
	Fix  string // what to type; may be empty
}

// Facts are all that is known of a host.
type Facts struct {
	Host   fleet.Host
	Err    error         // why the machine could not be asked; Survey is empty then
	Survey target.Survey // what it said
	Work   Work          // the repository
	Now    time.Time
}

// Host is what became clear of a host.
type Host struct {
	Facts
	Verdict  Code
	Findings []Finding       // the most important ones first
	Receipt  *deploy.Receipt // nil for none, or one that could not be read
}

// InSync tells whether there is nothing to do.
func (h Host) InSync() bool { return h.Verdict == InSync }

// Report is the status of some hosts, in name order.
type Report struct {
	Time  time.Time
	Hosts []Host
}

// InSync tells whether there is nothing to do at any host.
func (r Report) InSync() bool {
	for _, h := range r.Hosts {
		if !h.InSync() {
			return false
		}
	}
	return true
}

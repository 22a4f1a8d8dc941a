package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"pistack/internal/fleet"
	"pistack/internal/target"
)

// Error is a deploy that did not happen or did not succeed.
type Error struct {
	Message string
	Fix     string
	Err     error
}

func (e *Error) Error() string { return e.Message }
func (e *Error) Unwrap() error { return e.Err }

// Hint says what to do next; the command line prints it below the error.
func (e *Error) Hint() string { return e.Fix }

const (
	clockWarning = time.Minute
	clockError   = 10 * time.Minute // certificates and signatures begin to fail
	leastFree    = 64 << 20         // bytes that any deploy needs
)

// fit tells why nothing should be deployed to a machine in that state, and what
// is worth a warning.
func fit(h fleet.Host, s target.State, now time.Time) (problem error, warnings []string) {
	if want := strings.TrimSuffix(h.System, "-linux"); s.Arch != want {
		return &Error{
			Message: fmt.Sprintf("%s: system is %q, but the machine says it is %q", h.File(), h.System, s.Arch),
			Fix:     "correct system in host.toml, or address if this is another machine",
		}, nil
	}
	if underWay(s.Undo) && !held(s) {
		return undoPending(h.Name), nil
	}
	off := s.Now.Sub(now).Abs()
	switch {
	case off > clockError:
		return &Error{
			Message: fmt.Sprintf("%s: its clock is off by %s", h.Name, off.Round(time.Second)),
			Fix:     "wait until the machine has the time from the network (timedatectl there), or correct the clock of this workstation",
		}, nil
	case off > clockWarning:
		warnings = append(warnings, fmt.Sprintf("its clock is off by %s", off.Round(time.Second)))
	}
	if s.StoreFree >= 0 && s.StoreFree < leastFree {
		return noSpace(h.Name, "/nix/store", leastFree, s.StoreFree), nil
	}
	if s.Hostname != h.Name {
		warnings = append(warnings, fmt.Sprintf("it calls itself %q until the new system runs", s.Hostname))
	}
	if len(s.Failed) > 0 {
		warnings = append(warnings, "units that have failed already: "+strings.Join(s.Failed, ", "))
	}
	return nil, warnings
}

// held tells whether the undo is that of a run which still has the lock. Whoever
// waits for the lock waits for both, and looks again once it has it.
func held(s target.State) bool { return s.Lock != nil && s.Lock.ID == s.UndoID }

// undoPending is the error for a machine that an earlier run is bringing back.
func undoPending(host string) error {
	return &Error{
		Message: host + ": an earlier deploy that did not end is about to be undone on it",
		Fix:     fmt.Sprintf("wait until it is (pistack status %s), or have it done now: pistack unlock %s", host, host),
	}
}

func noSpace(host, where string, need, free int64) error {
	return &Error{
		Message: fmt.Sprintf("%s: %s has %d MiB free, and the deploy needs %d MiB", host, where, free>>20, (need+1<<20-1)>>20),
		Fix:     fmt.Sprintf("pistack exec %s -- nix-collect-garbage --delete-older-than 14d; pistack exec %s -- docker image prune --force", host, host),
	}
}

// imageGrowth is how much larger an image is on disk than on the way, roughly.
const imageGrowth = 3

// room tells whether the disk holds what a host's plan brings.
func room(p HostPlan) error {
	var images int64
	for _, i := range p.Images {
		images += i.Bytes * imageGrowth
	}
	if need := p.NewBytes + leastFree; p.StoreFree() < need {
		return noSpace(p.Host.Name, "/nix/store", need, p.StoreFree())
	}
	if need := images + leastFree; images > 0 && p.State.DockerFree >= 0 && p.State.DockerFree < need {
		return noSpace(p.Host.Name, "Docker's data folder", need, p.State.DockerFree)
	}
	return nil
}

// StoreFree is what the machine's store has room for, in bytes; very much when
// it did not say.
func (p HostPlan) StoreFree() int64 {
	if p.State.StoreFree < 0 {
		return 1 << 62
	}
	return p.State.StoreFree
}

// runs tells whether a machine has nothing left to do for a system.
func runs(action Action, s target.State, system string) bool {
	undone := s.Undo == "" || s.Undo == "done"
	if !undone || slices.ContainsFunc(s.Failed, ours) {
		return false // it is mended by deploying again
	}
	switch action {
	case Boot:
		return s.Profile == system
	case Test:
		return s.Running == system
	}
	return s.Running == system && s.Profile == system
}

// ours tells whether a unit is one that pistack's module made.
func ours(unit string) bool { return strings.HasPrefix(unit, "pistack-") }

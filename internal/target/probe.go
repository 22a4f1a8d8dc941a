package target

import (
	"context"
	"slices"
	"time"
)

// undoStates are what a machine can say of its undo.
func undoStates() []string { return []string{"", "armed", "fired", "done", "failed"} }

// Probe asks what the machine is and runs, in one session. It changes nothing.
func (m Machine) Probe(ctx context.Context) (State, error) {
	var s State
	err := m.ask(ctx, step{script: "probe.sh", says: "asking what it is and runs", output: 4 << 20}, func(a *answer) { s = a.state() })
	if err != nil {
		return State{}, err
	}
	return s, nil
}

func (a *answer) state() State {
	s := State{
		Hostname: a.text("hostname"), Arch: a.text("arch"), Kernel: a.text("kernel"), BootID: a.text("boot_id"),
		Now: time.Unix(a.number("now", false), 0).UTC(), Uptime: time.Duration(a.number("uptime", false)) * time.Second,
		Running: a.path("running"), Booted: a.path("booted"), Profile: a.path("profile"),
		Generation: int(a.number("generation", true)),
		StoreFree:  a.number("store_free", false), DockerFree: a.number("docker_free", false),
		Failed: a.sorted("failed"),
		Undo:   a.text("undo"), UndoID: a.text("undo_id"),
		Reboot: a.yes("reboot"), BootedKernel: a.path("booted_kernel"), Receipt: a.bytes("receipt"),
	}
	if !slices.Contains(undoStates(), s.Undo) {
		a.wrong("undo %q", s.Undo)
	}
	if s.Undo == "" {
		s.UndoID = "" // one that was disarmed is over
	}
	if len(a.values["lock.id"]) > 0 {
		owner := a.owner("lock.")
		s.Lock = &owner
	}
	return s
}

// Reboot asks the machine to reboot, and does not wait for it. A connection that
// ends before the answer is here is what a reboot looks like.
func (m Machine) Reboot(ctx context.Context) error {
	_, err := m.run(ctx, step{script: "reboot.sh", says: "rebooting"})
	if isLost(err) {
		return nil
	}
	return err
}

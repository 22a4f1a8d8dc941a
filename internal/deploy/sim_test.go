package deploy

import (
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"slices"
	"sync"
	"time"

	"pistack/internal/fleet"
	"pistack/internal/nix"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// A simulated fleet: machines that behave as scripts of package target make
// real ones behave, in the virtual time of testing/synctest, with faults.

const (
	oldSystem = "/nix/store/00000000000000000000000000000000-nixos-system-old"
	newSystem = "/nix/store/11111111111111111111111111111111-nixos-system-new"
)

// fault is something that goes wrong once, at one call.
type fault int

const (
	none        fault = iota
	unreachable       // no connection; nothing happens
	lost              // it happens, and the answer is lost
	hang              // nothing happens, and no answer comes
	cut               // it happens, and nobody can connect until the old system is back
	power             // the machine restarts
	stolen            // somebody breaks the lock and takes it
	stall             // it happens late: after a minute
	faults
)

// ending is how nixos-rebuild ends, and what it has done by then.
type ending struct {
	status  nix.Status
	running string // "" for what ran before
	profile string
}

// simMachine is one machine.
type simMachine struct {
	mu       sync.Mutex
	name     string
	random   *rand.Rand
	odds     int // of a fault: one in so many calls; 0 for never
	interval time.Duration

	running, profile string
	healthy          bool // the new system's containers
	broken           bool // the new system cuts the link
	failed           []string
	isCut            bool
	down             time.Time // the machine restarts until then

	lock    *target.Owner
	armed   *simUndo
	outcome map[string]target.Outcome // finished undos by run
	receipt []byte
	journal []string
}

// simUndo is an armed timer.
type simUndo struct {
	id               string
	running, profile string
	timer            *time.Timer
}

func (m *simMachine) say(format string, args ...any) {
	m.journal = append(m.journal, fmt.Sprintf(format, args...))
}

func (m *simMachine) failure(kind remote.Kind) error {
	return &remote.Error{Host: m.name, Kind: kind, Message: m.name + ": " + kind.String()}
}

// call is one session: it draws a fault, and runs do with the machine's state
// locked.
func (m *simMachine) call(ctx context.Context, name string, do func() error) error {
	m.mu.Lock()
	defer m.mu.Unlock()
	if ctx.Err() != nil {
		return ctx.Err()
	}
	if m.isCut || time.Now().Before(m.down) {
		return m.wait(ctx, 15*time.Second, m.failure(remote.Unreachable))
	}
	f := m.draw()
	if f != none {
		m.say("%s: fault %d", name, f)
	}
	switch f {
	case unreachable:
		return m.wait(ctx, 15*time.Second, m.failure(remote.Unreachable))
	case hang:
		return m.wait(ctx, time.Minute, m.failure(remote.TimedOut))
	case stall:
		if err := m.wait(ctx, time.Minute, nil); err != nil {
			return err
		}
	case power:
		m.restart()
		return m.failure(remote.Lost)
	case stolen:
		if m.lock != nil {
			m.lock = &target.Owner{ID: "thief", User: "thief"}
		}
	}
	err := do()
	switch f {
	case lost:
		return m.failure(remote.Lost)
	case cut:
		m.cutOff()
		return m.failure(remote.Lost)
	}
	return err
}

// cutOff breaks the link as a bad new system does. Once nothing is armed nobody
// could bring it back, and that would say nothing of a deploy.
func (m *simMachine) cutOff() { m.isCut = m.armed != nil && m.running != oldSystem }

// wait lets time pass with the state unlocked.
func (m *simMachine) wait(ctx context.Context, d time.Duration, err error) error {
	m.mu.Unlock()
	defer m.mu.Lock()
	if !sleep(ctx, d) {
		return ctx.Err()
	}
	return err
}

func (m *simMachine) draw() fault {
	if m.odds == 0 || m.random.IntN(m.odds) != 0 {
		return none
	}
	return fault(1 + m.random.IntN(int(faults)-1))
}

// restart boots what the profile says; what was in /run is gone.
func (m *simMachine) restart() {
	m.say("restarts")
	if m.armed != nil {
		m.armed.timer.Stop()
	}
	m.running, m.lock, m.armed, m.isCut, m.failed = m.profile, nil, nil, false, nil
	m.outcome = map[string]target.Outcome{}
	m.down = time.Now().Add(40 * time.Second)
}

func (m *simMachine) Probe(ctx context.Context) (s target.State, err error) {
	err = m.call(ctx, "probe", func() error { s = m.state(); return nil })
	return s, err
}

func (m *simMachine) state() target.State {
	s := target.State{
		Hostname: m.name, Arch: "aarch64", Now: time.Now(), Running: m.running, Profile: m.profile, Booted: m.profile, Generation: 1,
		StoreFree: 8 << 30, DockerFree: 8 << 30, Failed: slices.Clone(m.failed), Lock: m.lock, Receipt: m.receipt,
	}
	if m.armed != nil {
		s.Undo, s.UndoID = "armed", m.armed.id
	}
	return s
}

func (m *simMachine) Missing(ctx context.Context, images []string) ([]string, error) {
	return images, m.call(ctx, "missing", func() error { return nil })
}

func (m *simMachine) Pull(ctx context.Context, _ []string, _ func(string)) error {
	return m.call(ctx, "pull", func() error { return nil })
}

func (m *simMachine) Compare(ctx context.Context, w target.Wanted) (target.Difference, error) {
	return target.Difference{Paths: w.Paths, Images: w.Images}, m.call(ctx, "compare", func() error { return nil })
}

func (m *simMachine) LockAndProbe(ctx context.Context, o target.Owner) (s target.State, err error) {
	err = m.call(ctx, "lock", func() error {
		if m.lock != nil && m.lock.ID != o.ID {
			return &target.Held{Host: m.name, Owner: *m.lock}
		}
		m.lock = &o
		if m.draw() != none {
			return m.failure(remote.Lost) // in between
		}
		s = m.state()
		return nil
	})
	return s, err
}

func (m *simMachine) Unlock(ctx context.Context, id string) error {
	return m.call(ctx, "unlock", func() error {
		if m.lock != nil && m.lock.ID != id {
			return &target.Held{Host: m.name, Owner: *m.lock}
		}
		m.lock = nil
		return nil
	})
}

func (m *simMachine) owns(id string) error {
	if m.lock == nil || m.lock.ID != id {
		return target.ErrLockLost
	}
	return nil
}

func (m *simMachine) Arm(ctx context.Context, id string, deadline time.Duration, _ string) (b target.Before, err error) {
	err = m.call(ctx, "arm", func() error {
		if err := m.owns(id); err != nil {
			return err
		}
		delete(m.outcome, id)
		u := &simUndo{id: id, running: m.running, profile: m.profile}
		u.timer = time.AfterFunc(deadline, func() {
			m.mu.Lock()
			defer m.mu.Unlock()
			m.say("the timer fires")
			m.fire(u)
		})
		m.armed = u
		b = target.Before{Running: m.running, Profile: m.profile, Generation: 1, Failed: slices.Clone(m.failed)}
		return nil
	})
	return b, err
}

// fire is undo.sh.
func (m *simMachine) fire(u *simUndo) {
	if m.armed != u {
		return
	}
	u.timer.Stop()
	m.armed, m.isCut, m.failed = nil, false, nil
	m.running, m.profile = u.running, u.profile
	m.outcome[u.id] = target.Outcome{Running: m.running, Profile: m.profile}
	if m.draw() != none {
		m.outcome[u.id] = target.Outcome{Running: m.running, Profile: m.profile, Status: 2}
	}
	if m.lock != nil && m.lock.ID == u.id {
		m.lock = nil
	}
}

// armedBy tells whether the timer of a run is armed.
func (m *simMachine) armedBy(id string) error {
	if m.armed != nil && m.armed.id == id {
		return nil
	}
	if _, fired := m.outcome[id]; fired {
		return target.ErrFired
	}
	return target.ErrNotArmed
}

func (m *simMachine) Renew(ctx context.Context, id string) error {
	return m.call(ctx, "renew", func() error {
		if err := m.armedBy(id); err != nil {
			return err
		}
		if err := m.owns(id); err != nil {
			return err
		}
		m.armed.timer.Reset(DefaultTiming().Deadline)
		return nil
	})
}

func (m *simMachine) Disarm(ctx context.Context, id string) error {
	return m.call(ctx, "disarm", func() error {
		if err := m.armedBy(id); err != nil {
			return err
		}
		if err := m.owns(id); err != nil {
			return err
		}
		m.armed.timer.Stop()
		m.armed = nil
		return nil
	})
}

func (m *simMachine) Undo(ctx context.Context, id string, _ func(string)) (o target.Outcome, err error) {
	err = m.call(ctx, "undo", func() error {
		if err := m.armedBy(id); err != nil {
			return err
		}
		if err := m.owns(id); err != nil {
			return err
		}
		m.fire(m.armed)
		o = m.outcome[id]
		return nil
	})
	return o, err
}

func (m *simMachine) Await(ctx context.Context, id string) (o target.Outcome, err error) {
	for {
		err = m.call(ctx, "await", func() error {
			if err := m.armedBy(id); !errors.Is(err, target.ErrFired) {
				return cmp.Or(err, errors.New("still armed"))
			}
			o = m.outcome[id]
			return nil
		})
		if err == nil || errors.Is(err, target.ErrNotArmed) || !sleep(ctx, 5*time.Second) {
			return o, err
		}
	}
}

func (m *simMachine) Health(ctx context.Context, _, _ string) (h target.Health, err error) {
	err = m.call(ctx, "health", func() error {
		c := target.Container{Stack: "web", Name: "web-1", ID: "c1", State: "running", Health: "healthy"}
		if m.running == newSystem && !m.healthy {
			c.Health = "unhealthy"
		}
		h = target.Health{Failed: slices.Clone(m.failed), Containers: []target.Container{c}, Changed: []string{"web"}}
		return nil
	})
	return h, err
}

func (m *simMachine) Journal(ctx context.Context, _ string, _ int) ([]string, error) {
	return []string{"it said this"}, m.call(ctx, "journal", func() error { return nil })
}

func (m *simMachine) ContainerLog(ctx context.Context, _ string, _ int) ([]string, error) {
	return []string{"it said that"}, m.call(ctx, "container log", func() error { return nil })
}

func (m *simMachine) Conclude(ctx context.Context, id string, receipt []byte) error {
	return m.call(ctx, "receipt", func() error {
		if err := m.owns(id); err != nil {
			return err
		}
		if m.draw() != none {
			return m.failure(remote.Lost) // before the receipt
		}
		m.receipt = receipt
		if m.draw() != none {
			return m.failure(remote.Lost) // after it
		}
		m.lock = nil
		return nil
	})
}

// rebuild is nixos-rebuild on this machine. It holds no lock of the simulation
// while time passes, as switch-to-configuration holds none of ours.
func (m *simMachine) rebuild(ctx context.Context, r nix.Rebuild) error {
	fail := func(s nix.Status) error { return &nix.RebuildError{Host: m.name, Status: s} }
	m.mu.Lock()
	defer m.mu.Unlock()
	m.say("nixos-rebuild %s", r.Action)
	if m.isCut || time.Now().Before(m.down) {
		return fail(nix.ConnectionLost)
	}
	f := m.draw()
	status, moves := m.end(f)
	if f != none {
		m.say("nixos-rebuild: fault %d, status %d", f, status)
	}
	if f == unreachable {
		return fail(nix.ConnectionLost)
	}
	if moves && (r.Action == "switch" || r.Action == "boot") {
		m.profile = r.System
	}
	fired := m.armed
	if err := m.wait(ctx, 20*time.Second, nil); err != nil {
		return err // broken off: the profile has moved at most
	}
	if fired != m.armed {
		if fired != nil && r.Action == "switch" && m.random.IntN(2) == 0 {
			m.running, m.profile = r.System, r.System // it had not begun yet: the workstation slept
			return nil
		}
		return fail(nix.ConnectionLost) // undo.sh stops a switch that is at work
	}
	if moves && r.Action != "boot" && !time.Now().Before(m.down) {
		m.running = r.System
		if r.System == newSystem {
			m.isCut = m.broken && m.armed != nil
		}
	}
	switch {
	case f == power:
		m.restart()
		return fail(nix.ConnectionLost)
	case f == cut:
		m.cutOff()
		return fail(nix.ConnectionLost)
	case status == nix.UnitsFailed:
		m.failed = []string{"pistack-web.service"}
	}
	if status != 0 {
		return fail(status)
	}
	return nil
}

// end draws how a faulty nixos-rebuild ends, and whether it did its work.
func (m *simMachine) end(f fault) (nix.Status, bool) {
	if f == none || f == power || f == cut {
		return 0, true
	}
	statuses := []nix.Status{nix.CheckFailed, nix.ActivationFailed, nix.UnitsFailed, nix.AlreadyRunning, nix.NeedsReboot, nix.Panicked, nix.ConnectionLost}
	s := statuses[m.random.IntN(len(statuses))]
	moves := m.random.IntN(20) == 0 || s == nix.ActivationFailed || s == nix.UnitsFailed || (s == nix.Panicked || s == nix.ConnectionLost) && m.random.IntN(2) == 0
	return s, moves
}

// simFleet is the workstation's side of the simulation.
type simFleet struct{ machines map[string]*simMachine }

func newSimFleet(names []string, random *rand.Rand, odds int) *simFleet {
	f := &simFleet{machines: map[string]*simMachine{}}
	for _, n := range names {
		f.machines[n] = &simMachine{
			name: n, random: rand.New(rand.NewPCG(random.Uint64(), 0)), odds: odds,
			running: oldSystem, profile: oldSystem, healthy: true, outcome: map[string]target.Outcome{},
		}
	}
	return f
}

func (f *simFleet) Evaluate(_ context.Context, host string, _ func(string)) (nix.System, error) {
	return nix.System{Host: host, Derivation: newSystem + ".drv", Path: newSystem}, nil
}

func (f *simFleet) Build(_ context.Context, systems []nix.System, _ func(string)) ([]bool, error) {
	return slices.Repeat([]bool{true}, len(systems)), nil
}

func (f *simFleet) Closure(context.Context, string) ([]nix.Path, error) {
	return []nix.Path{{Path: newSystem, Size: 1 << 20}}, nil
}

func (f *simFleet) Images(string) ([]string, error)           { return []string{"example.org/web:2"}, nil }
func (f *simFleet) Units(string) (map[string]nix.Unit, error) { return nil, nil }
func (f *simFleet) Boots(string) string                       { return "" }

func (f *simFleet) Copy(ctx context.Context, host, _ string, _ func(string)) error {
	return f.machines[host].call(ctx, "copy", func() error { return nil })
}

func (f *simFleet) Rebuild(ctx context.Context, r nix.Rebuild, _ func(string)) error {
	return f.machines[r.Host].rebuild(ctx, r)
}

// memoryArchive keeps receipts in memory.
type memoryArchive struct {
	mu       sync.Mutex
	receipts map[string]Receipt
}

func (a *memoryArchive) Log(string) func(string) { return func(string) {} }
func (a *memoryArchive) LogFile(string) string   { return "" }

func (a *memoryArchive) Receipt(host string, text []byte) error {
	a.mu.Lock()
	defer a.mu.Unlock()
	var r Receipt
	if err := json.Unmarshal(text, &r); err != nil {
		return err
	}
	a.receipts[host] = r
	return nil
}

// run makes a run over the simulated fleet, and its hosts.
func (f *simFleet) run(id string, o Options) (*Run, []fleet.Host, *memoryArchive) {
	archive := &memoryArchive{receipts: map[string]Receipt{}}
	var hosts []fleet.Host
	for name := range f.machines {
		hosts = append(hosts, fleet.Host{Name: name, System: "aarch64-linux"})
	}
	slices.SortFunc(hosts, func(a, b fleet.Host) int { return cmp.Compare(a.Name, b.Name) })
	return &Run{
		ID: id, Options: o, Nix: f, Archive: archive, Owner: target.Owner{User: "ada", From: "desk"},
		Machine: func(host string) Machine { return f.machines[host] },
		Sudo:    func(string) bool { return false },
		Sink:    func(Event) {},
	}, hosts, archive
}

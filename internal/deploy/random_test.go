package deploy

import (
	"context"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// TestFaults deploys to simulated fleets in which anything can go wrong at any
// call, and afterwards looks at every machine: it runs and boots the old system
// or the new one, its lock is free, no timer is armed, and the result and the
// receipts say what is so.
func TestFaults(t *testing.T) {
	runs := 2000
	if testing.Short() {
		runs = 100
	}
	seen := map[Outcome]int{}
	for seed := range runs {
		synctest.Test(t, func(t *testing.T) { oneFaultyRun(t, uint64(seed), seen) })
	}
	for _, o := range []Outcome{Deployed, Staged, Tested, Refused, RolledBack, Unknown, NotReached, Interrupted} {
		if seen[o] == 0 {
			t.Errorf("no run came to %q: the faults are too few to show anything", o)
		}
	}
	t.Logf("outcomes: %v", seen)
}

func oneFaultyRun(t *testing.T, seed uint64, seen map[Outcome]int) {
	random := rand.New(rand.NewPCG(seed, 1))
	f := newSimFleet([]string{"a", "b", "c"}[:1+random.IntN(3)], random, 3+random.IntN(30))
	for _, m := range f.machines {
		m.healthy = random.IntN(6) != 0
		m.broken = random.IntN(8) == 0
	}
	o := Options{Action: []Action{Switch, Switch, Switch, Test, Boot}[random.IntN(5)], NoGate: random.IntN(8) == 0, Parallel: 2, EvalJobs: 1, Timing: DefaultTiming(), KeepGoing: random.IntN(2) == 0}
	if random.IntN(3) == 0 {
		o.Canary = "1"
	}
	run, hosts, archive := f.run("run1", o)
	ctx, cancel := context.WithCancel(t.Context())
	defer cancel()
	if random.IntN(5) == 0 {
		time.AfterFunc(time.Duration(random.IntN(240))*time.Second, cancel)
	}
	plan, err := run.Plan(ctx, hosts)
	if err != nil {
		return // interrupted: nothing was touched
	}
	results, err := run.Apply(ctx, plan)
	if err != nil {
		t.Fatal(err)
	}
	time.Sleep(time.Hour) // whatever is still armed has fired, whatever restarts is up
	for _, r := range results {
		seen[r.Outcome]++
		m := f.machines[r.Host]
		if problem := wrong(m, r, archive.receipts); problem != "" {
			t.Fatalf("seed %d, host %s, outcome %q (%v): %s\n%s", seed, r.Host, r.Outcome, r.Err, problem, strings.Join(m.journal, "\n"))
		}
	}
}

// wrong tells what of a machine is not as its result says, or "".
func wrong(m *simMachine, r Result, receipts map[string]Receipt) string {
	m.mu.Lock()
	defer m.mu.Unlock()
	now := fmt.Sprintf("runs %.50s, boots %.50s", m.running, m.profile)
	isOld := m.running == oldSystem && m.profile == oldSystem
	isNew := m.running == newSystem && m.profile == newSystem
	staged := m.profile == newSystem // and after a restart it runs it
	switch {
	case m.armed != nil:
		return "a timer is armed"
	case m.isCut:
		return "it cannot be reached"
	case m.lock != nil && m.lock.ID != "thief" && !warned(r, "pistack unlock"):
		return "the lock is held"
	case r.Outcome == Unknown && (isOld || isNew):
		return ""
	case r.Outcome == Tested && m.running == newSystem && m.profile == oldSystem:
		return receiptSays(m.receipt, r)
	case (r.Outcome == Tested || r.Outcome == Degraded) && isOld && strings.Contains(strings.Join(m.journal, " "), "restarts"):
		return "" // that is what a test is
	case r.Outcome == Unknown && restarted(m):
		return "" // a test that nobody could ask about any more, or a staged system that runs by now
	case r.Outcome == Degraded && (staged || m.running == newSystem):
		return ""
	case r.Outcome == Staged && staged, r.Outcome == Deployed && isNew:
		return receiptSays(m.receipt, r)
	case (r.Outcome == Refused || r.Outcome == Interrupted || r.Outcome == NotReached) && isOld:
		return ""
	case r.Outcome == RolledBack && isOld:
		if receipts[r.Host].Outcome != RolledBack && m.lock == nil && receipts[r.Host].Host != "" {
			return "the receipt here says otherwise"
		}
		return ""
	}
	return now
}

// restarted tells whether a machine is between the systems because it restarts
// into what it boots, or would.
func restarted(m *simMachine) bool { return m.running == oldSystem && m.profile == newSystem }

func warned(r Result, text string) bool {
	for _, w := range r.Warnings {
		if strings.Contains(w, text) {
			return true
		}
	}
	return false
}

func receiptSays(text []byte, r Result) string {
	if text == nil {
		if warned(r, "no receipt was written on the machine") {
			return ""
		}
		return "no receipt on the machine"
	}
	var receipt Receipt
	if err := json.Unmarshal(text, &receipt); err != nil {
		return err.Error()
	}
	if receipt.New != newSystem || receipt.Old != oldSystem || receipt.Outcome != r.Outcome {
		return fmt.Sprintf("receipt %+v", receipt)
	}
	return ""
}

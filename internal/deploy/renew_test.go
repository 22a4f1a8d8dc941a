package deploy

import (
	"context"
	"encoding/json"
	"math/rand/v2"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"pistack/internal/fleet"
)

// movedOn is a repository whose commits all concern all hosts.
type movedOn struct{}

func (movedOn) Edited(context.Context, fleet.Host) bool        { return false }
func (movedOn) Moved(context.Context, fleet.Host, string) bool { return true }

// TestRenewFaults: whatever goes wrong at any call, a host whose receipt is renewed
// runs what it ran, its lock is free, and "recorded" is said of a receipt that is
// there, or with a warning.
func TestRenewFaults(t *testing.T) {
	seen := map[Outcome]int{}
	for seed := range uint64(300) {
		synctest.Test(t, func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 2))
			f := newSimFleet([]string{"a"}, random, 3+random.IntN(10))
			m := f.machines["a"]
			m.running, m.profile = newSystem, newSystem
			run, hosts, _ := f.run("run1", Options{Action: Switch, Parallel: 1, EvalJobs: 1, Timing: DefaultTiming()})
			run.Revision, run.Repository = "two", movedOn{}
			plan, err := run.Plan(t.Context(), hosts)
			if err != nil {
				t.Fatal(err)
			}
			results, err := run.Apply(t.Context(), plan)
			if err != nil {
				t.Fatal(err)
			}
			time.Sleep(time.Hour)
			r := results[0]
			seen[r.Outcome]++
			var receipt Receipt
			written := json.Unmarshal(m.receipt, &receipt) == nil && receipt.Revision == "two" && receipt.New == newSystem && receipt.Outcome == Deployed
			free := m.lock == nil || m.lock.ID != run.ID || warned(r, "the lock may be left")
			told := r.Outcome != Recorded || written || warned(r, "no receipt was written on the machine")
			if m.running != newSystem || m.profile != newSystem || !free || !told || r.Outcome == Unchanged && len(r.Warnings) == 0 {
				t.Fatalf("seed %d: %s, %q, receipt %s, lock %v\n%s", seed, r.Outcome, r.Warnings, m.receipt, m.lock, strings.Join(m.journal, "\n"))
			}
		})
	}
	for _, o := range []Outcome{Recorded, Unchanged, Refused} {
		if seen[o] == 0 {
			t.Errorf("no run came to %q: %v", o, seen)
		}
	}
}

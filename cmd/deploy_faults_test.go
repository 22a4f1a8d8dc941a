package cmd_test

import (
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"testing"
	"time"

	"pistack/internal/fleettest"
)

// faultyTiming gives up soon: what a busy machine is too slow for is one more
// fault.
const faultyTiming = "deadline=60s,renew=500ms,window=100ms,sample=50ms,gatelimit=5s,link=3s,activate=8s,undo=15s,copy=6s,pull=6s,step=6s"

// TestDeployFaults deploys again and again to machines at which things go wrong
// at random, and pistack itself is interrupted or killed. After each run, when
// the timers that are still armed have run out and locks of killed runs have been
// seen, every machine is on the old system or on the new one, never between, its
// lock is free, and results and receipts say what is so. A seed that failed runs
// alone with -run TestDeployFaults/seed7, and PISTACK_DEPLOY_SEEDS says how many
// there are.
func TestDeployFaults(t *testing.T) {
	t.Parallel()
	seeds := 3
	if text := os.Getenv("PISTACK_DEPLOY_SEEDS"); text != "" {
		if _, err := fmt.Sscan(text, &seeds); err != nil {
			t.Fatal(err)
		}
	}
	l := newDeployLab(t, 8)
	seen := map[string]int{}
	for seed := range seeds {
		t.Run(fmt.Sprintf("seed%d", seed), func(t *testing.T) {
			f := &faultyRun{deployLab: l, random: rand.New(rand.NewPCG(uint64(seed), 7)), seed: seed}
			f.prepare(t)
			f.run(t)
			f.judge(t, seen)
		})
	}
	t.Logf("outcomes: %v", seen)
}

// faultyRun is one deploy of all hosts.
type faultyRun struct {
	*deployLab
	random    *rand.Rand
	seed      int
	old, next []fleettest.System
	journal   []string // what is going to go wrong
	killed    bool
	results   map[string]hostResult
	stderr    string
}

func (f *faultyRun) say(format string, args ...any) {
	f.journal = append(f.journal, fmt.Sprintf(format, args...))
}

// prepare boots the old systems, and draws the new ones and all faults.
func (f *faultyRun) prepare(t *testing.T) {
	f.ws.Heal(t)
	for _, h := range f.Hosts {
		h.Heal(t)
		h.Scale(t, 1e6) // timers run out when the run is over, or at random
		old := web(h, fmt.Sprintf("old%d", f.seed))
		f.boot(t, h, old)
		h.Shell(t, "rm -rf /var/lib/pistack")
		next := web(h, fmt.Sprintf("new%d", f.seed), f.oddity(h))
		f.ws.Want(t, h.Name, next)
		f.old, f.next = append(f.old, old), append(f.next, next)
		for range f.random.IntN(3) {
			f.hurt(t, h, next)
		}
	}
}

// oddity is what is wrong with a new system; most are good.
func (f *faultyRun) oddity(h *fleettest.Host) func(*fleettest.System) {
	action := []string{"test", "switch", "boot"}[f.random.IntN(3)]
	status := []int{1, 2, 4, 11, 100, 101}[f.random.IntN(6)]
	kind := f.random.IntN(12)
	f.say("%s: system of kind %d, %s, %d", h.Name, kind, action, status)
	return func(s *fleettest.System) {
		switch kind {
		case 0:
			s.Failed = []string{"pistack-web.service"}
		case 1:
			s.Containers[0].Health = "unhealthy"
		case 2:
			s.Exit = map[string]int{action: status}
		case 3:
			s.Early = map[string]int{action: status}
		case 4:
			s.CutsLink = true
		case 5:
			s.Deaf = true
		}
	}
}

// hurt adds a fault to a machine, or to what is run for it here.
func (f *faultyRun) hurt(t *testing.T, h *fleettest.Host, next fleettest.System) {
	here := []fleettest.Fault{
		{Program: "nix", Args: `"` + h.Name + `"`, Exit: 1},
		{Program: "nix-copy-closure", Args: fleettest.Path(next), Exit: 1},
		{Program: "nixos-rebuild", Args: "test --no-reexec --store-path " + fleettest.Path(next), Dies: true},
		{Program: "nixos-rebuild", Args: "switch --no-reexec --store-path " + fleettest.Path(next), Dies: true},
		{Program: "nixos-rebuild", Args: "switch --no-reexec --store-path " + fleettest.Path(next), Exit: 255, After: true},
	}
	there := []fleettest.Fault{
		{Program: "switch-to-configuration"}, {Program: "systemctl"}, {Program: "systemd-run"}, {Program: "docker"}, {Program: "nix-env"}, {Program: "nix-store"},
	}
	if f.random.IntN(4) == 0 {
		fault := here[f.random.IntN(len(here))]
		fault.Times = 1
		f.say("%s: here: %+v", h.Name, fault)
		f.ws.Fail(t, fault)
		return
	}
	fault := there[f.random.IntN(len(there))]
	fault.Times, fault.Skip, fault.After = 1, f.random.IntN(8), f.random.IntN(2) == 0
	switch f.random.IntN(5) {
	case 0:
		fault.Cut = true
	case 1:
		fault.Kill = true
	case 2:
		fault.Exit = []int{1, 4, 11, 100, 101}[f.random.IntN(5)]
	case 3:
		fault.Delay = time.Duration(f.random.IntN(2000)) * time.Millisecond
	case 4:
		fault.Hang = true
	}
	f.say("%s: %+v", h.Name, fault)
	h.Fail(t, fault)
}

// run deploys. At some event, which is as random as the rest, something happens
// to pistack, to a machine, or to its timer.
func (f *faultyRun) run(t *testing.T) {
	kind, at, victim := f.random.IntN(8), 1+f.random.IntN(100), f.Hosts[f.random.IntN(len(f.Hosts))]
	f.say("event %d: kind %d, %s", at, kind, victim.Name)
	run := f.start(t, f.Hosts, "PISTACK_TIMING="+faultyTiming)
	for e := range run.events {
		run.take(e)
		if e.Kind == "line" {
			continue
		}
		if at--; at != 0 {
			continue
		}
		switch kind {
		case 0:
			run.signal(syscall.SIGINT)
		case 1:
			run.signal(syscall.SIGKILL)
			f.killed = true
		case 2:
			victim.Expire(t)
		case 3:
			victim.Reboot(t)
		}
	}
	f.results, f.stderr = run.wait().results, run.stderr.String()
}

// judge lets what is armed run out, and looks at every machine.
func (f *faultyRun) judge(t *testing.T, seen map[string]int) {
	for i, h := range f.Hosts {
		h.Heal(t)
		result, told := f.results[h.Name]
		switch {
		case told:
			seen[result.Outcome]++
		case f.killed:
			seen["killed"]++
		default:
			seen["no plan"]++
		}
		eventually(t, h.Name+" to end what it is at\n"+strings.Join(f.journal, "\n"), func() bool {
			h.Expire(t)
			return !stand(t, h).armed && quiet(t, h)
		})
		if problem := f.wrong(t, i, h, result, told); problem != "" {
			t.Errorf("%s: %s\nresult: %s\nis at %+v\n%s\n%s", h.Name, problem, result.text(), stand(t, h), strings.Join(f.journal, "\n"), f.stderr)
		}
	}
}

// quiet tells whether no switch and no undo is at work.
func quiet(t *testing.T, h *fleettest.Host) bool {
	for _, u := range h.State(t).Units {
		if u.State == "activating" {
			return false
		}
	}
	return true
}

// wrong tells what of a machine is not as its result says, or "".
func (f *faultyRun) wrong(t *testing.T, i int, h *fleettest.Host, result hostResult, told bool) string {
	old, next, now := fleettest.Path(f.old[i]), fleettest.Path(f.next[i]), stand(t, h)
	isOld, isNew := now.running == old && now.boots == old, now.running == next && now.boots == next
	whole := slices.ContainsFunc([]fleettest.System{f.old[i], f.next[i]}, func(s fleettest.System) bool {
		running := h.State(t).Containers
		return fleettest.Path(s) == now.running && len(running) == 1 && running[0].ID == s.Containers[0].ID
	})
	mayKeep := f.killed || slices.ContainsFunc(result.Warnings, func(w string) bool { return strings.Contains(w, "pistack unlock") })
	switch {
	case !whole:
		return "it is between two systems"
	case now.lock != "" && !mayKeep:
		return "its lock is held"
	case !told && (isOld || f.killed && isNew):
		return ""
	case result.Outcome == "unknown":
		return f.receiptSays(t, h, isOld, isNew, now.boots == next)
	case result.Outcome == "deployed" && isNew, result.Outcome == "staged" && now.boots == next:
		return f.receiptSays(t, h, false, isNew, now.boots == next)
	case slices.Contains([]string{"refused", "interrupted", "not reached", "rolled back"}, result.Outcome) && isOld:
		return f.receiptSays(t, h, true, false, false)
	}
	return "the result says something else"
}

// receiptSays: of the new system, and only of that, there is a receipt.
func (f *faultyRun) receiptSays(t *testing.T, h *fleettest.Host, isOld, isNew, boots bool) string {
	r := receipt(t, h)
	lost := slices.ContainsFunc(f.results[h.Name].Warnings, func(w string) bool { return strings.Contains(w, "no receipt was written") })
	switch {
	case r.Outcome == "" && (isOld || lost || f.results[h.Name].Outcome == "unknown"):
		return f.receiptHere(h)
	case r.Outcome == "deployed" && isNew, r.Outcome == "staged" && boots:
		return f.receiptHere(h)
	}
	return fmt.Sprintf("the receipt there says %+v", r)
}

// receiptHere: the last receipt on the workstation is not of another outcome.
func (f *faultyRun) receiptHere(h *fleettest.Host) string {
	files, _ := filepath.Glob(filepath.Join(f.home, "state/pistack/*/receipts", h.Name, "*.json"))
	for _, file := range files {
		var r struct{ New, Outcome string }
		text, err := os.ReadFile(file)
		if err == nil {
			err = json.Unmarshal(text, &r)
		}
		if err != nil {
			return err.Error()
		}
		if strings.HasSuffix(r.New, fmt.Sprintf("-new%d", f.seed)) && r.Outcome != f.results[h.Name].Outcome {
			return fmt.Sprintf("the receipt here says %+v", r)
		}
	}
	return ""
}

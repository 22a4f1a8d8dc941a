package deploy

import (
	"context"
	"errors"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"pistack/internal/nix"
	"pistack/internal/remote"
	"pistack/internal/target"
)

// slowMachine answers once something else has happened.
type slowMachine struct {
	*simMachine
	until <-chan struct{}
}

func (m slowMachine) Probe(ctx context.Context) (target.State, error) {
	<-m.until
	return m.simMachine.Probe(ctx)
}

// refusingMachine is one that is not the pinned machine.
type refusingMachine struct{ *simMachine }

func (m refusingMachine) Probe(context.Context) (target.State, error) {
	return target.State{}, m.failure(remote.WrongKey)
}

// askedNix keeps what is asked of it.
type askedNix struct {
	*simFleet
	mu        sync.Mutex
	asked     []string
	evaluated func(host string)
}

func (n *askedNix) keep(what string) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.asked = append(n.asked, what)
}

func (n *askedNix) Evaluate(ctx context.Context, host string, line func(string)) (nix.System, error) {
	n.keep("evaluate " + host)
	n.evaluated(host)
	return n.simFleet.Evaluate(ctx, host, line)
}

func (n *askedNix) Build(ctx context.Context, systems []nix.System, line func(string)) ([]bool, error) {
	n.keep("build")
	return n.simFleet.Build(ctx, systems, line)
}

// TestSurvey: a host that has answered is evaluated while others have not, one that
// is refused never is, and nothing is built before all have answered.
func TestSurvey(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		f := newSimFleet([]string{"a", "b", "c"}, rand.New(rand.NewPCG(1, 1)), 0)
		run, hosts, _ := f.run("run1", Options{Action: Switch, Parallel: 2, EvalJobs: 1, Timing: DefaultTiming()})
		first := make(chan struct{})
		asked := &askedNix{simFleet: f, evaluated: func(host string) {
			if host == "a" {
				close(first)
			}
		}}
		run.Nix = asked
		run.Machine = func(host string) Machine {
			switch m := f.machines[host]; host {
			case "b":
				return refusingMachine{m}
			case "c":
				return slowMachine{m, first}
			default:
				return m
			}
		}
		plan, err := run.Plan(t.Context(), hosts)
		if err != nil || plan.Hosts[0].Problem != nil || !remote.Is(plan.Hosts[1].Problem, remote.WrongKey) || plan.Hosts[2].Problem != nil {
			t.Fatalf("%+v, %v", plan, err)
		}
		if want := []string{"evaluate a", "evaluate c", "build"}; !slices.Equal(asked.asked, want) {
			t.Errorf("Nix was asked: %s", strings.Join(asked.asked, ", "))
		}
	})
}

// TestReady: hosts are asked meanwhile, none is evaluated before, and what Ready
// has against it ends the run, even of hosts that do not answer.
func TestReady(t *testing.T) {
	refusal := errors.New("hosts/a/generated: is stale")
	for _, c := range []struct {
		name  string
		fails error
		want  []string
	}{
		{"nothing against it", nil, []string{"ready", "evaluate a", "build"}},
		{"refused", refusal, []string{"ready"}},
	} {
		synctest.Test(t, func(t *testing.T) {
			f := newSimFleet([]string{"a", "b"}, rand.New(rand.NewPCG(1, 1)), 0)
			run, hosts, _ := f.run("run1", Options{Action: Switch, Parallel: 2, EvalJobs: 1, Timing: DefaultTiming()})
			asked := &askedNix{simFleet: f, evaluated: func(string) {}}
			run.Nix = asked
			answered := make(chan struct{})
			run.Machine = func(host string) Machine {
				if host == "b" {
					f.machines[host].down = time.Now().Add(time.Hour)
					return f.machines[host]
				}
				if len(asked.asked) == 0 {
					return answeringMachine{f.machines[host], answered}
				}
				return f.machines[host]
			}
			run.Ready = func(context.Context) error {
				<-answered
				time.Sleep(time.Second)
				asked.keep("ready")
				run.Revision = "abc"
				return c.fails
			}
			begun := time.Now()
			plan, err := run.Plan(t.Context(), hosts)
			if !errors.Is(err, c.fails) || !slices.Equal(asked.asked, c.want) {
				t.Errorf("%s: %v; Nix was asked %q", c.name, err, asked.asked)
			}
			if c.fails == nil && plan.Revision != "abc" {
				t.Errorf("%s: revision %q", c.name, plan.Revision)
			}
			if took := time.Since(begun); c.fails != nil && took != time.Second {
				t.Errorf("%s: it took %s", c.name, took)
			}
		})
	}
}

// answeringMachine tells that it was asked, once.
type answeringMachine struct {
	*simMachine
	asked chan struct{}
}

func (m answeringMachine) Probe(ctx context.Context) (target.State, error) {
	close(m.asked)
	return m.simMachine.Probe(ctx)
}

package status

import (
	"context"
	"time"

	"golang.org/x/sync/errgroup"

	"pistack/internal/fleet"
	"pistack/internal/target"
)

// Machine is one machine, as target.Machine reaches it over ssh.
type Machine interface {
	Survey(ctx context.Context) (target.Survey, error)
}

// Looker looks at hosts.
type Looker struct {
	Root     string // of the repository
	Hosts    []fleet.Host
	Parallel int // machines that are asked at once
	Machine  func(host string) Machine
	Now      func() time.Time
}

// Look asks all machines and the repository, once. The error is that of ctx.
func (l Looker) Look(ctx context.Context) (Report, error) {
	r := Report{Time: l.Now(), Hosts: make([]Host, len(l.Hosts))}
	repository := OpenRepository(ctx, l.Root)
	var group errgroup.Group
	group.SetLimit(max(l.Parallel, 1))
	for i, h := range l.Hosts {
		group.Go(func() error {
			survey, err := l.Machine(h.Name).Survey(ctx)
			f := Facts{Host: h, Err: err, Survey: survey, Now: l.Now()}
			if err == nil {
				f.Work = repository.Work(ctx, h, deployedRevision(survey.Receipt))
			}
			r.Hosts[i] = Judge(f)
			return nil
		})
	}
	_ = group.Wait() // no function returns an error
	return r, ctx.Err()
}

// deployedRevision reads the revision of a receipt.
func deployedRevision(receipt []byte) string {
	j := judgement{Host: Host{Facts: Facts{Survey: target.Survey{State: target.State{Receipt: receipt}}}}}
	j.readReceipt()
	if j.Receipt == nil {
		return ""
	}
	return j.Receipt.Revision
}

func isCommit(name string) bool {
	for _, r := range name {
		if (r < '0' || r > '9') && (r < 'a' || r > 'f') {
			return false
		}
	}
	return len(name) == 40 || len(name) == 64
}

// Watch looks again and again, and draws each report, until ctx ends or rounds
// are over; rounds < 1 has no end. wait is between two looks, and tells whether to
// go on. The last report is returned.
func Watch(ctx context.Context, look func(context.Context) (Report, error), draw func(Report) error, wait func(context.Context) bool, rounds int) (Report, error) {
	for n := 1; ; n++ {
		r, err := look(ctx)
		if err != nil {
			return r, err
		}
		if err := draw(r); err != nil || n == rounds || !wait(ctx) {
			return r, err
		}
	}
}

// Pause is a wait of that long.
func Pause(d time.Duration) func(context.Context) bool {
	return func(ctx context.Context) bool {
		timer := time.NewTimer(d)
		defer timer.Stop()
		select {
		case <-ctx.Done():
			return false
		case <-timer.C:
			return true
		}
	}
}

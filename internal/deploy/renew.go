package deploy

import (
	"context"
	"encoding/json"

	"pistack/internal/fleet"
)

// Repository tells how the work tree stands to what a host is made of.
type Repository interface {
	// Edited tells whether changes that are in no commit touch it.
	Edited(ctx context.Context, h fleet.Host) bool
	// Moved tells whether the commits between a receipt's revision, which may be
	// none, and HEAD touch it.
	Moved(ctx context.Context, h fleet.Host, since string) bool
}

// edited tells whether a host's system would be of changes that are in no commit.
func (r *Run) edited(ctx context.Context, h fleet.Host) bool {
	return r.Dirty && (r.Repository == nil || r.Repository.Edited(ctx, h))
}

// outdated tells whether the receipt of a host that runs the wanted system already
// says something else of it than the repository does. Where changes are not
// committed there is nothing better to say.
func (r *Run) outdated(ctx context.Context, h HostPlan) bool {
	if !h.Unchanged || h.dirty || r.Repository == nil || r.Revision == "" || r.Options.Action == DryActivate {
		return false
	}
	old, ok := lastReceipt(h)
	return !ok || old.Dirty || old.Revision != r.Revision && r.Repository.Moved(ctx, h.Host, old.Revision)
}

// lastReceipt is the machine's, as long as it is about the system that the
// repository says.
func lastReceipt(h HostPlan) (r Receipt, ok bool) {
	err := json.Unmarshal(h.State.Receipt, &r)
	return r, err == nil && r.Schema >= 1 && r.New == h.System
}

// renew has receipts say which commit it is that hosts run already: a commit may
// change files of a host and not its system. It is done last, since nobody waits
// for it, and under the lock, as everything that is written there.
func (r *Run) renew(ctx context.Context, p Plan, work map[string]*change) {
	var hosts []HostPlan
	for _, h := range p.Hosts {
		if ctx.Err() == nil && r.outdated(ctx, h) {
			hosts = append(hosts, h)
			work[h.Host.Name] = newChange(r, h)
		}
	}
	r.together(hosts, work, func(c *change) {
		if err := c.lock(ctx); err != nil {
			c.warn("its receipt is not that of this commit: %v", err)
			c.finish(Unchanged, nil)
			return
		}
		c.begin(Record)
		c.finish(Recorded, nil)
	})
}

// renewed is the receipt of a system that was there before: how it came there is
// for the one before to say.
func (c *change) renewed(r Receipt) Receipt {
	old, _ := lastReceipt(c.plan)
	r.Old, r.Images, r.Outcome = old.Old, old.Images, Deployed
	switch state := c.plan.State; {
	case state.Running != c.plan.System:
		r.Outcome = Staged
	case state.Profile != c.plan.System:
		r.Outcome = Tested
	}
	return r
}

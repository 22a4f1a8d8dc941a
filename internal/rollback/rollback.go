// Package rollback brings a machine back to an earlier generation of its system.
//
// [Choose] says which. [Source] is a deploy.Nix whose system is that generation:
// it is in the machine's store already, so nothing is evaluated, built or copied,
// and switch-to-configuration is run by the machine itself, as nixos-rebuild would.
// All else is a deploy: lock, dead-man timer, gate, undo and receipt.
package rollback

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pistack/internal/deploy"
	"pistack/internal/target"
)

// Generation is one that a machine has, with what receipts say of it.
type Generation struct {
	target.Generation
	Running  bool            // it is active
	Deployed *deploy.Receipt // the last deploy of its system; nil when no receipt says so
}

// List brings generations and receipts together, by number.
func List(all []target.Generation, running string, receipts [][]byte) []Generation {
	deployed := map[string]*deploy.Receipt{}
	for _, data := range receipts { // the oldest first
		var r deploy.Receipt
		if json.Unmarshal(data, &r) == nil && r.Schema >= 1 && r.New != "" {
			deployed[r.New] = &r
		}
	}
	list := make([]Generation, len(all))
	for i, g := range all {
		list[i] = Generation{Generation: g, Running: g.Path == running, Deployed: deployed[g.Path]}
	}
	slices.SortFunc(list, func(a, b Generation) int { return a.Number - b.Number })
	return list
}

// Error is a rollback that cannot be.
type Error struct {
	Message string
	Fix     string
}

func (e *Error) Error() string { return e.Message }

// Hint says what to do next.
func (e *Error) Hint() string { return e.Fix }

// Choose takes the generation to go back to: number to, or, with 0, the one before
// the current one. Numbers have gaps where generations were deleted.
func Choose(host string, all []Generation, to int) (Generation, error) {
	if len(all) == 0 {
		return Generation{}, &Error{Message: fmt.Sprintf("%s: its system profile has no generations", host), Fix: "pistack deploy " + host}
	}
	if to != 0 {
		if i := slices.IndexFunc(all, func(g Generation) bool { return g.Number == to }); i >= 0 {
			return all[i], nil
		}
		return Generation{}, &Error{
			Message: fmt.Sprintf("%s: there is no generation %d", host, to),
			Fix:     "there are " + numbers(all) + "; or deploy the commit that you want: git switch --detach COMMIT, then pistack deploy " + host,
		}
	}
	current := slices.IndexFunc(all, func(g Generation) bool { return g.Current })
	switch {
	case current < 0:
		return Generation{}, &Error{Message: fmt.Sprintf("%s: none of its generations is the current one", host), Fix: "name one with --to: there are " + numbers(all)}
	case current == 0:
		return Generation{}, &Error{
			Message: fmt.Sprintf("%s: there is no generation before the current one, %d", host, all[current].Number),
			Fix:     "deploy the commit that you want: git switch --detach COMMIT, then pistack deploy " + host,
		}
	}
	return all[current-1], nil
}

func numbers(all []Generation) string {
	words := make([]string, len(all))
	for i, g := range all {
		words[i] = fmt.Sprint(g.Number)
	}
	return strings.Join(words, ", ")
}

// Revision is the commit that the generation's system was deployed from, and
// whether with changes on top; empty when no receipt says so.
func (g Generation) Revision() (commit string, dirty bool) {
	if g.Deployed == nil {
		return "", false
	}
	return g.Deployed.Revision, g.Deployed.Dirty
}

// Made is when the generation was made, for people.
func (g Generation) Made() string { return g.Date.UTC().Format(time.RFC3339) }

package target

import (
	"context"
	"fmt"
)

// Health asks how units and containers are, over a connection of its own, and
// which stacks of the system next are not as in old. With next empty, none are.
func (m Machine) Health(ctx context.Context, old, next string) (Health, error) {
	var h Health
	s := step{script: "health.sh", says: "asking for failed units and containers", args: []string{old, next}, fresh: true, output: 4 << 20}
	err := m.ask(ctx, s, func(a *answer) {
		h.Failed, h.Changed = a.sorted("failed"), a.sorted("changed")
		for _, value := range a.list("container") {
			h.Containers = append(h.Containers, a.stackContainer(value).Container)
		}
	})
	if err != nil {
		return Health{}, err
	}
	return h, nil
}

// Journal is the last lines of a unit's log.
func (m Machine) Journal(ctx context.Context, unit string, lines int) ([]string, error) {
	return m.lines(ctx, step{script: "journal.sh", says: "reading the journal of " + unit, args: []string{unit, fmt.Sprint(lines)}, output: 4 << 20})
}

// ContainerLog is the last lines of a container's log.
func (m Machine) ContainerLog(ctx context.Context, id string, lines int) ([]string, error) {
	return m.lines(ctx, step{script: "containerlog.sh", says: "reading the log of container " + id, args: []string{id, fmt.Sprint(lines)}, output: 4 << 20})
}

package deploy

import (
	"context"
	"fmt"
	"strings"

	"pistack/internal/target"
)

// How much of what failed is shown.
const (
	shownLines = 10
	shownParts = 3 // units and containers
)

// unhealthy is the error of a gate, with the last lines of what failed.
func (c *change) unhealthy(ctx context.Context, v verdict) error {
	if len(v.units) > 0 {
		return c.unitsFailed(ctx, v.units)
	}
	var words []string
	for _, container := range v.containers {
		words = append(words, container.Name+" ("+state(container)+")")
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.run.Options.Timing.Step)
	defer cancel()
	for _, container := range v.containers[:min(shownParts, len(v.containers))] {
		lines, err := c.machine.ContainerLog(ctx, container.ID, shownLines)
		c.keepLast(container.Name, lines, err)
	}
	return &Error{
		Message: fmt.Sprintf("%s: containers did not stay up: %s", c.name(), join(words)),
		Fix:     fmt.Sprintf("pistack logs %s %s, and correct the stack", c.name(), v.containers[0].Stack),
	}
}

func state(c target.Container) string {
	switch {
	case c.Health == "unhealthy":
		return "unhealthy"
	case c.State == "exited":
		return fmt.Sprintf("exited with %d", c.ExitCode)
	case c.State == "running":
		return fmt.Sprintf("restarted %d times", c.Restarts)
	}
	return c.State
}

// unitsFailed is the error for units that fail on the new system.
func (c *change) unitsFailed(ctx context.Context, units []string) error {
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), c.run.Options.Timing.Step)
	defer cancel()
	for _, unit := range units[:min(shownParts, len(units))] {
		lines, err := c.machine.Journal(ctx, unit, shownLines)
		c.keepLast(unit, lines, err)
	}
	return &Error{
		Message: fmt.Sprintf("%s: units fail on the new system: %s", c.name(), join(units)),
		Fix:     fmt.Sprintf("see what they said last below; on the machine: journalctl -u %s", units[0]),
	}
}

func (c *change) seeLogs(v verdict) string {
	if v.stack == "" {
		return ""
	}
	return fmt.Sprintf("pistack logs %s %s", c.name(), v.stack)
}

// keepLast keeps for the summary what something said.
func (c *change) keepLast(what string, lines []string, err error) {
	if err != nil {
		lines = []string{fmt.Sprintf("(its log could not be read: %v)", err)}
	}
	for _, l := range lines {
		c.result.Last = append(c.result.Last, strings.TrimSuffix(what, ".service")+" | "+l)
		c.run.Archive.Log(c.name())(what + " | " + l)
	}
}

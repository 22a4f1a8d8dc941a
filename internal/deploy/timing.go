package deploy

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// Timing is how long things may take, and how often they are looked at.
type Timing struct {
	Deadline  time.Duration // of the dead-man timer, from its last renewal
	Renew     time.Duration // between renewals
	Window    time.Duration // that everything has to stay healthy for
	Sample    time.Duration // between two looks at a machine
	GateLimit time.Duration // until everything is healthy
	Link      time.Duration // that new connections may fail for
	Activate  time.Duration // nixos-rebuild
	Undo      time.Duration // until the old system runs again
	Copy      time.Duration // of a system to a machine
	Pull      time.Duration // of all images of a machine
	Step      time.Duration // everything else that is asked of a machine, each
}

// DefaultTiming suits a Raspberry Pi with an SD card behind a home's uplink.
func DefaultTiming() Timing {
	return Timing{
		Deadline: 3 * time.Minute, Renew: 30 * time.Second,
		Window: 10 * time.Second, Sample: 2 * time.Second, GateLimit: 5 * time.Minute, Link: time.Minute,
		Activate: time.Hour, Undo: 20 * time.Minute, Copy: 3 * time.Hour, Pull: 3 * time.Hour, Step: time.Minute,
	}
}

// Set changes some of the times: "NAME=DURATION,…", with the names of the fields
// in lower case ("deadline=30s,gatelimit=10m"). Tests shorten limits by it, and who
// has a slower machine than most can lengthen them.
func (t *Timing) Set(text string) error {
	for word := range strings.SplitSeq(text, ",") {
		name, value, _ := strings.Cut(strings.TrimSpace(word), "=")
		field := t.field(name)
		if field == nil {
			return fmt.Errorf("%q is none of the times %s", name, strings.Join(timingNames(), ", "))
		}
		d, err := time.ParseDuration(value)
		if err != nil || d < 0 || d > 24*time.Hour {
			return fmt.Errorf("%s=%s: want a duration from 0s to 24h", name, value)
		}
		*field = d
	}
	return nil
}

func timingNames() []string {
	return []string{"deadline", "renew", "window", "sample", "gatelimit", "link", "activate", "undo", "copy", "pull", "step"}
}

func (t *Timing) field(name string) *time.Duration {
	fields := []*time.Duration{&t.Deadline, &t.Renew, &t.Window, &t.Sample, &t.GateLimit, &t.Link, &t.Activate, &t.Undo, &t.Copy, &t.Pull, &t.Step}
	if i := slices.Index(timingNames(), name); i >= 0 {
		return fields[i]
	}
	return nil
}

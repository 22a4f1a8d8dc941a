package status

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"time"

	"pistack/internal/deploy"
)

// Judge compares what is known of a host.
func Judge(f Facts) Host {
	j := &judgement{Host: Host{Facts: f, Verdict: InSync}}
	if f.Err != nil {
		j.found(Unreachable, hintOf(f.Err), "%v", f.Err)
	} else {
		j.readReceipt()
		j.undo()
		j.lock()
		j.systems()
		j.containers()
		j.units()
		j.repository()
		j.boot()
		j.clock()
	}
	return j.end()
}

// judgement collects findings.
type judgement struct{ Host }

func (j *judgement) found(code Code, fix, format string, args ...any) {
	j.Findings = append(j.Findings, Finding{Code: code, Text: fmt.Sprintf(format, args...), Fix: fix})
}

// end sorts the findings and takes the first as the verdict.
func (j *judgement) end() Host {
	rank := func(c Code) int {
		if at := slices.Index(order(), c); at >= 0 {
			return at
		}
		return len(order())
	}
	slices.SortStableFunc(j.Findings, func(a, b Finding) int { return rank(a.Code) - rank(b.Code) })
	if len(j.Findings) > 0 && j.Findings[0].Code != Note {
		j.Verdict = j.Findings[0].Code
	}
	return j.Host
}

func (j *judgement) name() string { return j.Facts.Host.Name }

// hintOf is what an error says to do.
func hintOf(err error) string {
	if h, ok := err.(interface{ Hint() string }); ok {
		return h.Hint()
	}
	return ""
}

// readReceipt takes the machine's own receipt. It is for people: one that cannot
// be read is as good as none.
func (j *judgement) readReceipt() {
	if len(j.Survey.Receipt) == 0 {
		return
	}
	var r deploy.Receipt
	if err := json.Unmarshal(j.Survey.Receipt, &r); err != nil || r.Schema < 1 || r.New == "" {
		j.found(Note, "", "its receipt cannot be read")
		return
	}
	j.Receipt = &r
}

func (j *judgement) undo() {
	switch s := j.Survey; s.Undo {
	case "armed":
		j.found(UndoPending, "", "the undo timer of a deploy is armed: unless that deploy renews it, the machine goes back to what ran before")
	case "fired":
		j.found(UndoPending, "", "it is on its way back to what ran before a deploy")
	case "failed":
		j.found(UndoPending, "pistack deploy "+j.name(), "the undo of a deploy failed: what runs may be neither the old system nor the new one")
	case "done":
		j.found(Note, "", "the undo timer of a deploy brought it back to what ran before")
	}
}

func (j *judgement) lock() {
	o := j.Survey.Lock
	if o == nil {
		return
	}
	by := o.User
	if o.From != "" {
		by += " from " + o.From
	}
	text := fmt.Sprintf("locked by %s for %s (since %s)", by, age(j.Now.Sub(o.Since)), o.Since.UTC().Format(time.RFC3339))
	if o.Revision != "" {
		text += ", at " + short(o.Revision)
	}
	j.found(Deploying, "if that run is dead: pistack unlock "+j.name(), "%s", text)
}

// age is a time as people say it.
func age(d time.Duration) string {
	switch d = max(d, 0); {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm", d/time.Minute)
	case d < 48*time.Hour:
		return fmt.Sprintf("%dh", d/time.Hour)
	}
	return fmt.Sprintf("%dd", d/(24*time.Hour))
}

// systems compares the systems that run and boot with that of the receipt. What
// a deploy left is known by its outcome.
func (j *judgement) systems() {
	s, r, again := j.Survey, j.Receipt, "pistack deploy "+j.name()
	if r == nil {
		j.found(NeverDeployed, again, "there is no receipt: pistack never deployed to it, or its /var/lib was lost")
		if s.Running != s.Profile {
			j.found(ByHand, again, "it runs %s, and boots %s", store(s.Running), store(s.Profile))
		}
		return
	}
	switch {
	case s.Running == r.New && s.Profile == r.New:
	case r.Outcome == deploy.Staged && s.Profile == r.New:
		j.found(NeedsReboot, "pistack reboot "+j.name(), "the new system %s runs after a reboot", store(r.New))
	case r.Outcome == deploy.Tested && s.Running == r.New:
		j.found(Note, again, "the system of the last deploy, which was a test, runs until the next boot")
	case r.Outcome == deploy.Tested && s.Running == r.Old && s.Profile == r.Old:
		j.found(Note, again, "the last deploy was a test, and it has rebooted since")
	case s.Running == r.Old && s.Profile == r.Old && r.Old != "":
		j.found(ByHand, again, "it was brought back to the system before the last deploy, %s, and not by pistack", store(r.Old))
	case s.Running == r.New:
		j.found(ByHand, again, "it runs what was deployed last, but boots another system: generation %d, %s", s.Generation, store(s.Profile))
	case s.Profile == r.New:
		j.found(ByHand, again, "it boots what was deployed last, but runs another system: %s", store(s.Running))
	case s.Running == s.Profile:
		j.found(ByHand, again, "it runs and boots a system that pistack did not deploy: generation %d, %s", s.Generation, store(s.Running))
	default:
		j.found(ByHand, again, "it runs %s and boots generation %d, %s: pistack deployed neither", store(s.Running), s.Generation, store(s.Profile))
	}
}

// store is the telling part of a store path.
func store(path string) string {
	if path == "" {
		return "no system"
	}
	name := strings.TrimPrefix(path, "/nix/store/")
	if hash, rest, ok := strings.Cut(name, "-"); ok && len(hash) == 32 {
		return hash[:8] + "…-" + rest
	}
	return path
}

// short is the beginning of a commit's name.
func short(revision string) string { return revision[:min(12, len(revision))] }

func (j *judgement) units() {
	if failed := j.Survey.Failed; len(failed) > 0 {
		fix := fmt.Sprintf("pistack exec %s -- journalctl -n 20 -u %s", j.name(), failed[0])
		if stack, ok := strings.CutPrefix(strings.TrimSuffix(failed[0], ".service"), "pistack-"); ok && slices.Contains(j.Survey.Stacks, stack) {
			fix = fmt.Sprintf("pistack logs --unit %s %s", j.name(), stack)
		}
		j.found(Failed, fix, "failed: %s", some(failed))
	}
}

const shown = 5

// some joins names, and counts those beyond the first.
func some(names []string) string {
	if len(names) <= shown {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:shown], ", "), len(names)-shown)
}

func (j *judgement) boot() {
	if j.Survey.Reboot {
		j.found(NeedsReboot, "pistack reboot "+j.name(), "kernel, initrd or modules of its system are not those that were booted")
	}
}

const clockTolerance = time.Minute

func (j *judgement) clock() {
	if off := j.Survey.Now.Sub(j.Now).Abs(); off > clockTolerance {
		j.found(Note, "", "its clock is off by %s", age(off))
	}
}

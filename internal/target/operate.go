package target

import (
	"context"
	"fmt"
	"time"

	"pistack/internal/remote"
)

// Boot is one life of a machine.
type Boot struct {
	ID       string // another after every boot
	Starting bool   // its units are still being started
}

// Boot asks which boot this is, over a connection of its own. limit is how long
// the machine may take to answer.
func (m Machine) Boot(ctx context.Context, limit time.Duration) (Boot, error) {
	var b Boot
	s := step{script: "boot.sh", says: "asking which boot this is", fresh: true, limit: limit}
	err := m.ask(ctx, s, func(a *answer) { b = Boot{a.text("boot_id"), a.yes("starting")} })
	if err != nil {
		return Boot{}, err
	}
	return b, nil
}

// Receipts are those of the last deploys, the oldest first, as they were written.
func (m Machine) Receipts(ctx context.Context) ([][]byte, error) {
	var all [][]byte
	s := step{script: "receipts.sh", says: "asking for receipts", output: 16 << 20}
	err := m.ask(ctx, s, func(a *answer) {
		for _, value := range a.list("receipt") {
			a.values["one"] = []string{value}
			all = append(all, a.bytes("one"))
		}
	})
	if err != nil {
		return nil, err
	}
	return all, nil
}

// Contents is what a system in the machine's store would run.
type Contents struct {
	Kernel string // store path
	Images []string
}

// Contents asks for them. A system that is not in the store is an error.
func (m Machine) Contents(ctx context.Context, system string) (Contents, error) {
	var c Contents
	s := step{script: "contents.sh", says: "looking into " + system, args: []string{system}, output: 4 << 20}
	err := m.ask(ctx, s, func(a *answer) {
		c.Kernel = a.path("kernel")
		seen := map[string]bool{}
		for _, value := range a.list("image") {
			reference := a.fields("image", value, 2)[1]
			if !seen[reference] {
				seen[reference] = true
				c.Images = append(c.Images, reference)
			}
		}
	})
	if err != nil {
		return Contents{}, err
	}
	return c, nil
}

// Exec runs a program as root, which reads nothing, and passes on each line of
// its output. How it ended is the *remote.ExitError.
func (m Machine) Exec(ctx context.Context, argv []string, limit time.Duration, line func(string)) error {
	return m.program(ctx, step{script: "exec.sh", says: "running " + argv[0], args: argv, limit: limit, line: orNobody(line)})
}

// program runs a step that ends as a program of somebody else's does: no exit
// status has a meaning of ours.
func (m Machine) program(ctx context.Context, s step) error {
	_, err := m.shell.Run(ctx, remote.Call{Host: m.host, Step: s.says, Script: script(s.script), Args: s.args, Limit: s.limit, Line: s.line, Output: 1})
	return err
}

// Checkup is what only a doctor asks a machine.
type Checkup struct {
	State
	Login      string // who logs in
	Trusted    bool   // and may add to the store what nobody signed
	Writable   bool   // the store's database can be written
	Secrets    string // file system of the installed secrets: "ramfs", "tmpfs"; empty for none
	StoreTotal int64  // bytes of the store's file system

	Docker       string // version of the daemon; empty when it does not answer
	CgroupMemory bool   // Docker's memory limits work
	Synchronised bool   // the clock
}

// Checkup asks all that can be asked in one session. It changes nothing.
func (m Machine) Checkup(ctx context.Context) (Checkup, error) {
	var c Checkup
	err := m.askAll(ctx, step{says: "asking how it is", output: 4 << 20},
		part{script: "probe.sh", read: func(a *answer) { c.State = a.state() }},
		part{script: "doctor.sh", read: c.read})
	if err != nil {
		return Checkup{}, err
	}
	return c, nil
}

func (c *Checkup) read(a *answer) {
	c.Login, c.Trusted, c.Writable, c.Secrets = a.text("login"), a.yes("trusted"), a.yes("writable"), a.text("secrets")
	c.StoreTotal, c.Docker, c.CgroupMemory, c.Synchronised = a.number("store_total", true), a.text("docker"), a.yes("memory"), a.yes("synchronised")
}

// Output says which lines of a log are wanted.
type Output struct {
	Lines  int           // the last of them; negative for all
	Since  time.Duration // of the last so long; 0 for all
	Follow bool          // go on with those to come, until ctx ends
	Unit   bool          // of the stack's systemd unit instead of its containers
	Stamps bool          // each container's line begins with its time; a unit's always does
}

// Logs passes on the lines of a stack's log.
func (m Machine) Logs(ctx context.Context, stack string, o Output, line func(string)) error {
	argv := o.compose(stack)
	if o.Unit {
		argv = o.journal(stack)
	}
	s := step{script: "logs.sh", says: "reading the log of " + stack, args: argv, limit: logsLimit, line: func(text string) {
		if text != stillThere {
			line(text)
		}
	}}
	if o.Follow {
		s.limit = followLimit
	}
	return m.program(ctx, s)
}

const (
	stillThere  = "pistack: still there" // as in logs.sh
	logsLimit   = 10 * time.Minute
	followLimit = 30 * 24 * time.Hour
)

func (o Output) compose(stack string) []string {
	argv := []string{"docker", "compose", "--project-name", stack, "logs", "--no-color", "--tail", "all"}
	if o.Lines >= 0 {
		argv[len(argv)-1] = fmt.Sprint(o.Lines)
	}
	if o.Since > 0 {
		argv = append(argv, "--since", seconds(o.Since))
	}
	if o.Stamps {
		argv = append(argv, "--timestamps")
	}
	if o.Follow {
		argv = append(argv, "--follow")
	}
	return argv
}

func (o Output) journal(stack string) []string {
	argv := []string{"journalctl", "--unit", "pistack-" + stack + ".service", "--no-pager", "--output", "short-iso", "--lines", "all"}
	if o.Lines >= 0 {
		argv[len(argv)-1] = fmt.Sprint(o.Lines)
	}
	if o.Since > 0 {
		argv = append(argv, "--since=-"+seconds(o.Since))
	}
	if o.Follow {
		argv = append(argv, "--follow")
	}
	return argv
}

// seconds is a time that Docker and systemd both read, rounded up.
func seconds(d time.Duration) string { return fmt.Sprintf("%ds", (d+time.Second-1)/time.Second) }

package target

import (
	"bytes"
	"context"
	"fmt"
	"strconv"
	"strings"
)

// Survey is all that a status needs to know of a machine.
type Survey struct {
	State
	Docker     string   // version of the daemon; empty when it does not answer
	Stacks     []string // of the running system, sorted
	Images     []StackImage
	Containers []StackContainer
	Counted    bool // Docker told which containers there are
}

// StackImage is an image that a stack of the running system is to run.
type StackImage struct{ Stack, Reference string }

// StackContainer is a container of a Compose project, and what Docker does when
// it ends: "no", "always", "unless-stopped", "on-failure".
type StackContainer struct {
	Container
	Restart string
}

// Survey asks what the machine is and runs, and how its containers are, in one
// session. It changes nothing, and takes no lock.
func (m Machine) Survey(ctx context.Context) (Survey, error) {
	s := step{script: "survey.sh", says: "asking what it is and runs", output: 8 << 20}
	first, second, err := m.both(ctx, "probe.sh", s)
	if err != nil {
		return Survey{}, err
	}
	v := Survey{State: first.state(), Docker: second.text("docker"), Counted: second.yes("known"), Stacks: second.sorted("stack")}
	for _, value := range second.list("image") {
		part := second.fields("image", value, 2)
		v.Images = append(v.Images, StackImage{part[0], part[1]})
	}
	for _, value := range second.list("container") {
		v.Containers = append(v.Containers, second.stackContainer(value))
	}
	for _, a := range []*answer{first, second} {
		if err := a.finish(); err != nil {
			return Survey{}, m.nonsense(s, err)
		}
	}
	return v, nil
}

// both runs another script before a step's own, in the same session, and gives
// the answers of the two.
func (m Machine) both(ctx context.Context, before string, s step) (first, second *answer, err error) {
	out, err := m.text(ctx, script(before)+"\n"+script(s.script), s)
	if err != nil {
		return nil, nil, err
	}
	end := []byte("\nend\t\n")
	at := bytes.Index(out, end)
	if at < 0 {
		return nil, nil, m.nonsense(s, fmt.Errorf("its end is missing"))
	}
	at += len(end)
	if first, err = parse(out[:at]); err == nil {
		second, err = parse(out[at:])
	}
	if err != nil {
		return nil, nil, m.nonsense(s, err)
	}
	return first, second, nil
}

func (a *answer) stackContainer(value string) StackContainer {
	part := a.fields("container", value, 10)
	return StackContainer{
		Container: Container{
			Stack: a.quoted(part[0]), Service: a.quoted(part[1]), Name: strings.TrimPrefix(a.quoted(part[2]), "/"), ID: part[3], Image: a.quoted(part[4]),
			State: part[5], Health: part[6], ExitCode: a.integer("container", part[7]), Restarts: a.integer("container", part[8]),
		},
		Restart: part[9],
	}
}

// quoted reads a text as Go's %q writes it.
func (a *answer) quoted(part string) string {
	text, err := strconv.Unquote(part)
	if err != nil {
		a.wrong("%s is no quoted text", part)
	}
	return text
}

package target

import (
	"context"
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
	var v Survey
	err := m.askAll(ctx, step{says: "asking what it is and runs", output: 8 << 20},
		part{script: "probe.sh", read: func(a *answer) { v.State = a.state() }},
		part{script: "survey.sh", read: v.read})
	if err != nil {
		return Survey{}, err
	}
	return v, nil
}

func (v *Survey) read(a *answer) {
	v.Docker, v.Counted, v.Stacks = a.text("docker"), a.yes("known"), a.sorted("stack")
	for _, value := range a.list("image") {
		part := a.fields("image", value, 2)
		v.Images = append(v.Images, StackImage{part[0], part[1]})
	}
	for _, value := range a.list("container") {
		v.Containers = append(v.Containers, a.stackContainer(value))
	}
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

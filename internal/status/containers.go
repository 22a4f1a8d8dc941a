package status

import (
	"fmt"
	"slices"

	"pistack/internal/target"
)

// containers compares what Docker runs with what the running system says of its
// stacks: each stack has containers, each image that it lists is that of one, and
// all are up.
func (j *judgement) containers() {
	s := j.Survey
	if len(s.Stacks) == 0 && len(s.Images) == 0 {
		return
	}
	if !s.Counted {
		j.found(Drifted, "pistack exec "+j.name()+" -- systemctl status docker", "Docker does not answer: nothing is known of its containers")
		return
	}
	for _, stack := range stacksOf(s) {
		j.stack(stack)
	}
	if others := strangers(s); len(others) > 0 {
		j.found(Note, "", "containers of Compose projects that the running system does not know: %s", some(others))
	}
}

// stacksOf lists the stacks of the running system.
func stacksOf(s target.Survey) []string {
	all := slices.Clone(s.Stacks)
	for _, i := range s.Images {
		all = append(all, i.Stack)
	}
	slices.Sort(all)
	return slices.Compact(all)
}

func (j *judgement) stack(name string) {
	var have []target.StackContainer
	for _, c := range j.Survey.Containers {
		if c.Stack == name {
			have = append(have, c)
		}
	}
	var wrong []string
	switch {
	case len(have) == 0:
		wrong = []string{"it has no containers"}
	default:
		wrong = append(conditions(have), j.images(name, have)...)
	}
	if len(wrong) > 0 {
		j.found(Drifted, j.mend(name), "stack %s: %s", name, some(wrong))
	}
}

// mend is how a stack is brought back: its unit runs "docker compose up".
func (j *judgement) mend(stack string) string {
	return fmt.Sprintf("pistack logs %[1]s %[2]s; to bring it back: pistack exec %[1]s -- systemctl start pistack-%[2]s", j.name(), stack)
}

// conditions says what is wrong with containers.
func conditions(have []target.StackContainer) []string {
	var wrong []string
	for _, c := range have {
		if text := condition(c); text != "" {
			wrong = append(wrong, c.Name+" "+text)
		}
	}
	return wrong
}

// condition is empty for a container that is as it should be. One that ended with
// 0 is, when Docker is not to start it again.
func condition(c target.StackContainer) string {
	switch {
	case c.Health == "unhealthy":
		return "is unhealthy"
	case c.State == "running":
		return ""
	case c.State == "exited" && c.ExitCode == 0 && c.Restart != "always" && c.Restart != "unless-stopped":
		return ""
	case c.State == "exited":
		return fmt.Sprintf("exited with %d", c.ExitCode)
	}
	return "is " + c.State
}

// images says which images of a stack no container has, and which containers have
// others. A system that lists none says nothing.
func (j *judgement) images(stack string, have []target.StackContainer) []string {
	var listed, wrong []string
	for _, i := range j.Survey.Images {
		if i.Stack == stack {
			listed = append(listed, i.Reference)
		}
	}
	if len(listed) == 0 {
		return nil
	}
	for _, c := range have {
		if !slices.Contains(listed, c.Image) {
			wrong = append(wrong, c.Name+" runs another image: "+c.Image)
		}
	}
	for _, reference := range listed {
		if !slices.ContainsFunc(have, func(c target.StackContainer) bool { return c.Image == reference }) {
			wrong = append(wrong, "no container of "+reference)
		}
	}
	return wrong
}

// strangers lists the Compose projects of containers that are no stack's.
func strangers(s target.Survey) []string {
	known := stacksOf(s)
	var others []string
	for _, c := range s.Containers {
		if !slices.Contains(known, c.Stack) && !slices.Contains(others, c.Stack) {
			others = append(others, c.Stack)
		}
	}
	slices.Sort(others)
	return others
}

// Up counts the containers of stacks, and those of them that are as they should be.
func (h Host) Up() (up, all int) {
	known := stacksOf(h.Survey)
	for _, c := range h.Survey.Containers {
		if !slices.Contains(known, c.Stack) {
			continue
		}
		all++
		if condition(c) == "" {
			up++
		}
	}
	return up, all
}

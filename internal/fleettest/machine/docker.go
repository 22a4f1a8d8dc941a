//go:build linux

package main

import (
	"cmp"
	"fmt"
	"os"
	"slices"
	"strings"
	"text/template"
	"time"

	"pistack/internal/fleettest/model"
)

// docker knows the commands that pistack gives it; --format is a real template.
func docker(args []string) int {
	var s model.State
	state(func(now *model.State) error { s = *now; return nil })
	if s.NoDocker {
		return say(1, "Cannot connect to the Docker daemon at unix:///var/run/docker.sock. Is the docker daemon running?")
	}
	words, format := dockerWords(args)
	switch {
	case len(args) > 3 && args[0] == "compose" && args[1] == "--project-name" && args[3] == "logs":
		return composeLogs(args[2], slices.Contains(args, "--follow"))
	case len(words) >= 1 && words[0] == "version":
		fmt.Println("26.1.5")
	case len(words) >= 1 && words[0] == "ps":
		for _, c := range s.Containers {
			fmt.Println(c.ID)
		}
	case len(words) >= 3 && words[0] == "image" && words[1] == "inspect":
		return inspectImages(s, words[2:])
	case len(words) >= 1 && words[0] == "inspect":
		return inspect(s, format, words[1:])
	case len(words) == 2 && words[0] == "pull":
		return pull(words[1])
	case len(words) == 2 && words[0] == "logs":
		return logs(s, words[1])
	default:
		return say(1, "docker: '%s' is not a docker command.", strings.Join(args, " "))
	}
	return 0
}

// dockerWords are the arguments that are no options.
func dockerWords(args []string) (words []string, format string) {
	for i := 0; i < len(args); i++ {
		switch args[i] {
		case "--format":
			i++
			format = args[i]
		case "--filter", "--tail", "--type":
			i++
		case "--all", "--quiet", "--no-trunc":
		default:
			words = append(words, args[i])
		}
	}
	return words, format
}

func inspectImages(s model.State, images []string) int {
	code := 0
	for _, image := range images {
		if !slices.Contains(s.Images, image) {
			code = say(1, "Error: No such image: %s", image)
		}
	}
	return code
}

func inspect(s model.State, format string, ids []string) int {
	t, err := template.New("").Parse(format)
	check(err)
	code := 0
	for _, id := range ids {
		i := slices.IndexFunc(s.Containers, func(c model.Container) bool { return c.ID == id })
		if i < 0 {
			code = say(1, "Error: No such container: %s", id)
			continue
		}
		check(t.Execute(os.Stdout, look(s.Containers[i])))
		fmt.Println()
	}
	return code
}

// inspected is what a template of "docker inspect" can name: Go's fields, as in
// Docker itself.
type inspected struct {
	ID, Name     string
	RestartCount int
	Config       struct {
		Image  string
		Labels map[string]string
	}
	State struct {
		Status   string
		ExitCode int
		Health   *struct{ Status string }
	}
	HostConfig struct{ RestartPolicy struct{ Name string } }
}

func look(c model.Container) inspected {
	i := inspected{ID: c.ID, Name: "/" + c.Name, RestartCount: c.Restarts}
	i.Config.Image = c.Image
	i.Config.Labels = map[string]string{"com.docker.compose.project": c.Project, "com.docker.compose.service": c.Service}
	i.State.Status, i.State.ExitCode = cmp.Or(c.State, "running"), c.ExitCode
	if c.Health != "" {
		i.State.Health = &struct{ Status string }{c.Health}
	}
	i.HostConfig.RestartPolicy.Name = cmp.Or(c.Restart, "unless-stopped")
	return i
}

func pull(image string) int {
	absent := false
	state(func(s *model.State) error {
		if absent = slices.Contains(s.Absent, image); !absent && !slices.Contains(s.Images, image) {
			s.Images = append(s.Images, image)
		}
		return nil
	})
	if absent {
		return say(1, "Error response from daemon: manifest for %s not found", image)
	}
	fmt.Printf("Pulling from %s\nStatus: Downloaded newer image for %s\n", image, image)
	if config := os.Getenv("DOCKER_CONFIG"); config != "" {
		fmt.Println("credentials of", config)
	}
	return 0
}

// composeLogs writes what the containers of a project logged and, when it follows,
// what they log until it is killed.
func composeLogs(project string, follow bool) int {
	for seen := map[string]int{}; ; time.Sleep(tick) {
		var all []model.Container
		state(func(s *model.State) error { all = s.Containers; return nil })
		for _, c := range all {
			if c.Project != project {
				continue
			}
			for _, line := range c.Log[min(seen[c.ID], len(c.Log)):] {
				fmt.Printf("%s  | %s\n", c.Name, line)
			}
			seen[c.ID] = len(c.Log)
		}
		if !follow {
			return 0
		}
	}
}

func logs(s model.State, id string) int {
	for _, c := range s.Containers {
		if c.ID == id {
			fmt.Println(strings.Join(c.Log, "\n"))
			return 0
		}
	}
	return say(1, "Error response from daemon: No such container: %s", id)
}

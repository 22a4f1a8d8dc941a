package rules

import (
	"fmt"
	"slices"

	"pistack/compose"
)

func stateBind() Rule {
	return Rule{
		Code: "state-bind", Severity: compose.Note, check: stateBinds, local: true,
		Summary: "a relative path is state, and has another place on the device",
		Why: `A relative path that a .gitignore lists is state: on the device it is /var/lib/pistack/STACK/PATH. It is empty at first, whatever
the folder on the workstation holds; root owns it, so that a container which runs as another user may not be able to write;
and a backup of Docker's volumes does not contain it.`,
		Fix: `Nothing, if that is what you want: accept it. A named volume takes owner and first content from the image, and is in every
backup of volumes. A file that is the same on every host should be tracked by Git.`,
		Example: `services:
  home-assistant:
    volumes: ["./config:/config"]
    x-pistack:
      accept:
        state-bind: it writes its configuration itself, and runs as root`,
	}
}

func stateBinds(h host) []problem {
	var problems []problem
	for _, s := range h.services() {
		i := slices.IndexFunc(s.stack.Services, func(c compose.Service) bool { return c.Name == s.Name })
		if i < 0 {
			continue
		}
		for _, b := range s.stack.Services[i].State {
			at := s.place("volumes")
			for n, v := range s.Volumes {
				if v.Target == b.Target {
					at = s.item(n, v.Source, "volumes")
				}
			}
			problems = append(problems, s.problem(at,
				fmt.Sprintf("%s of service %s is /var/lib/pistack/%s/%s on the device, empty at first and owned by root", b.Path, s.Name, s.stack.Name, b.Path),
				"accept it if that is meant, use a named volume, or track the path with Git"))
		}
	}
	return problems
}

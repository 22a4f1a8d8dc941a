package editor

import "strings"

func noMemory(problems []string) error {
	return &Refusal{
		Message: "there is no folder in memory to edit in: " + strings.Join(problems, "; "),
		Fix:     "mount one: mount -t tmpfs -o mode=1777 tmpfs /dev/shm, or edit in a pipe: pisec show HOST NAME | sed … | pisec add --replace HOST NAME",
	}
}

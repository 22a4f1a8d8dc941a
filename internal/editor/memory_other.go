//go:build !linux

package editor

func noMemory([]string) error {
	return &Refusal{
		Message: "this system has no file system that stays in memory, and the text must not reach a disk",
		Fix:     "edit in a pipe: pisec show HOST NAME | sed … | pisec add --replace HOST NAME, or type it: pisec add --replace HOST NAME",
	}
}

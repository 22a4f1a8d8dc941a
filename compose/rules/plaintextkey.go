package rules

import (
	"fmt"
	"io"
	"io/fs"
	"strings"

	"pistack/compose"
	"pistack/compose/plain"
)

func plaintextKey() Rule {
	return Rule{
		Code: "plaintext-key", Severity: compose.Error, check: plaintextKeys, local: true,
		Summary: "a key stands in clear in a file of the repository",
		Why: `Provider keys, tokens and private keys are told by how they are written. One in a Compose file, a .env, a mounted
configuration file or host.toml is in Git for everybody who ever clones it, in the Nix store of the device, and readable
there by every user. All files that a stack sends to the device are looked through, comments too. The value is never shown.`,
		Fix: `Revoke the key: history keeps it, whatever you do to the file. Then give the new one to pisec add, and refer to it by name.
A key that is public by design, as some of Google's for web pages are, can be accepted at the file's top level.`,
		Example: `environment:
  OPENAI_API_KEY: ${OPENAI_KEY}   # pisec add rpi-box-01 OPENAI_KEY`,
	}
}

// maxSearched bounds a file that is looked through, in bytes; larger ones are
// data. maxFiles bounds the files of a stack.
const (
	maxSearched = 1 << 20
	maxFiles    = 2000
)

func plaintextKeys(h host) []problem {
	var problems []problem
	finder := plain.NewKeys()
	for _, s := range h.stacks {
		files := h.repositoryFiles(s)
		for _, file := range files[:min(len(files), maxFiles)] {
			for _, p := range h.keysIn(finder, file) {
				p.stack = s.Name
				problems = append(problems, p)
			}
		}
	}
	for _, v := range h.Env {
		if kind, _ := finder.Find(v.Value); kind != "" {
			problems = append(problems, keyProblem(h, kind, v.At))
		}
	}
	return problems
}

// keysIn looks through a file, line by line.
func (h host) keysIn(finder plain.Keys, file string) []problem {
	content := h.read(file)
	possible := finder.In(content)
	if possible.Empty() {
		return nil
	}
	var problems []problem
	number := 0
	for line := range strings.SplitSeq(content, "\n") {
		number++
		if kind, column := possible.Find(line); kind != "" {
			problems = append(problems, keyProblem(h, kind, compose.Position{File: file, Line: number, Column: column}))
		}
	}
	return problems
}

func keyProblem(h host, kind string, at compose.Position) problem {
	return problem{
		at: at, message: fmt.Sprintf("a %s stands here in clear", kind),
		fix: fmt.Sprintf("revoke it, since Git keeps it; pisec add %s NAME takes the new one, and ${NAME} refers to it", h.Name),
	}
}

// read gives a text file of the repository, or nothing.
func (h host) read(file string) string {
	if h.Repository == nil {
		return ""
	}
	info, err := fs.Stat(h.Repository, file)
	if err != nil || !info.Mode().IsRegular() || info.Size() > maxSearched {
		return ""
	}
	f, err := h.Repository.Open(file)
	if err != nil {
		return ""
	}
	defer f.Close()
	data, err := io.ReadAll(io.LimitReader(f, maxSearched))
	if err != nil || strings.ContainsRune(string(data), 0) {
		return ""
	}
	return string(data)
}

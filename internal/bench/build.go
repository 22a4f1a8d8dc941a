package main

import (
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	contextFiles = 10_000
	contextEach  = 4 << 10 // bytes
)

// buildBench measures the hash of what an image is built from.
type buildBench struct {
	*bench
	pistack string
}

func (b *buildBench) run() error {
	root := filepath.Join(b.dir, "build")
	if err := b.write(root); err != nil {
		return err
	}
	index := filepath.Join(root, ".git", "index")
	contestants := []contestant{
		{"pistack build", func() (cost, error) {
			return timed(exec.Command(b.pistack, "build", "--dry-run", "--fleet", root))
		}},
		{"git add", func() (cost, error) {
			if err := os.Remove(index); err != nil && !errors.Is(err, os.ErrNotExist) {
				return cost{}, err
			}
			return timed(exec.Command("git", "-C", root, "add", "--all"))
		}},
		{"tar", func() (cost, error) {
			return timed(exec.Command("sh", "-c", `tar -C "$0" -c stacks/big/app | sha256sum`, root))
		}},
	}
	took, err := takeTurns(7, contestants)
	if err != nil {
		return err
	}
	what := fmt.Sprintf("build --dry-run, the whole process: hash of a context of %d files of %d KiB", contextFiles, contextEach>>10)
	b.rows = append(b.rows,
		within(what, took[0], time.Second),
		beside(what, took[0], "git add --all of the same, without an index", took[1], 0.5),
		beside(what, took[0], "tar -c | sha256sum of the same", took[2], 0.5),
	)
	return printTable(os.Stdout, b.rows)
}

// write makes a fleet with one image of many files.
func (b *buildBench) write(root string) error {
	files := map[string]string{
		"fleet.toml":                   "operators = [\"age1ql3z7hjy54pw3hyww5ayyfg7zqgvc7w3j2elw8zmrj2kg5sfn9aqmcac8p\"]\nregistry = \"127.0.0.1:1/bench\"\n",
		"hosts/pi/host.toml":           "address = \"pi.example.org\"\nsystem = \"aarch64-linux\"\nstacks = [\"big\"]\n",
		"stacks/big/compose.yaml":      "services:\n  app:\n    build: app\n",
		"stacks/big/app/Dockerfile":    "FROM scratch\nCOPY . /\n",
		"stacks/big/app/.dockerignore": "*.log\n**/*.tmp\nnode_modules\n!**/keep.tmp\n",
	}
	for i := range contextFiles {
		files[fmt.Sprintf("stacks/big/app/src/%02d/%02d/file-%05d.txt", i%100, i/100%10, i)] = strings.Repeat(fmt.Sprintf("line %d\n", i), contextEach/10)
	}
	for name, text := range files {
		file := filepath.Join(root, name)
		if err := errors.Join(os.MkdirAll(filepath.Dir(file), 0o755), os.WriteFile(file, []byte(text), 0o644)); err != nil {
			return err
		}
	}
	for _, args := range [][]string{{"init", "-q"}, {"add", "--all"}} {
		if _, err := timed(exec.Command("git", append([]string{"-C", root}, args...)...)); err != nil {
			return err
		}
	}
	return nil
}

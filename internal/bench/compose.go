package main

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"
)

const (
	composeRuns = 1000      // of the peer, one for each stack of the fleet
	mostLoaded  = 500 << 10 // KiB
)

// composeBench is the part of a bench about stacks: an example fleet and a large
// one, both in Git and with nothing generated yet.
type composeBench struct {
	*bench
	pistack       string
	compose       string // "docker compose" as one would type it
	compose2nix   string
	noCompose2nix string
	example       string
	large         string
}

// run measures what reads stacks.
func (b *composeBench) run() error {
	for _, measure := range []func() error{b.small, b.big, b.diff} {
		if err := measure(); err != nil {
			return err
		}
	}
	return printTable(os.Stdout, b.rows)
}

// in makes a command of pistack on a fleet, with a cache of its own.
func (b *composeBench) in(fleet string, args ...string) *exec.Cmd {
	cmd := exec.Command(b.pistack, args...)
	cmd.Dir = fleet
	cmd.Env = append(os.Environ(), "XDG_CACHE_HOME="+b.cache())
	return cmd
}

func (b *composeBench) cache() string { return filepath.Join(b.dir, "cache") }

// forget removes what an earlier run left, so that the next starts from nothing.
func (b *composeBench) forget(fleet string) error {
	if err := os.RemoveAll(b.cache()); err != nil {
		return err
	}
	_, err := timed(exec.Command("git", "-C", fleet, "clean", "-fdqx"))
	return err
}

// both runs check and generate, as one would before a commit.
func (b *composeBench) both(fleet string) (cost, error) {
	check, err := timed(b.in(fleet, "check"))
	if err != nil {
		return check, err
	}
	generate, err := timed(b.in(fleet, "generate"))
	return cost{check.wall + generate.wall, check.cpu + generate.cpu}, err
}

func (b *composeBench) cold(fleet string) (cost, error) {
	if err := b.forget(fleet); err != nil {
		return cost{}, err
	}
	return b.both(fleet)
}

func (b *composeBench) small() error {
	took, err := best(7, func() (cost, error) { return b.cold(b.example) })
	if err != nil {
		return err
	}
	b.rows = append(b.rows, within("check + generate of the example fleet, from cold", took, 150*time.Millisecond))
	return nil
}

func (b *composeBench) big() error {
	contestants := []contestant{
		{"pistack", func() (cost, error) { return b.cold(b.large) }},
		{"docker compose config -q, 1,000 runs", b.configAll},
	}
	least := []float64{25}
	if b.compose2nix != "" {
		contestants, least = append(contestants, contestant{"compose2nix, 1,000 runs", b.compose2nixAll}), append(least, 1)
	}
	took, err := takeTurns(2, contestants)
	if err != nil {
		return err
	}
	const what = "check + generate of 1,000 stacks on 200 hosts"
	for i, c := range contestants[1:] {
		b.rows = append(b.rows, beside(what+", from cold", took[0], c.name, took[i+1], least[i]))
	}
	if b.compose2nix == "" {
		b.rows = append(b.rows, missing(what, "compose2nix", b.noCompose2nix))
	}
	b.rows = append(b.rows, within(what+", from cold", took[0], 12*time.Second))
	warm, err := best(5, func() (cost, error) { return b.both(b.large) })
	if err != nil {
		return err
	}
	b.rows = append(b.rows, within(what+", nothing changed", warm, 1500*time.Millisecond))
	return b.memoryOf(what)
}

func (b *composeBench) memoryOf(what string) error {
	if err := b.forget(b.large); err != nil {
		return err
	}
	self, err := os.Executable()
	if err != nil {
		return err
	}
	cmd := b.in(b.large, "check")
	cmd.Path, cmd.Args = self, append([]string{self, peakArgument}, cmd.Args...)
	out, err := cmd.Output()
	if err != nil {
		return err
	}
	var most int64
	if _, err := fmt.Sscan(string(out), &most); err != nil {
		return err
	}
	b.rows = append(b.rows, row{"peak memory of " + what, fmt.Sprintf("%.0f MiB", float64(most)/1024), "-", "-", "under 500 MB", verdict(most < mostLoaded)})
	return nil
}

// configAll runs the peer once for each stack, as a shell loop would.
func (b *composeBench) configAll() (cost, error) {
	return b.eachStack(append(strings.Fields(b.compose), "config", "-q"))
}

func (b *composeBench) compose2nixAll() (cost, error) {
	return b.eachStack([]string{b.compose2nix, "-inputs", "compose.yaml", "-project", "stack", "-runtime", "docker", "-output", filepath.Join(b.dir, "out.nix"), "-include_env_files=true", "-env_files", ".env"})
}

func (b *composeBench) eachStack(argv []string) (cost, error) {
	stacks, err := filepath.Glob(filepath.Join(b.large, "stacks", "*"))
	if err != nil || len(stacks) != composeRuns {
		return cost{}, fmt.Errorf("%d stacks instead of %d: %w", len(stacks), composeRuns, err)
	}
	var all cost
	for _, dir := range stacks {
		cmd := exec.Command(argv[0], argv[1:]...)
		cmd.Dir = dir
		cmd.Env = append(os.Environ(), "TZ=UTC", "API_KEY=x", "DB_PASSWORD=y")
		took, err := timed(cmd)
		if err != nil {
			return all, err
		}
		all = cost{all.wall + took.wall, all.cpu + took.cpu}
	}
	return all, nil
}

// diff measures what one changed stack does.
func (b *composeBench) diff() error {
	file := filepath.Join(b.large, "stacks", "stack-0500", ".env")
	if err := os.WriteFile(file, []byte("TAG=1.2.4\nLEVEL=info\n"), 0o644); err != nil {
		return err
	}
	took, err := best(5, func() (cost, error) { return timed(b.in(b.large, "diff")) })
	if err != nil {
		return err
	}
	b.rows = append(b.rows, within("diff of a change of one stack, of 1,000", took, time.Second))
	return nil
}

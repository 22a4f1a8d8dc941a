package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"time"
)

const (
	auditedHosts  = 20
	auditedEach   = 20 // secrets of each
	auditedRounds = 10 // in each of which every host gets a new key
)

// audit measures the search of a history in which every machine was replaced
// again and again.
func (b *bench) audit() error {
	f, err := newFleet(filepath.Join(b.dir, "audit"), auditedHosts)
	if err != nil {
		return err
	}
	if err := b.writeHistory(f); err != nil {
		return err
	}
	took, err := best(5, func() (cost, error) {
		return timed(exec.Command(b.pisec, "audit", "--fleet", f.root), findsThings)
	})
	if err != nil {
		return err
	}
	what := fmt.Sprintf("audit of a history of %d ciphertexts", auditedHosts*auditedEach*auditedRounds)
	b.rows = append(b.rows, within(what, took, 3*time.Second))
	return empty(f.root)
}

func (b *bench) writeHistory(f fleet) error {
	if err := f.git("init", "-q"); err != nil {
		return err
	}
	for i := range auditedHosts {
		if _, err := f.fill(hostName(i), auditedEach); err != nil {
			return err
		}
	}
	for round := range auditedRounds {
		if round > 0 {
			for i := range auditedHosts {
				if err := f.pin(hostName(i)); err != nil {
					return err
				}
			}
			if _, err := timed(exec.Command(b.pisec, "rekey", "--yes", "--fleet", f.root, "--identity", f.identity)); err != nil {
				return err
			}
		}
		for _, args := range [][]string{{"add", "-A", "fleet.toml", "hosts"}, {"commit", "-qm", fmt.Sprint("round ", round)}} {
			if err := f.git(args...); err != nil {
				return err
			}
		}
	}
	return nil
}

func (f fleet) git(args ...string) error {
	_, err := timed(exec.Command("git", append([]string{"-C", f.root, "-c", "user.name=bench", "-c", "user.email=bench@example.org"}, args...)...))
	return err
}

package main

import (
	"fmt"
	"os/exec"
	"path/filepath"
	"strconv"
	"time"
)

const (
	largeHosts  = 200
	largeEach   = 100 // secrets of each
	findsThings = 3   // exit status of "pisec verify" with findings: most secrets are used by nobody
)

// large measures the commands that read a large fleet.
func (b *bench) large() error {
	f, err := newFleet(filepath.Join(b.dir, "large"), largeHosts)
	if err != nil {
		return err
	}
	for i := range largeHosts {
		if _, err := f.fill(hostName(i), largeEach); err != nil {
			return err
		}
	}
	verify, err := best(3, func() (cost, error) {
		return timed(exec.Command(b.pisec, "verify", "--fleet", f.root), findsThings)
	})
	if err != nil {
		return err
	}
	list, err := best(5, func() (cost, error) {
		return timed(exec.Command(b.pisec, "list", "--fleet", f.root, hostName(7)))
	})
	if err != nil {
		return err
	}
	n := 0
	add, err := best(10, func() (cost, error) {
		n++
		return timed(exec.Command(b.pisec, "add", "--fleet", f.root, hostName(7), "ADDED_"+strconv.Itoa(n), "--file", f.identity))
	})
	if err != nil {
		return err
	}
	where := fmt.Sprintf("in a fleet of %d hosts", largeHosts)
	b.rows = append(b.rows,
		within("verify of 20,000 files, "+where, verify, 2*time.Second),
		within("list of a host with 100 secrets, "+where, list, 50*time.Millisecond),
		within("add, the whole process, durable, "+where, add, 30*time.Millisecond))
	return nil
}

package main

import (
	"fmt"
	"io"
	"time"
)

// row is one line of the table: ours beside a peer, or beside a limit.
type row struct {
	what  string
	ours  string
	peer  string // "the age command: 41.2 s", or "-"
	ratio string
	want  string
	met   string // "yes", "MISSED", or why it was not measured
}

// beside is a row that compares with a peer: it has to take at least that many
// times as long as ours.
func beside(what string, ours cost, peer string, theirs cost, least float64) row {
	ratio := theirs.wall.Seconds() / ours.wall.Seconds()
	want := fmt.Sprintf("at least %g times as fast", least)
	if least < 1 {
		want = fmt.Sprintf("at most %g times as long", 1/least)
	}
	of := fmt.Sprintf("%.1f times as fast; %.1f by processor time", ratio, theirs.cpu.Seconds()/ours.cpu.Seconds())
	return row{what, ours.String(), peer + ": " + theirs.String(), of, want, verdict(ratio >= least)}
}

// within is a row with a limit.
func within(what string, ours cost, limit time.Duration) row {
	return row{what, ours.String(), "-", "-", "under " + show(limit), verdict(ours.wall < limit)}
}

// missing is a row of a peer that could not be run.
func missing(what, peer, why string) row {
	return row{what, "-", peer, "-", "-", "not measured: " + why}
}

func verdict(met bool) string {
	if met {
		return "yes"
	}
	return "MISSED"
}

func (c cost) String() string { return fmt.Sprintf("%s (%s of processors)", show(c.wall), show(c.cpu)) }

func show(d time.Duration) string {
	switch {
	case d < 100*time.Millisecond:
		return fmt.Sprintf("%.1f ms", d.Seconds()*1000)
	case d < 10*time.Second:
		return fmt.Sprintf("%.0f ms", d.Seconds()*1000)
	}
	return fmt.Sprintf("%.1f s", d.Seconds())
}

func printTable(w io.Writer, rows []row) error {
	fmt.Fprintln(w, "| what | ours | beside | ratio | wanted | met |\n| --- | --- | --- | --- | --- | --- |")
	for _, r := range rows {
		if _, err := fmt.Fprintf(w, "| %s | %s | %s | %s | %s | %s |\n", r.what, r.ours, r.peer, r.ratio, r.want, r.met); err != nil {
			return err
		}
	}
	return nil
}

package view

import (
	"fmt"
	"strings"
	"time"
)

// page is a text for a terminal, built line by line.
type page struct {
	out    strings.Builder
	colour bool
}

const (
	bold   = "1"
	faint  = "2"
	red    = "31"
	green  = "32"
	yellow = "33"
)

func (p *page) line(format string, args ...any) { fmt.Fprintf(&p.out, format+"\n", args...) }

// section begins a part, with an empty line between it and the last.
func (p *page) section(title string) {
	if p.out.Len() > 0 {
		p.out.WriteString("\n")
	}
	p.line("%s", p.paint(bold, title))
}

// paint gives a text a colour, if there are colours.
func (p *page) paint(code, text string) string {
	if !p.colour || code == "" || text == "" {
		return text
	}
	return "\x1b[" + code + "m" + text + "\x1b[0m"
}

func counted(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return fmt.Sprintf("%d %ss", n, noun)
}

// some joins names, and counts those beyond the most that are listed.
func some(names []string, most int) string {
	if len(names) <= most {
		return strings.Join(names, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(names[:most-1], ", "), len(names)-most+1)
}

// size is a number of bytes with its unit, in steps of 1000: "340 MB", "1.2 GB".
func size(bytes int64) string {
	value, unit := float64(bytes), 0
	units := []string{"B", "kB", "MB", "GB", "TB", "PB", "EB"}
	for value >= 999.5 && unit < len(units)-1 {
		value /= 1000
		unit++
	}
	if unit > 0 && value < 9.95 {
		return fmt.Sprintf("%.1f %s", value, units[unit])
	}
	return fmt.Sprintf("%.0f %s", value, units[unit])
}

// elapsed is a time as people say it: "5s", "1m05s", "2h03m".
func elapsed(d time.Duration) string {
	d = max(d, 0)
	switch {
	case d < time.Minute:
		return fmt.Sprintf("%ds", d/time.Second)
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	}
	return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
}

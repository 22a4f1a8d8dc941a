package nix

import (
	"bufio"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
)

// Unit is a systemd unit of a built system, as far as a switch looks at it.
type Unit struct {
	File   string // store path of its text
	Active bool   // some target or other unit wants it, so a switch starts it
	Switch SwitchRule
}

// SwitchRule is what switch-to-configuration does with a unit that changed.
type SwitchRule int

const (
	StopThenStart SwitchRule = iota // the default for services
	Restart                         // X-StopIfChanged=false
	Reload                          // X-ReloadIfChanged=true
	Leave                           // X-RestartIfChanged=false, or of a kind that is never restarted
)

// unitFolder is where a system has its units, and unitLimits what is read there.
const (
	unitFolder    = "etc/systemd/system"
	maxUnits      = 20000
	maxUnitLength = 1 << 20
)

// Units reads the units of a built system from the store.
func (t Tool) Units(system string) (map[string]Unit, error) {
	folder := filepath.Join(system, unitFolder)
	entries, err := os.ReadDir(folder)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err == nil && len(entries) > maxUnits {
		err = fmt.Errorf("%s: more than %d units", folder, maxUnits)
	}
	if err != nil {
		return nil, err
	}
	wanted := wantedIn(folder, entries)
	units := map[string]Unit{}
	for _, e := range entries {
		if !Switched(e.Name()) {
			continue
		}
		file, err := filepath.EvalSymlinks(filepath.Join(folder, e.Name()))
		if err != nil {
			continue // a mask: a link to /dev/null is none, one to nowhere is
		}
		rule, err := readRule(file)
		if err != nil {
			return nil, err
		}
		units[e.Name()] = Unit{File: file, Active: wanted[e.Name()], Switch: rule}
	}
	return units, nil
}

// Switched tells whether a switch acts on units of that kind.
func Switched(name string) bool {
	switch filepath.Ext(name) {
	case ".service", ".socket", ".timer", ".path", ".mount", ".swap":
		return !strings.Contains(name, "@.") // a template is none by itself
	}
	return false
}

// wantedIn lists the units that others of the folder want or require.
func wantedIn(folder string, entries []fs.DirEntry) map[string]bool {
	wanted := map[string]bool{}
	for _, e := range entries {
		if ext := filepath.Ext(e.Name()); ext != ".wants" && ext != ".requires" {
			continue
		}
		links, err := os.ReadDir(filepath.Join(folder, e.Name()))
		if err != nil {
			continue // not a folder
		}
		for _, l := range links {
			wanted[l.Name()] = true
		}
	}
	return wanted
}

// readRule finds the marks that NixOS leaves for switch-to-configuration.
func readRule(file string) (SwitchRule, error) {
	info, err := os.Stat(file)
	if err != nil || info.Size() > maxUnitLength || !info.Mode().IsRegular() {
		return StopThenStart, err
	}
	f, err := os.Open(file)
	if err != nil {
		return StopThenStart, err
	}
	defer f.Close()
	rule := StopThenStart
	for lines := bufio.NewScanner(f); lines.Scan(); {
		switch strings.ReplaceAll(strings.TrimSpace(lines.Text()), " ", "") {
		case "X-ReloadIfChanged=true":
			rule = Reload
		case "X-RestartIfChanged=false":
			rule = Leave
		case "X-StopIfChanged=false":
			if rule == StopThenStart {
				rule = Restart
			}
		}
	}
	return rule, nil
}

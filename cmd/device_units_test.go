//go:build device && linux

package cmd_test

import (
	"encoding/json"
	"maps"
	"regexp"
	"slices"
	"strings"
	"testing"
)

// recordedUnits are the texts of testdata/nixos/units.json, by host and unit.
func (l *lab) recordedUnits(t *testing.T) map[string]map[string]string {
	t.Helper()
	var recorded struct {
		Hosts map[string]struct {
			Units map[string]struct{ Text string }
		}
	}
	if err := json.Unmarshal(l.readFleet(t, "testdata/nixos/units.json"), &recorded); err != nil {
		t.Fatal(err)
	}
	texts := map[string]map[string]string{}
	for host, h := range recorded.Hosts {
		texts[host] = map[string]string{}
		for name, unit := range h.Units {
			texts[host][name] = unit.Text
		}
	}
	return texts
}

// verifyUnits asks systemd itself about every unit of every host, on a machine
// that has the programs that they name.
func verifyUnits(t *testing.T, l *lab) {
	pisec := l.ssh(t, faulty, `sed -nE 's|^ExecStart="?(.*)/bin/pisec.*|\1|p' /etc/systemd/system/pistack-secrets.service`)
	if pisec == "" {
		t.Fatal("pistack-secrets.service names no pisec")
	}
	word := regexp.MustCompile(`@[A-Za-z][A-Za-z0-9._-]*@`)
	units := l.recordedUnits(t)
	for _, host := range slices.Sorted(maps.Keys(units)) {
		for name, text := range units[host] {
			text = word.ReplaceAllString(strings.ReplaceAll(text, "@pisec@", pisec), "/dev/null")
			l.sshStdin(t, faulty, text, "mkdir -p /root/units/"+host+" && cat >/root/units/"+host+"/"+name)
		}
		if said := l.verify(t, host); said != "0" {
			t.Errorf("%s: systemd-analyze says\n%s", host, said)
		}
	}
	// What it finds where there is something to find.
	l.sshStdin(t, faulty, "[Service]\nType=oneshot\nExecStart=/bin/true\nTimeoutStartSecs=5\n", "mkdir -p /root/units/wrong && cat >/root/units/wrong/wrong.service")
	if said := l.verify(t, "wrong"); !strings.Contains(said, "TimeoutStartSecs") {
		t.Errorf("systemd-analyze does not see a wrong key: %s", said)
	}
}

// verify returns what systemd-analyze says, and last its exit status.
func (l *lab) verify(t *testing.T, folder string) string {
	t.Helper()
	return l.ssh(t, faulty, "status=0; systemd-analyze verify --man=no --recursive-errors=no /root/units/"+folder+"/* 2>&1 || status=$?; echo $status")
}

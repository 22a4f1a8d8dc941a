package cmd_test

import (
	"encoding/json"
	"errors"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"pistack/internal/fleettest"
)

// testReceipts: what "pistack status" says to do about a commit is done, also when
// the commit changes no system; and changes of one host say nothing of another.
func testReceipts(t *testing.T) {
	l, hosts := take(t, 2)
	a, b := hosts[0], hosts[1]
	l.next(t, a)
	l.next(t, b)
	toml := "hosts/" + b.Name + "/host.toml"
	l.write(t, toml, l.hostText(b, "root")+"# one\n")
	l.deploy(t, hosts).ends(0)
	for _, h := range hosts {
		h.Reboot(t) // into the new kernel
	}
	l.verdicts(t, "in sync", "not committed")

	l.commit(t)
	old := receipt(t, b)
	l.deploy(t, hosts).ends(0).came(a, "unchanged")
	l.verdicts(t, "in sync", "in sync")
	if r := receipt(t, b); r.Outcome != "deployed" || r.Old != old.Old || r.New != old.New || r.Revision != strings.TrimSpace(l.must(t, "git", "rev-parse", "HEAD")) {
		t.Errorf("receipt %+v after %+v", r, old)
	}

	l.write(t, toml, l.hostText(b, "root")+"# two\n")
	l.commit(t)
	l.verdicts(t, "in sync", "behind")
	hold(t, b, "other")
	l.deploy(t, hosts).ends(3).came(b, "refused", "locked by eve")
	b.Shell(t, "rm -r /run/pistack-deploy")
	a.Shell(t, "rm /var/lib/pistack/receipt.json")
	l.verdicts(t, "never deployed", "behind")
	run := l.deploy(t, hosts).ends(0)
	run.came(a, "recorded")
	run.came(b, "recorded")
	l.verdicts(t, "in sync", "in sync")
	for _, h := range hosts {
		if got := stand(t, h); got.lock != "" || got.armed {
			t.Errorf("%s is at %+v", h.Name, got)
		}
	}
	sessions := b.Sessions(t)
	l.deploy(t, hosts[1:]).ends(0).came(b, "unchanged")
	if n := b.Sessions(t) - sessions; n != 1 {
		t.Errorf("%d sessions for an equal host, want 1", n)
	}
}

// verdicts holds "pistack status" to what it says of all hosts, in their order.
func (l *deployLab) verdicts(t *testing.T, want ...string) {
	t.Helper()
	out, err := l.command(filepath.Join(binaries, "pistack"), "status", "--json").Output()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	var report struct {
		Hosts []struct {
			Host, Verdict string
			Findings      json.RawMessage
		}
	}
	if err := json.Unmarshal(out, &report); err != nil || len(report.Hosts) != len(want) {
		t.Fatalf("%v: %s", err, out)
	}
	for i, h := range report.Hosts {
		if h.Verdict != want[i] {
			t.Errorf("%s: %s, want %s: %s", h.Host, h.Verdict, want[i], h.Findings)
		}
	}
}

// receive makes a machine one that pistack deployed a system of HEAD to.
func (l *deployLab) receive(t *testing.T, h *fleettest.Host, s fleettest.System) {
	t.Helper()
	h.Shell(t, `mkdir -p /var/lib/pistack && echo '{"schema":1,"outcome":"deployed","new":"`+fleettest.Path(s)+`","revision":"`+strings.TrimSpace(l.must(t, "git", "rev-parse", "HEAD"))+`"}' >/var/lib/pistack/receipt.json`)
}
